/* advise.c - `lab advise`: which unit and mode to choose, from what this machine has measured. */
#include "lab/advice.h"
#include "lab/command.h"
#include "lab/json.h"
#include "lab/machine.h"
#include "lab/options.h"
#include "lab/paragraph.h"
#include "lab/parse.h"
#include "lab/store.h"

#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum {
    FILES_MAX = 16,
    ROWS_MAX = 12,
    NAME_WIDTH = 34,
    US_MOST = 1000000000,
    PARALLEL_MOST = 100000
};

/* Where `lab matrix benches/matrices/cpu-vs-io.yaml` puts what it measures. */
static char usual_file[] = "cpu-vs-io.db";

struct options {
    int64_t cpu_us, wait_us, parallel;
    bool json;
};

/* What a file says. */
struct source {
    const char *path;
    struct run run;
    struct results results;
    struct advice advice;
};

static int take(void *input, int key, char *value, struct mistake *m)
{
    struct options *o = input;

    switch (key) {
    case 'c':
        return parse_number("--cpu-us", value, 0, US_MOST, &o->cpu_us, m);
    case 'w':
        return parse_number("--wait-us", value, 0, US_MOST, &o->wait_us, m);
    case 'n':
        return parse_number("--parallel", value, 1, PARALLEL_MOST, &o->parallel, m);
    default:
        o->json = true;
        return 0;
    }
}

static int check(const struct options *o, struct mistake *m)
{
    if (o->cpu_us < 0 || o->wait_us < 0 || o->parallel < 0)
        return mistake_set(m,
                           "%s is missing; an operation computes so long, waits so long, and so "
                           "many are under way: --cpu-us 300 --wait-us 2000 --parallel 500",
                           o->cpu_us < 0    ? "--cpu-us"
                           : o->wait_us < 0 ? "--wait-us"
                                            : "--parallel");
    if (!o->cpu_us && !o->wait_us)
        return mistake_set(m,
                           "an operation that neither computes nor waits needs no advice; --cpu-us "
                           "or --wait-us is more than 0");
    return 0;
}

/* The last but `before` of the runs of this machine in which something was measured of
 * cpu_fraction; 0: there are not so many. */
static int64_t find_run(struct store *store, const char *key, int before)
{
    sqlite3_stmt *q = NULL;
    int64_t run = 0;

    if (sqlite3_prepare_v2(
            store_database(store),
            "SELECT r.run FROM runs r JOIN machines m USING (machine) WHERE m.key = ? "
            "AND EXISTS (SELECT 1 FROM cells c JOIN windows w USING (cell) WHERE c.run = r.run "
            "AND w.kind = 'timed' AND w.status IN ('ok', 'early') AND c.workload GLOB "
            "'cpu_fraction*') ORDER BY r.started DESC, r.run DESC LIMIT 1 OFFSET ?",
            -1, &q, NULL) == SQLITE_OK) {
        sqlite3_bind_text(q, 1, key, -1, SQLITE_STATIC);
        sqlite3_bind_int(q, 2, before);
        if (sqlite3_step(q) == SQLITE_ROW)
            run = sqlite3_column_int64(q, 0);
    }
    sqlite3_finalize(q);
    return run;
}

static void source_free(struct source *s)
{
    advice_free(&s->advice);
    results_free(&s->results);
}

static int load_run(struct store *store, int64_t run, const struct demand *demand, struct source *s,
                    struct mistake *m)
{
    char number[24];

    snprintf(number, sizeof number, "%lld", (long long)run);
    if (store_find(store, number, &s->run, m) < 0 || store_load(store, &s->run, &s->results, m) < 0)
        return -1;
    return advise(&s->results, demand, &s->advice) < 0 ? mistake_set(m, "no memory") : 0;
}

/* The newest that can tell, or else the newest. */
static int load_from(struct store *store, struct source *s, const char *key,
                     const struct demand *demand, struct mistake *m)
{
    int before = 0;
    int64_t run;

    for (; (run = find_run(store, key, before)); before++) {
        struct source older = { .path = s->path };

        if (load_run(store, run, demand, before ? &older : s, m) < 0)
            return -1;
        if (before && older.advice.chosen < 0) {
            source_free(&older);
        } else if (before) {
            source_free(s);
            *s = older;
        }
        if (s->advice.chosen >= 0)
            return 0;
    }
    if (before)
        return 0;
    return mistake_set(m,
                       "'%.100s' has no run of cpu_fraction on this machine (%s), and others "
                       "give no advice for it; `lab matrix benches/matrices/cpu-vs-io.yaml` "
                       "measures one",
                       s->path, key);
}

static int load(struct source *s, const char *key, const struct demand *demand, struct mistake *m)
{
    struct store *store;
    int status;

    if (s->path == usual_file && access(s->path, F_OK) < 0)
        return mistake_set(m,
                           "there is no %s here; `lab matrix benches/matrices/cpu-vs-io.yaml` "
                           "measures it; or name a results file",
                           s->path);
    store = store_open(s->path, STORE_READ, m);
    if (!store)
        return -1;
    status = load_from(store, s, key, demand, m);
    store_close(store);
    return status;
}

/* Who can tell goes first, then who is newer. */
static const struct source *better(const struct source *a, const struct source *b)
{
    bool a_tells = a->advice.chosen >= 0, b_tells = b->advice.chosen >= 0;

    if (a_tells != b_tells)
        return a_tells ? a : b;
    return strcmp(a->run.started, b->run.started) >= 0 ? a : b;
}

/* ---- for people ---- */

static const char *choice_words(const struct choice *c, char *text, size_t size_bytes)
{
    char line[LABEL_MAX + 32];

    snprintf(text, size_bytes, "%s under %s", line_words(c->point, line, sizeof line),
             c->point->outcome->cell.mode);
    return text;
}

static void print_choice(const struct choice *c, bool chosen)
{
    char name[2 * LABEL_MAX + 32], rate[24], low[24], high[24], ratio[64], cpu[24] = "-";

    if (c->cpu_is.count)
        human_ns(1e9 * c->cpu_is.median, cpu, sizeof cpu);
    printf("%c %-*s %8s  %8s .. %-8s %9s  %s\n", chosen ? '*' : ' ', NAME_WIDTH,
           choice_words(c, name, sizeof name), human_rate(c->rate_is.median, rate, sizeof rate),
           human_rate(c->rate_is.low, low, sizeof low),
           human_rate(c->rate_is.high, high, sizeof high), cpu,
           ratio_words(&c->of_best, ratio, sizeof ratio));
}

static void print_choices(const struct advice *a)
{
    if (!a->count)
        return;
    printf("\n  %-*s %8s  %-20s %9s  %s\n", NAME_WIDTH, "unit and mode", "per s", "     interval",
           "cpu each", "of the best rate");
    for (int i = 0; i < a->count; i++)
        if (i < ROWS_MAX || i == a->chosen)
            print_choice(&a->choice[i], i == a->chosen);
    if (a->count > ROWS_MAX)
        printf("  and %d more, of lower median\n", a->count - ROWS_MAX - (a->chosen >= ROWS_MAX));
}

static void print_demand(const struct demand *d)
{
    printf(
        "Operations that compute %.0f us and wait %.0f us (%.0f %% of their time), %d at once.\n",
        d->cpu_us, d->wait_us, 100 * d->wait_us / (d->cpu_us + d->wait_us), d->parallel);
}

static void print_command(const char *command)
{
    if (!*command)
        return;
    puts("This could settle it; then ask `lab advise ... advice.db`:\n");
    for (const char *line = command; line; line = strchr(line, '\n')) {
        line += *line == '\n';
        printf("    %.*s\n", (int)strcspn(line, "\n"), line);
    }
}

static void print_advice(const struct source *s)
{
    const struct advice *a = &s->advice;
    char text[4 * ADVICE_BYTES + PATH_MAX], name[2 * LABEL_MAX + 32];
    int used;

    print_demand(&a->demand);
    if (a->chosen >= 0)
        snprintf(text, sizeof text, "Choose %s. %s",
                 choice_words(&a->choice[a->chosen], name, sizeof name), a->why);
    else
        snprintf(text, sizeof text, "Cannot tell: %s.", a->why);
    print_paragraph(text, 0, stdout);
    print_command(a->command);
    print_choices(a);
    used = snprintf(text, sizeof text, "%sFrom %s, run %lld of %s, begun %s, on this machine.",
                    a->notes, s->path, (long long)s->run.id, s->run.matrix, s->run.started);
    if (a->margin >= 0)
        snprintf(text + used, sizeof text - (size_t)used,
                 " What lies within %.1f %% counts as no difference.", 100 * a->margin);
    putchar('\n');
    print_paragraph(text, 0, stdout);
}

/* ---- for programs ---- */

static json_t *estimate_json(const struct estimate *e)
{
    if (!e->count)
        return json_null();
    return json_pack("{s:o, s:o, s:o, s:o, s:I}", "median", json_finite(e->median), "low",
                     json_finite(e->low), "high", json_finite(e->high), "confidence",
                     json_finite(e->confidence), "count", (json_int_t)e->count);
}

static json_t *choice_json(const struct choice *c)
{
    const struct cell *cell = &c->point->outcome->cell;

    return json_pack("{s:o, s:o, s:o, s:o, s:o, s:o, s:o, s:o, s:s}", "unit",
                     json_text(cell->execution_unit), "mode", json_text(cell->mode), "threads",
                     cell->units ? json_integer(cell->threads) : json_null(), "price",
                     json_finite(c->price), "waiting", json_finite(c->share), "rate",
                     estimate_json(&c->rate_is), "cpu_s", estimate_json(&c->cpu_is), "of_best",
                     estimate_json(&c->of_best), "standing", fate_names[c->fate]);
}

static int print_json(const struct source *s)
{
    const struct advice *a = &s->advice;
    json_t *array = json_array();

    for (int i = 0; i < a->count && array; i++)
        array = json_with(array, choice_json(&a->choice[i]));
    return json_print(json_pack(
        "{s:f, s:f, s:i, s:o, s:I, s:o, s:o, s:o, s:s, s:s, s:o, s:o}", "cpu_us", a->demand.cpu_us,
        "wait_us", a->demand.wait_us, "parallel", a->demand.parallel, "file", json_text(s->path),
        "run", (json_int_t)s->run.id, "machine", json_text(s->run.machine), "margin",
        a->margin < 0 ? json_null() : json_finite(a->margin), "advice",
        a->chosen < 0 ? json_null() : choice_json(&a->choice[a->chosen]), "why", a->why, "notes",
        a->notes, "command", *a->command ? json_text(a->command) : json_null(), "choices", array));
}

/* ---- */

static int read_sources(struct source *source, int count, char **paths, const char *key,
                        const struct demand *demand, struct mistake *m)
{
    for (int i = 0; i < count; i++) {
        source[i].path = paths[i];
        if (load(&source[i], key, demand, m) < 0)
            return -1;
    }
    return 0;
}

static int find_key(char key[MACHINE_KEY_BYTES], struct mistake *m)
{
    struct machine machine;

    if (machine_look(&machine, m) < 0)
        return -1;
    memcpy(key, machine.key, MACHINE_KEY_BYTES);
    machine_free(&machine);
    return 0;
}

static int run(const struct command *self, int argc, char **argv)
{
    struct options o = { -1, -1, -1, false };
    int first = options_parse(self, argc, argv, &o), count = argc - first, status = 0;
    char *usual[] = { usual_file }, key[MACHINE_KEY_BYTES];
    struct source *source = calloc((size_t)count + 1, sizeof *source);
    const struct source *best = source;
    struct mistake m;

    mistake_set(&m, "no memory");
    if (!source || check(&o, &m) < 0 || find_key(key, &m) < 0 ||
        read_sources(source, count ? count : 1, count ? argv + first : usual, key,
                     &(struct demand){ (double)o.cpu_us, (double)o.wait_us, (int)o.parallel },
                     &m) < 0)
        mistake_exit(argv[0], &m);
    for (int i = 1; i < count; i++)
        best = better(best, &source[i]);
    if (o.json)
        status = print_json(best);
    else
        print_advice(best);
    for (int i = 0; i < (count ? count : 1); i++)
        source_free(&source[i]);
    free(source);
    return status;
}

static const struct argp_option described[] = {
    { "cpu-us", 'c', "N", 0, "an operation computes for so many microseconds", 0 },
    { "wait-us", 'w', "N", 0, "and waits for so many", 0 },
    { "parallel", 'n', "N", 0, "so many operations are under way at once", 0 },
    JSON_OPTION,
    { 0 },
};

static const struct explained examples[] = {
    { "lab advise --cpu-us 300 --wait-us 2000 --parallel 500", "from cpu-vs-io.db" },
    { "lab advise -c 300 -w 2000 -n 500 cpu-vs-io.db advice.db", "the one that can tell" },
    { NULL, NULL },
};

const struct command command_advise = {
    .about = "which unit and mode to choose for work that computes so long and waits so long",
    .doc =
        "Reads what this machine has measured of cpu_fraction, by `lab matrix "
        "benches/matrices/cpu-vs-io.yaml`: without a file named, cpu-vs-io.db in this folder. "
        "Between measured points it interpolates, beyond them it says so. It names the unit, the "
        "mode and the runner-up, or that it cannot tell, and the command that would settle it. "
        "Modes that are unsafe are never advised.",
    .options = described,
    .arguments = "[RESULTS...]",
    .most = FILES_MAX,
    .examples = examples,
    .take = take,
    .run = run,
};
