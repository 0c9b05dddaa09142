/* list.c - `lab list`: what can be chosen, and what each choice is. */
#include "lab/command.h"

#include "gil/gil.h"
#include "lab/catalogue.h"
#include "lab/colour.h"
#include "lab/json.h"
#include "lab/names.h"
#include "lab/options.h"
#include "lab/parse.h"
#include "lab/runtimes.h"

#include <stdio.h>
#include <string.h>

enum { COLUMNS = 100, INDENT = 2, FIELD_WIDTH = 9 };

/* A label, then text wrapped at COLUMNS; its later lines hang under its first. */
static void write_line(int indent, int width, enum tone tone, const char *label, const char *text)
{
    int column = indent + width;
    bool first = true;

    printf("%*s%s%-*s%s", indent, "", colour(stdout, tone), width, label,
           colour(stdout, TONE_PLAIN));
    while (*text) {
        int word = (int)strcspn(text, " ");

        if (!first && column + 1 + word > COLUMNS)
            column = printf("\n%*s", indent + width, "") - 1;
        else if (!first)
            column += printf(" ");
        column += printf("%.*s", word, text);
        text += word + strspn(text + word, " ");
        first = false;
    }
    putchar('\n');
}

/* The column at which what is said of a name begins. */
static int name_width(const struct names *names)
{
    int widest = 0;

    for (int i = 0; names_at(names, i); i++)
        if (!names_hidden(names, i) && (int)strlen(names_at(names, i)) > widest)
            widest = (int)strlen(names_at(names, i));
    return widest + 2;
}

/* A name, and what it is; NULL, as below, if whoever added it has left that out. */
static void write_name(int width, const char *name, const char *about)
{
    write_line(INDENT, width, TONE_PLAIN, name, about ? about : "-");
}

/* One more fact about a name, under its line. */
static void write_field(int width, const char *label, const char *text)
{
    if (text)
        write_line(INDENT + width, FIELD_WIDTH, TONE_FAINT, label, text);
}

static void write_params(int width, const struct param *table)
{
    struct names names = names_params(table);
    int label_width = name_width(&names);
    char text[256];

    if (label_width < FIELD_WIDTH)
        label_width = FIELD_WIDTH;
    for (int i = 0; names_at(&names, i); i++) {
        snprintf(text, sizeof text, "%s: %lld (%lld to %lld)",
                 table[i].about ? table[i].about : "-", (long long)table[i].standard,
                 (long long)table[i].least, (long long)table[i].most);
        write_line(INDENT + width, label_width, TONE_FAINT, table[i].name, text);
    }
}

/* So that an empty section does not look cut off. */
static void write_none(const struct names *names)
{
    if (!names_at(names, 0))
        printf("%*snone in this build\n", INDENT, "");
}

static void list_modes(void)
{
    struct names names = NAMES_OF("mode", mode_list);
    int width = name_width(&names);
    char text[256];

    for (const struct named_mode *mode = mode_list; mode->name; mode++) {
        snprintf(text, sizeof text, "%s+%s: %s%s", mode->policy, mode->lock, mode->about,
                 runtime_named(mode->policy) ? "" : " (not in this build)");
        write_name(width, mode->name, text);
    }
    printf("%*sor POLICY+LOCK; or a policy that needs no lock, for POLICY+none\n", INDENT, "");
}

static void list_policies(void)
{
    struct names names = names_policies();
    int width = name_width(&names);

    for (int i = 0; names_at(&names, i); i++) {
        const struct policy *policy = runtime_list[i].runtime->policy;

        if (names_hidden(&names, i))
            continue;
        write_name(width, runtime_list[i].name, policy->about);
        write_field(width, "cost", policy->cost);
        write_field(width, "space", policy->space);
        write_field(width, "threads", policy->threads);
        write_field(width, "needs", policy->needs);
        write_field(width, "paper", policy->paper);
    }
}

static void list_locks(void)
{
    struct names names = names_locks();
    int width = name_width(&names);

    for (const struct named_gil *lock = gil_list; lock->name; lock++) {
        write_name(width, lock->name, lock->class->about);
        write_field(width, "source", lock->class->source);
        if (lock->class->excludes)
            write_field(width, "waits", lock->class->fair ? "bounded: nobody starves"
                                                          : "unbounded: a thread may starve");
        write_params(width, lock->class->param);
    }
}

/* "client 1, spinner 1 per thread" */
static void write_roles(int width, const struct role *roles)
{
    char text[256] = "";
    size_t used = 0;

    for (int i = 0; i < ROLE_MAX && roles[i].name && used < sizeof text; i++) {
        const struct role *role = &roles[i];

        used +=
            (size_t)snprintf(text + used, sizeof text - used, "%s%s", i ? ", " : "", role->name);
        if (role->fixed && used < sizeof text)
            used += (size_t)snprintf(text + used, sizeof text - used, " %d", role->fixed);
        if (role->per_thread && used < sizeof text)
            used += (size_t)snprintf(text + used, sizeof text - used, "%s %d per thread",
                                     role->fixed ? " and" : "", role->per_thread);
    }
    write_field(width, "workers", text);
}

static void list_workloads(void)
{
    static const char *const kinds[] = { "CPU-bound", "I/O-bound", "mixed" };
    static const char *const shared[] = { "nothing", "objects that change hands",
                                          "objects that they read",
                                          "objects that they write",
                                          "containers whose tables they change" };
    struct names names = names_workloads();
    int width = name_width(&names);
    char text[256];

    for (int i = 0; names_at(&names, i); i++) {
        const struct workload *workload = runtime_list[0].runtime->workloads[i].workload;

        write_name(width, names_at(&names, i), workload->about);
        snprintf(text, sizeof text, "%s; counts each %s; threads share %s", kinds[workload->kind],
                 workload->unit ? workload->unit : "-", shared[workload->shares]);
        write_field(width, "what", text);
        write_roles(width, workload->roles);
        if (workload->alone) {
            snprintf(text, sizeof text, "thread alone, for its workers %s", workload->alone);
            write_field(width, "units", text);
        }
        write_params(width, workload->param);
    }
}

static void list_units(void)
{
    struct names names = names_units();
    int width = name_width(&names);

    for (int i = 0; names_at(&names, i); i++) {
        const struct unit *unit = runtime_list[0].runtime->units[i].unit;

        write_name(width, names_at(&names, i), unit->about);
        write_params(width, unit->param);
    }
}

static void list_heaps(void)
{
    struct names names = names_heaps();

    for (int i = 0; names_at(&names, i); i++)
        write_name(name_width(&names), names_at(&names, i),
                   runtime_list[0].runtime->heaps[i].heap->about);
}

static void list_demos(void)
{
    struct names names = names_demos();
    int width = name_width(&names);

    write_none(&names);
    for (int i = 0; names_at(&names, i); i++) {
        const struct demo *demo = runtime_list[0].runtime->demos[i].demo;

        write_name(width, names_at(&names, i), demo->about);
        write_field(width, "modes", demo->modes);
    }
}

static void list_micros(void)
{
    struct names names = names_micros();
    int width = name_width(&names);

    write_none(&names);
    for (int i = 0; names_at(&names, i); i++) {
        const struct micro *micro = runtime_list[0].runtime->micros[i].micro;

        write_name(width, names_at(&names, i), micro->about);
        write_field(width, "runs", micro->once       ? "once, as a control"
                                   : micro->per_heap ? "under every policy with every heap"
                                                     : "under every policy");
    }
}

struct section {
    const char *name;
    void (*list)(void);
    json_t *(*catalogue)(void);
};

static const struct section sections[] = {
    { "modes", list_modes, catalogue_modes },
    { "policies", list_policies, catalogue_policies },
    { "locks", list_locks, catalogue_locks },
    { "workloads", list_workloads, catalogue_workloads },
    { "units", list_units, catalogue_units },
    { "heaps", list_heaps, catalogue_heaps },
    { "demos", list_demos, catalogue_demos },
    { "micros", list_micros, catalogue_micros },
    { NULL, NULL, NULL },
};

/* The section of this name; NULL for no name: all. */
static const struct section *find_section(const char *name, const char *command)
{
    struct names names = NAMES_OF("list", sections);
    struct mistake m;
    int i;

    if (!name)
        return NULL;
    i = names_find(&names, name, &m);
    if (i < 0)
        mistake_exit(command, &m);
    return &sections[i];
}

static void list(const struct section *only)
{
    for (const struct section *section = sections; section->name; section++) {
        if (only && only != section)
            continue;
        printf("%s%s%s%s\n", section == sections || only ? "" : "\n",
               colour(stdout, TONE_HEADING), section->name, colour(stdout, TONE_PLAIN));
        section->list();
    }
}

static int list_json(const struct section *only)
{
    json_t *all = json_object();

    for (const struct section *section = sections; section->name; section++)
        if ((!only || only == section) &&
            json_object_set_new(all, section->name, section->catalogue()) < 0) {
            json_decref(all);
            all = NULL;
        }
    return json_print(all);
}

static int run(const struct command *self, int argc, char **argv)
{
    bool json = false;
    int first = options_parse(self, argc, argv, &json);
    const struct section *only = find_section(argv[first], argv[0]);

    if (json)
        return list_json(only);
    list(only);
    return 0;
}

static const struct argp_option options[] = { JSON_OPTION, { 0 } };

static const struct explained examples[] = {
    { "lab list workloads", "what can be run, and the parameters of each" },
    { "lab list --json | jq -r '.policies[].name'", "the policies, for a script" },
    { NULL, NULL },
};

const struct command command_list = {
    .about = "what can be chosen, and what each choice is",
    .doc = "What can be chosen, and what each choice is.",
    .options = options,
    .take = options_take_flag,
    .arguments = "[modes|policies|locks|workloads|units|heaps|demos|micros]",
    .most = 1,
    .examples = examples,
    .run = run,
};
