/* assignment.c - reading assignment.yaml. */
#include "lab/grade/assignment.h"

#include "lab/names.h"

#include <errno.h>
#include <glob.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

const char *const build_modes[BUILD_MODES + 1] = { "debug", "asan", "tsan", "release", NULL };

static const char *const works[] = { "policy", "lock", "workload", "coroutines", NULL };

/* ---- values ---- */

static const char *text_of(const yaml_node_t *scalar)
{
    return (const char *)scalar->data.scalar.value;
}

static int take_text(struct assignment *a, const yaml_node_t *node, const char *what,
                     const char **out, struct mistake *m)
{
    *out = document_text(&a->document, node, what, m);
    return *out ? 0 : -1;
}

static int take_number(struct assignment *a, const yaml_node_t *node, double least, double most,
                       double *out, struct mistake *m)
{
    const char *text = document_text(&a->document, node, "a number", m);
    char *end;

    if (!text)
        return -1;
    *out = strtod(text, &end);
    if (*end || !(*out >= least && *out <= most))
        return document_mistake(&a->document, node, m, "'%.40s' is not a number from %g to %g",
                                text, least, most);
    return 0;
}

static int take_whole(struct assignment *a, const yaml_node_t *node, double least, double most,
                      double *out, struct mistake *m)
{
    if (take_number(a, node, least, most, out, m) < 0)
        return -1;
    if (*out != floor(*out))
        return document_mistake(&a->document, node, m, "%g is no whole number", *out);
    return 0;
}

static int take_bool(struct assignment *a, const yaml_node_t *node, bool *out, struct mistake *m)
{
    const char *text = document_text(&a->document, node, "yes or no", m);

    if (!text)
        return -1;
    *out = strcmp(text, "yes") == 0;
    return *out || !strcmp(text, "no")
               ? 0
               : document_mistake(&a->document, node, m, "'%.40s' is neither yes nor no", text);
}

static int take_words(struct assignment *a, yaml_node_t *node, struct words *out, struct mistake *m)
{
    int count = document_items(node);

    if (count > WORDS_MOST)
        return document_mistake(&a->document, node, m, "more than %d of them", WORDS_MOST);
    for (out->count = 0; out->count < count; out->count++)
        if (take_text(a, document_item(&a->document, node, out->count), "a text",
                      &out->item[out->count], m) < 0)
            return -1;
    out->item[count] = NULL;
    return 0;
}

/* "debug asan" */
static int take_modes(struct assignment *a, const yaml_node_t *node, bool *in_mode,
                      struct mistake *m)
{
    struct names names = NAMES_OF("mode", build_modes);
    const char *text = document_text(&a->document, node, "modes, as \"debug tsan\"", m);
    char *copy = text ? strdup(text) : NULL, *rest = copy, *word;
    int status = copy ? 0 : -1;

    while (status == 0 && (word = strsep(&rest, " "))) {
        int i = names_find(&names, word, m);

        if (i < 0)
            status = document_locate(&a->document, node, m);
        else
            in_mode[i] = true;
    }
    free(copy);
    return status;
}

/* ---- mappings ---- */

typedef int take_key(struct assignment *a, void *into, const char *key, yaml_node_t *value,
                     struct mistake *m);

static int take_mapping(struct assignment *a, const yaml_node_t *node, const char *const *keys,
                        take_key *take, void *into, struct mistake *m)
{
    struct names names = NAMES_OF("key", keys);
    struct document *d = &a->document;

    if (document_check_mapping(d, node, "a mapping of keys such as \"points: 10\"", m) < 0)
        return -1;
    for (const yaml_node_pair_t *p = node->data.mapping.pairs.start;
         p < node->data.mapping.pairs.top; p++) {
        const yaml_node_t *key = document_node(d, p->key);

        if (names_find(&names, text_of(key), m) < 0)
            return document_locate(d, key, m);
        if (take(a, into, text_of(key), document_node(d, p->value), m) < 0)
            return -1;
    }
    return 0;
}

static const char *const check_keys[] = {
    "name",    "test",    "only",   "modes",  "schedules", "points",    "gate",
    "count",   "full",    "zero",   "speed",  "mine",      "reference", "unit",
    "threads", "seconds", "memory", "choice", "among",     NULL,
};

static const char **check_text(struct check *c, const char *key)
{
    const struct {
        const char *key;
        const char **text;
    } texts[] = {
        { "name", &c->name },   { "test", &c->test },     { "count", &c->count },
        { "speed", &c->speed }, { "mine", &c->mine },     { "reference", &c->reference },
        { "unit", &c->unit },   { "choice", &c->choice },
    };

    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++)
        if (strcmp(texts[i].key, key) == 0)
            return texts[i].text;
    return NULL;
}

/* "process: --unit process --units 16" */
static int take_among(struct assignment *a, struct check *c, const yaml_node_t *node,
                      struct mistake *m)
{
    static const char form[] = "a mapping of names to options, as \"thread: --threads 16\"";

    if (document_check_mapping(&a->document, node, form, m) < 0)
        return -1;
    for (const yaml_node_pair_t *p = node->data.mapping.pairs.start;
         p < node->data.mapping.pairs.top; p++) {
        struct alternative *next = &c->among[c->alternatives];

        if (c->alternatives == ALTERNATIVES_MOST)
            return document_mistake(&a->document, node, m, "more than %d of them",
                                    ALTERNATIVES_MOST);
        c->alternatives++;
        next->name = text_of(document_node(&a->document, p->key));
        if (take_text(a, document_node(&a->document, p->value), "options of lab run",
                      &next->options, m) < 0)
            return -1;
    }
    return 0;
}

static int take_check_key(struct assignment *a, void *into, const char *key, yaml_node_t *value,
                          struct mistake *m)
{
    struct check *c = into;

    if (check_text(c, key))
        return take_text(a, value, "a text", check_text(c, key), m);
    if (!strcmp(key, "among"))
        return take_among(a, c, value, m);
    if (!strcmp(key, "only"))
        return take_words(a, value, &c->only, m);
    if (!strcmp(key, "modes"))
        return take_modes(a, value, c->in_mode, m);
    if (!strcmp(key, "gate"))
        return take_bool(a, value, &c->gate, m);
    if (!strcmp(key, "schedules"))
        return take_whole(a, value, 1, SCHEDULES_MOST, &c->schedules, m);
    if (!strcmp(key, "seconds"))
        return take_number(a, value, 0.1, 600, &c->seconds, m);
    if (!strcmp(key, "memory"))
        return take_whole(a, value, 1, 1 << 20, &c->memory, m);
    if (!strcmp(key, "threads"))
        return take_whole(a, value, 0, 1024, &c->threads, m);
    if (!strcmp(key, "points"))
        return take_number(a, value, 0, 1000, &c->points, m);
    return take_number(a, value, 0, 1e12, strcmp(key, "full") ? &c->zero : &c->full, m);
}

/* What is said of it must be of one kind, and enough. */
static int complete_check(struct assignment *a, struct check *c, struct mistake *m)
{
    const bool slopes = c->count || c->speed;
    const char *lacks = !c->name                                       ? "name"
                        : !c->test && !c->speed                        ? "test or speed"
                        : c->choice && !c->speed                       ? "speed"
                        : isnan(c->points)                             ? "points"
                        : slopes && (isnan(c->full) || isnan(c->zero)) ? "full and zero"
                        : c->choice && c->alternatives < 2             ? "among, two or more"
                        : c->speed && !c->choice && (!c->mine || !c->reference)
                            ? "mine and reference"
                            : NULL;

    if (lacks)
        return document_mistake(&a->document, c->node, m, "this check does not say: %s", lacks);
    if (c->test && c->speed)
        return document_mistake(&a->document, c->node, m, "a check is a test or a speed, not both");
    if (slopes && c->full >= c->zero)
        return document_mistake(&a->document, c->node, m,
                                "full must be less than zero: what is counted is better the less");
    for (int i = BUILD_MODES - 1; i >= 0; i--)
        if (c->in_mode[i])
            c->build = build_modes[i];
    if (!c->build) {
        c->build = "release";
        c->in_mode[0] = true;
    }
    return 0;
}

static int take_check(struct assignment *a, yaml_node_t *node, struct mistake *m)
{
    struct check *c = &a->check[a->checks];

    if (a->checks == CHECKS_MOST)
        return document_mistake(&a->document, node, m, "more than %d checks", CHECKS_MOST);
    *c = (struct check){ .node = node,
                         .schedules = 1,
                         .threads = 1,
                         .seconds = 120,
                         .points = NAN,
                         .full = NAN,
                         .zero = NAN };
    a->checks++;
    if (take_mapping(a, node, check_keys, take_check_key, c, m) < 0)
        return -1;
    return complete_check(a, c, m);
}

/* Only what lies in the submission's folder, or in the tree. */
static bool is_inside(const char *path)
{
    return *path != '/' && !strstr(path, "..");
}

static int take_file(struct assignment *a, const yaml_node_t *node, struct mistake *m)
{
    static const char form[] = "a file, as \"locks/mine.c from gil/locks/interval.c\"";
    const char *text = document_text(&a->document, node, form, m);
    struct handed_in *f = &a->file[a->files];
    int end = 0;

    if (!text)
        return -1;
    if (a->files == FILES_MOST)
        return document_mistake(&a->document, node, m, "more than %d files", FILES_MOST);
    if (sscanf(text, "%127s from %127s%n", f->path, f->from, &end) != 2 || !is_inside(f->path) ||
        !is_inside(f->from) || (text[end] && strncmp(text + end, " as ", 4)))
        return document_mistake(&a->document, node, m, "%s is wanted here, not '%.100s'", form,
                                text);
    a->files++;
    return 0;
}

static const char *const keys[] = {
    "title", "kind", "policies", "may call", "files", "checks", NULL
};

static int take_kind(struct assignment *a, const yaml_node_t *node, struct mistake *m)
{
    struct names names = NAMES_OF("kind", works);
    const char *text = document_text(&a->document, node, "a kind, as lock", m);
    int i = text ? names_find(&names, text, m) : -1;

    a->work = i < 0 ? WORK_POLICY : (enum work)i;
    return !text ? -1 : i < 0 ? document_locate(&a->document, node, m) : 0;
}

static int take_top_key(struct assignment *a, void *into, const char *key, yaml_node_t *value,
                        struct mistake *m)
{
    int (*each)(struct assignment *, yaml_node_t *, struct mistake *) = take_check;

    (void)into;
    if (!strcmp(key, "title"))
        return take_text(a, value, "a title", &a->title, m);
    if (!strcmp(key, "policies"))
        return take_text(a, value, "names, as \"plain atomic\"", &a->policies, m);
    if (!strcmp(key, "kind"))
        return take_kind(a, value, m);
    if (!strcmp(key, "may call"))
        return take_words(a, value, &a->may_call, m);
    for (int i = 0; i < document_items(value); i++) {
        yaml_node_t *item = document_item(&a->document, value, i);

        if ((strcmp(key, "files") ? each(a, item, m) : take_file(a, item, m)) < 0)
            return -1;
    }
    return 0;
}

int assignment_parse(struct assignment *a, const char *path, const char *text, size_t size_bytes,
                     struct mistake *m)
{
    *a = (struct assignment){ .policies = "plain" };
    if (document_load(&a->document, path, text, size_bytes, m) < 0)
        return -1;
    if (take_mapping(a, a->document.root, keys, take_top_key, NULL, m) == 0 &&
        ((a->title && a->files && a->checks) ||
         document_mistake(&a->document, a->document.root, m,
                          "an assignment has a title, files and checks") == 0))
        return 0;
    document_free(&a->document);
    return -1;
}

/* ---- the file ---- */

static bool has_yaml(const char *folder)
{
    char path[300];

    snprintf(path, sizeof path, "%s/assignment.yaml", folder);
    return access(path, R_OK) == 0;
}

/* "02" as well as the whole name or path. */
static int find_folder(const char *asked, char *folder, size_t size_bytes, struct mistake *m)
{
    static const char *const forms[] = { "%s", "lab/assignments/%s", "lab/assignments/%s-*" };
    char pattern[280];

    for (size_t i = 0; i < sizeof forms / sizeof *forms; i++) {
        glob_t found;

        snprintf(pattern, sizeof pattern, forms[i], asked);
        if (glob(pattern, 0, NULL, &found))
            continue;
        snprintf(folder, size_bytes, "%.*s", (int)strlen(found.gl_pathv[0]), found.gl_pathv[0]);
        globfree(&found);
        while (strlen(folder) > 1 && folder[strlen(folder) - 1] == '/')
            folder[strlen(folder) - 1] = '\0';
        if (has_yaml(folder))
            return 0;
    }
    return mistake_set(
        m,
        "no assignment '%.100s': there is no lab/assignments/%.100s*/assignment.yaml "
        "here (run it in the root of the lab's tree)",
        asked, asked);
}

static char *read_file(const char *path, size_t *size_bytes)
{
    FILE *file = fopen(path, "r");
    char *text = calloc(1, DOCUMENT_BYTES_MOST + 2);

    *size_bytes = file && text ? fread(text, 1, DOCUMENT_BYTES_MOST + 1, file) : 0;
    if (file)
        fclose(file);
    return text;
}

int assignment_read(struct assignment *a, const char *folder, struct mistake *m)
{
    char found[sizeof a->folder], path[sizeof a->path];
    size_t size_bytes;
    char *text;

    if (find_folder(folder, found, sizeof found, m) < 0)
        return -1;
    snprintf(path, sizeof path, "%s/assignment.yaml", found);
    text = read_file(path, &size_bytes);
    if (!text || assignment_parse(a, path, text, size_bytes, m) < 0) {
        free(text);
        return -1;
    }
    a->source = text;
    strcpy(a->folder, found);
    strcpy(a->path, path);
    a->document.path = a->path;
    return 0;
}

void assignment_free(struct assignment *a)
{
    document_free(&a->document);
    free(a->source);
}

const char *assignment_number(const struct assignment *a)
{
    static char number[3];
    const char *slash = strrchr(a->folder, '/');

    snprintf(number, sizeof number, "%.2s", slash ? slash + 1 : a->folder);
    return number;
}

double assignment_points(const struct assignment *a)
{
    double sum = 0;

    for (int i = 0; i < a->checks; i++)
        sum += a->check[i].points;
    return sum;
}
