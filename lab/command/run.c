/* run.c - `lab run`: measures every combination of the dials, and says what it found. */
#include "gil/mutex.h"
#include "lab/child.h"
#include "lab/command.h"
#include "lab/csv.h"
#include "lab/options.h"
#include "lab/progress.h"
#include "lab/results.h"
#include "lab/topology.h"

#include <errno.h>
#include <math.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>

enum { THREADS_MOST = 1024, CELLS_MOST = 100000 };

struct options {
    struct variants workload, heap, gil, policy;
    struct modes mode;
    struct numbers threads;
    int64_t rounds;
    double window_s, ramp_s, timeout_s;
    const char *csv, *bind;
    bool replace;
};

/* What stays the same from window to window. */
struct session {
    const struct options *options;
    struct results results;
    struct progress progress;
    FILE *csv; /* NULL: none asked for */
    int order;
};

static volatile int interrupted;

static void interrupt(int signal)
{
    (void)signal;
    interrupted = 1;
}

static const struct argp_option described[] = {
    { "workload", 'w', "LIST", 0, "what is run: see `lab list workloads`", 0 },
    { "mode", 'm', "LIST", 0, "gil, atomic, nolock, POLICY+LOCK, or a policy that needs no lock",
      0 },
    { "policy", 'p', "LIST", 0, "refcount policies, each with each --gil", 0 },
    { "gil", 'g', "LIST", 0, "global locks, as interval:interval_us=500; with --policy", 0 },
    { "heap", 'H', "LIST", 0, "where objects come from (jemalloc)", 0 },
    { "threads", 't', "LIST", 0, "how many: 1,2,4 or 1..8", 0 },
    { "rounds", 'r', "N", 0, "windows of each cell, interleaved (5)", 0 },
    { "window", 'W', "SECONDS", 0, "how long each is measured (0.25)", 0 },
    { "ramp", 'R', "SECONDS", 0, "how long it runs before that (0.05)", 0 },
    { "timeout", 'T', "SECONDS", 0, "when a cell's process is ended (10 windows and 10 s)", 0 },
    { "bind", 'b', "auto|yes|no", 0, "bind threads to processors; auto: if each has its own", 0 },
    { "csv", 'o', "FILE", 0, "write every sample to FILE as tidy CSV", 0 },
    { "replace", 'f', 0, 0, "write over FILE if it is there", 0 },
    { 0 },
};

/* 0, or -1 and a mistake. */
static int parse_seconds(const char *what, const char *text, double least, double most, double *out,
                         struct mistake *m)
{
    char *end;
    double value = strtod(text, &end);

    if (end == text || *end || !(value >= least && value <= most))
        return mistake_set(m, "%s: '%s' is not a number of seconds from %g to %g", what, text,
                           least, most);
    *out = value;
    return 0;
}

static int parse_bind(const char *text, const char **out, struct mistake *m)
{
    *out = text;
    if (!strcmp(text, "auto") || !strcmp(text, "yes") || !strcmp(text, "no"))
        return 0;
    return mistake_set(m, "--bind: '%s' is not one of auto, yes, no", text);
}

static int take(void *input, int key, char *value, struct mistake *m)
{
    struct options *o = input;

    switch (key) {
    case 'w':
        return parse_workloads(value, &o->workload, m);
    case 'm':
        return parse_modes(value, &o->mode, m);
    case 'p':
        return parse_policies(value, &o->policy, m);
    case 'g':
        return parse_locks(value, &o->gil, m);
    case 'H':
        return parse_heaps(value, &o->heap, m);
    case 't':
        return parse_numbers("--threads", value, 0, THREADS_MOST, &o->threads, m);
    case 'r':
        return parse_number("--rounds", value, 1, ROUNDS_MAX, &o->rounds, m);
    case 'W':
        return parse_seconds("--window", value, 0.001, 3600, &o->window_s, m);
    case 'R':
        return parse_seconds("--ramp", value, 0, 3600, &o->ramp_s, m);
    case 'T':
        return parse_seconds("--timeout", value, 0.001, 86400, &o->timeout_s, m);
    case 'b':
        return parse_bind(value, &o->bind, m);
    case 'o':
        o->csv = value;
        return 0;
    default: /* --replace */
        o->replace = true;
        return 0;
    }
}

/* Adds to the modes each policy with each lock. */
static int cross_modes(struct options *o, struct mistake *m)
{
    char text[LIST_MAX * LABEL_MAX];
    size_t used = 0;

    if (!o->policy.count && !o->gil.count)
        return 0;
    if (!o->policy.count || !o->gil.count)
        return mistake_set(m, "--policy and --gil go together; or give pairs: --mode biased+none");
    for (int p = 0; p < o->policy.count; p++)
        for (int g = 0; g < o->gil.count; g++) {
            used += (size_t)snprintf(text + used, sizeof text - used, "%s%s+%s", used ? "," : "",
                                     o->policy.item[p].label, o->gil.item[g].label);
            if (used >= sizeof text)
                return mistake_set(m, "--policy and --gil: more than %d pairs", LIST_MAX);
        }
    if (o->mode.count)
        return mistake_set(m, "--mode and --policy with --gil exclude one another");
    return parse_modes(text, &o->mode, m);
}

/* What was not said is as in the first picture that everybody wants to see. */
static int fill_in(struct options *o, struct mistake *m)
{
    if (cross_modes(o, m) < 0)
        return -1;
    if (!o->workload.count && parse_workloads("fib,fib_shared,sleep,echo", &o->workload, m) < 0)
        return -1;
    if (!o->mode.count && parse_modes("gil,atomic,biased,nolock", &o->mode, m) < 0)
        return -1;
    if (!o->heap.count && parse_heaps("jemalloc", &o->heap, m) < 0)
        return -1;
    if (!o->threads.count && parse_numbers("--threads", "1,2,4,8", 1, 8, &o->threads, m) < 0)
        return -1;
    if (o->timeout_s == 0)
        o->timeout_s = 10 * (o->window_s + o->ramp_s) + 10;
    return 0;
}

static size_t count_cells(const struct options *o)
{
    return (size_t)o->workload.count * (size_t)o->mode.count * (size_t)o->heap.count *
           (size_t)o->threads.count;
}

static void lay_out_cells(struct session *s)
{
    const struct options *o = s->options;
    struct outcome *next = s->results.outcome;

    for (int w = 0; w < o->workload.count; w++)
        for (int h = 0; h < o->heap.count; h++)
            for (int m = 0; m < o->mode.count; m++)
                for (int t = 0; t < o->threads.count; t++)
                    cell_init(&next++->cell, &o->workload.item[w], &o->mode.item[m],
                              o->heap.item[h].label, (int)o->threads.item[t]);
}

static FILE *open_csv(const struct options *o, struct mistake *m)
{
    FILE *csv = fopen(o->csv, o->replace ? "w" : "wx");

    if (!csv && errno == EEXIST)
        mistake_set(m, "--csv: '%s' is there already; --replace writes over it", o->csv);
    else if (!csv)
        mistake_set(m, "--csv: '%s' cannot be written: %s", o->csv, strerror(errno));
    else {
        csv_write_head(csv);
        if (!ferror(csv) && fflush(csv) == 0)
            return csv;
        mistake_set(m, "--csv: '%s' cannot be written: %s", o->csv, strerror(errno));
        fclose(csv);
    }
    return NULL;
}

static bool binds(const struct session *s, const struct cell *cell)
{
    if (strcmp(s->options->bind, "auto"))
        return !strcmp(s->options->bind, "yes");
    return cell_workers(cell) <= s->results.cores;
}

static void store(struct session *s, const struct cell *cell, const struct measurement *m,
                  int round, bool audit)
{
    char when[32];
    time_t now = time(NULL);
    struct occasion occasion = { .round = round, .order = ++s->order, .audit = audit,
                                 .cores = s->results.cores, .when = when };

    strftime(when, sizeof when, "%Y-%m-%dT%H:%M:%SZ", gmtime(&now));
    if (s->csv)
        csv_write(s->csv, cell, m, &occasion);
}

/* -1: interrupted. */
static int run_one(struct session *s, struct outcome *outcome, int round, bool audit)
{
    const struct options *o = s->options;
    struct window window = { (uint64_t)(o->ramp_s * NS_PER_S), (uint64_t)(o->window_s * NS_PER_S),
                             binds(s, &outcome->cell) };
    struct measurement *m = audit ? &outcome->audit : &outcome->round[outcome->rounds];
    char what[3 * LABEL_MAX];

    cell_describe(&outcome->cell, what, sizeof what);
    progress_next(&s->progress, what);
    if (child_measure(&outcome->cell, &window, audit, (uint64_t)(o->timeout_s * NS_PER_S),
                      &interrupted, m) < 0)
        return -1;
    store(s, &outcome->cell, m, round, audit);
    outcome->audited |= audit;
    outcome->rounds += !audit;
    return 0;
}

/* Every second round runs backwards (A B C, C B A), so that a drift of the machine
 * falls on all cells alike. */
static int run_round(struct session *s, int round)
{
    size_t count = s->results.count;

    for (size_t i = 0; i < count; i++) {
        struct outcome *o = &s->results.outcome[round % 2 ? i : count - 1 - i];

        if (!cell_refusal(&o->cell) && run_one(s, o, round, false) < 0)
            return -1;
    }
    return 0;
}

static bool to_audit(const struct cell *cell)
{
    return cell_miscounts(cell) && cell->audited && !cell_refusal(cell);
}

/* In windows of their own: tallying costs time. */
static int run_audits(struct session *s)
{
    for (size_t i = 0; i < s->results.count; i++) {
        struct outcome *o = &s->results.outcome[i];

        if (to_audit(&o->cell) && run_one(s, o, 0, true) < 0)
            return -1;
    }
    return 0;
}

static void store_refusals(struct session *s)
{
    for (size_t i = 0; i < s->results.count; i++) {
        const struct cell *cell = &s->results.outcome[i].cell;
        struct measurement m = { .status = STATUS_SKIPPED };

        if (cell_refusal(cell)) {
            snprintf(m.note, sizeof m.note, "%s", cell_refusal(cell));
            store(s, cell, &m, 0, false);
        }
    }
}

static size_t count_windows(const struct session *s)
{
    size_t windows = 0;

    for (size_t i = 0; i < s->results.count; i++) {
        const struct cell *cell = &s->results.outcome[i].cell;

        if (!cell_refusal(cell))
            windows += (size_t)s->results.rounds + to_audit(cell);
    }
    return windows;
}

static void run_all(struct session *s)
{
    const struct options *o = s->options;

    progress_begin(&s->progress, count_windows(s),
                   (uint64_t)((o->window_s + o->ramp_s + 0.05) * NS_PER_S));
    store_refusals(s);
    for (int round = 1; round <= s->results.rounds; round++)
        if (run_round(s, round) < 0)
            break;
    if (!interrupted)
        run_audits(s);
    progress_end(&s->progress);
}

static bool any_failed(const struct results *r)
{
    for (size_t i = 0; i < r->count; i++) {
        const struct outcome *o = &r->outcome[i];

        if (o->audited && !measured(&o->audit))
            return true;
        for (int k = 0; k < o->rounds; k++)
            if (!measured(&o->round[k]))
                return true;
    }
    return false;
}

/* 0, or the exit status of what went wrong. */
static int finish(struct session *s)
{
    int status = any_failed(&s->results);

    table_print(&s->results, stdout);
    answer_print(&s->results, stdout);
    if (s->csv && (ferror(s->csv) | fclose(s->csv))) {
        fprintf(stderr, "lab run: not every sample could be written to '%s'\n", s->options->csv);
        status = 1;
    }
    if (interrupted)
        fprintf(stderr, "lab run: interrupted; what is above and in the CSV was finished\n");
    results_free(&s->results);
    return interrupted ? 130 : status;
}

static int measure_all(struct options *o)
{
    struct session s = { .options = o };
    struct mistake m;

    if (fill_in(o, &m) < 0 || topology_load(&m) < 0)
        mistake_exit("lab run", &m);
    if (count_cells(o) > CELLS_MOST) {
        mistake_set(&m, "%zu cells are too many; at most %d", count_cells(o), CELLS_MOST);
        mistake_exit("lab run", &m);
    }
    if (o->csv && !(s.csv = open_csv(o, &m)))
        mistake_exit("lab run", &m);
    if (results_init(&s.results, count_cells(o), (int)o->rounds, topology_pus()) < 0) {
        fprintf(stderr, "lab run: %s\n", strerror(errno));
        return 1;
    }
    lay_out_cells(&s);
    sigaction(SIGINT, &(struct sigaction){ .sa_handler = interrupt }, NULL);
    sigaction(SIGTERM, &(struct sigaction){ .sa_handler = interrupt }, NULL);
    run_all(&s);
    return finish(&s);
}

static int run(const struct command *self, int argc, char **argv)
{
    struct options *o = calloc(1, sizeof *o);
    int status;

    if (!o)
        return 1;
    *o = (struct options){ .rounds = 5, .window_s = 0.25, .ramp_s = 0.05, .bind = "auto" };
    options_parse(self, argc, argv, o);
    status = measure_all(o);
    free(o);
    return status;
}

static const struct explained statuses[] = {
    { "130", "interrupted; what was finished until then has been shown" },
    { NULL, NULL },
};

const struct command command_run = {
    .about = "measure every combination of the dials, and say what was found",
    .doc = "Measures every combination of the dials: each cell in a fresh process, the windows of "
           "the cells interleaved. Without options: the comparison that `make run` shows.",
    .options = described,
    .take = take,
    .statuses = statuses,
    .run = run,
};
