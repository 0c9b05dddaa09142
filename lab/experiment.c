/* experiment.c - from what a user asked for to what was found. */
#include "lab/experiment.h"

#include "gil/mutex.h"
#include "lab/csv.h"
#include "lab/json.h"
#include "lab/names.h"
#include "lab/output.h"
#include "lab/progress.h"
#include "lab/session.h"
#include "lab/show.h"
#include "lab/trace.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { KEY_AGAIN = 0x100, KEY_TRACE, KEY_WATCHDOG };

const struct argp_option experiment_options[] = {
    { "workload", 'w', "LIST", 0, "what is run: see `lab list workloads`; or all", 0 },
    { "mode", 'm', "LIST", 0,
      "gil, atomic, nolock, POLICY+LOCK, POLICY+all, or a policy that needs no lock", 0 },
    { "policy", 'p', "LIST", 0, "refcount policies, or all; each with each --gil", 0 },
    { "gil", 'g', "LIST", 0, "global locks, as interval:interval_us=500, or all; with --policy", 0 },
    { "heap", 'H', "LIST", 0, "where objects come from (jemalloc)", 0 },
    { "unit", 'U', "LIST", 0,
      "what the workers are: thread (the usual), or others of `lab list units`", 0 },
    { "units", 'N', "LIST", 0, "how many of these, on all threads together (100)", 0 },
    { "threads", 't', "LIST", 0, "how many: 1,2,4 or 1..8 or 1..2*cores", 0 },
    { "build", 'B', "LIST", 0, "paths of builds of the lab to compare; self is this one", 0 },
    { "rounds", 'r', "N|N..M", 0,
      "windows of each cell; up to M, or five times N, where --precision wants it (5)",
      0 },
    { "window", 'W', "TIME", 0, "how long each is measured, as 0.25 or 250ms (0.25)", 0 },
    { "ramp", 'R', "TIME", 0, "how long it runs before that (0.05)", 0 },
    { "precision", 'P', "SHARE", 0,
      "a cell has enough when its interval is within this share of its median, as 3%", 0 },
    { "budget", 'u', "TIME", 0, "or when it has used its share of this, as 5min", 0 },
    { "order", 'O', "WORD", 0, "of a round's windows: shuffled (the usual), pairs or sorted", 0 },
    { "seed", 's', "N", 0, "of that order (1)", 0 },
    { "timeout", 'T', "TIME", 0, "when a cell's process is ended (10 windows and 10 s)", 0 },
    { "memory", 'M', "SIZE", 0, "what a cell's process may use (half of what is free)", 0 },
    { "bind", 'b', "WORD", 0,
      "threads to processors: yes, no, apart by their roles, or auto: if each has its own", 0 },
    { "control", 'c', "WORD", 0,
      "measure the noise floor beside the cells: yes, no, or auto: if there are two", 0 },
    { "stats", 'S', NULL, 0,
      "beside each cell a window that counts who contends for which object, and for the lock", 0 },
    { "results", 'd', "FILE", 0, "keep everything in this results file, and resume from it", 0 },
    { "again", KEY_AGAIN, NULL, 0, "begin another run, though the file has this one", 0 },
    { "dry-run", 'n', NULL, 0, "say what would be measured, and how long it would take", 0 },
    JSON_OPTION,
    { "csv", 'o', "FILE", 0, "write every sample to FILE as tidy CSV, too", 0 },
    { "trace", KEY_TRACE, "FILE", 0,
      "beside each cell a window of which FILE says, for Perfetto, who ran and who waited", 0 },
    { "replace", 'f', NULL, 0, "write over that FILE if it is there", 0 },
    { "watchdog", KEY_WATCHDOG, "TIME", 0,
      "name each thread that passes no safe point for so long, as 1s", 0 },
    { 0 },
};

static volatile int interrupted; /* the signal that did it */

static void interrupt(int signal)
{
    interrupted = signal;
}

/* A run may last for hours: it is ended in order by whatever asks for it, and goes on, for
 * what it measures is in the file, if nobody reads its progress any more. Who has started it
 * by nohup(1) wants it to outlive the terminal. A file that may not grow is to be an error of
 * the write. */
static void handle_signals(void)
{
    struct sigaction hangup;

    sigaction(SIGINT, &(struct sigaction){ .sa_handler = interrupt }, NULL);
    sigaction(SIGTERM, &(struct sigaction){ .sa_handler = interrupt }, NULL);
    if (sigaction(SIGHUP, NULL, &hangup) == 0 && hangup.sa_handler != SIG_IGN)
        sigaction(SIGHUP, &(struct sigaction){ .sa_handler = interrupt }, NULL);
    signal(SIGPIPE, SIG_IGN);
    signal(SIGXFSZ, SIG_IGN);
}

void experiment_init(struct experiment *e, const char *command)
{
    *e = (struct experiment){ .command = command, .settings = settings_usual };
}

/* 0; -1 and a mistake; 1: neither a dial nor a setting. */
static int set(struct experiment *e, int letter, const char *value, struct mistake *m)
{
    int status = dials_take(&e->dials, letter, value, m);

    return status > 0 ? settings_take(&e->settings, letter, value, m) : status;
}

int experiment_take(void *input, int key, char *value, struct mistake *m)
{
    struct experiment *e = input;

    switch (key) {
    case 'd':
        e->results = value;
        return 0;
    case 'n':
        e->dry_run = true;
        return 0;
    case 'o':
        e->csv = value;
        return 0;
    case 'f':
        e->replace = true;
        return 0;
    case 'j':
        e->json = true;
        return 0;
    case KEY_TRACE:
        e->trace = value;
        return 0;
    case KEY_WATCHDOG:
        return parse_seconds("--watchdog", value, 0.01, 86400, &e->watchdog_s, m);
    case KEY_AGAIN:
        e->again = true;
        return 0;
    default:
        if (e->asks == SETTINGS_MAX)
            return mistake_set(m, "more than %d dials and settings", SETTINGS_MAX);
        e->asked[e->asks].letter = key;
        e->asked[e->asks++].value = value;
        return 0;
    }
}

/* What to do with the results is not for a matrix to say. */
bool experiment_withheld(const void *entry)
{
    const struct argp_option *o = entry;

    return o->key > 'z' || strchr("dnofj", o->key);
}

int experiment_set(struct experiment *e, const char *name, const char *value, struct mistake *m)
{
    struct names names = NAMES_OF("key", experiment_options);
    int i;

    names.hidden = experiment_withheld;
    i = names_find(&names, name, m);
    if (i < 0)
        return -1;
    if (names_hidden(&names, i))
        return mistake_set(m, "'%s' is an option of the command line, not of a matrix", name);
    return set(e, experiment_options[i].key, value, m);
}

static const char *name_of(int letter)
{
    const struct argp_option *o = experiment_options;

    while (o->key != letter)
        o++;
    return o->name;
}

/* Modes can be said in two ways, as such or as policies with locks: the one that was asked for
 * replaces the other of a file. */
static void drop_other_way(struct experiment *e)
{
    for (int i = 0; i < e->asks; i++)
        if (e->asked[i].letter == 'm')
            e->dials.policy.count = e->dials.gil.count = 0;
        else if (e->asked[i].letter == 'p' || e->asked[i].letter == 'g')
            e->dials.mode.count = 0;
}

/* What was asked for on the command line goes before what was there. A mistake begins with the
 * option. */
static int set_asked(struct experiment *e, struct mistake *m)
{
    drop_other_way(e);
    for (int i = 0; i < e->asks; i++) {
        const char *name = name_of(e->asked[i].letter);
        struct mistake its;

        if (set(e, e->asked[i].letter, e->asked[i].value, &its) == 0)
            continue;
        return strncmp(its.text, name, strlen(name)) ? mistake_set(m, "%s", its.text)
                                                     : mistake_set(m, "--%s", its.text);
    }
    return 0;
}

int experiment_plan(struct experiment *e, struct plan *plan, struct mistake *m)
{
    if (set_asked(e, m) < 0 || dials_complete(&e->dials, m) < 0)
        return -1;
    return plan_make(plan, e->name, e->source, &e->dials, &e->settings, e->excluded, e->with, m);
}

/* A run under way. */
struct under_way {
    const struct experiment *experiment;
    struct plan plan;
    struct results results;
    struct session session;
    bool resumed;
};

static FILE *open_csv(const struct experiment *e, struct mistake *m)
{
    FILE *csv;

    /* Not results, nor the matrix that is being measured. */
    if (e->replace && !output_may_replace(e->csv, "machine,run,")) {
        mistake_set(m, "--csv: '%s' is there and is no CSV of the lab; it is not replaced", e->csv);
        return NULL;
    }
    csv = fopen(e->csv, e->replace ? "w" : "wx");
    if (!csv && errno == EEXIST)
        mistake_set(m, "--csv: '%s' is there already; --replace writes over it", e->csv);
    else if (!csv)
        mistake_set(m, "--csv: '%s' cannot be written: %s", e->csv, strerror(errno));
    else
        setvbuf(csv, NULL, _IOLBF, 0);
    return csv;
}

/* The head, what is not run, and what an earlier part of the run has measured. */
static int begin_csv(struct under_way *u, struct mistake *m)
{
    struct session *s = &u->session;
    sqlite3_stmt *rows = store_tidy(s->store, s->run, 0, 0, m);

    if (!rows)
        return -1;
    csv_write_names(s->csv, rows);
    if (session_csv(s, 0, 0, m) < 0)
        return -1;
    if (!ferror(s->csv) && fflush(s->csv) == 0)
        return 0;
    mistake_set(m, "--csv: '%s' cannot be written: %s", u->experiment->csv, strerror(errno));
    fclose(s->csv);
    s->csv = NULL;
    return -1;
}

/* "64 cells, 320 windows at least and 1600 at most: 2 min to 9 min" */
static void print_outlook(const struct plan *plan, const struct results *r, FILE *out)
{
    size_t least, most;
    double budget_s = plan->settings.budget_s, window_s = plan_window_s(plan), most_s;
    char text[24];

    session_windows_left(plan, r, &least, &most);
    most_s = (double)most * window_s;
    if (budget_s > 0 && most_s > budget_s)
        most_s = budget_s > (double)least * window_s ? budget_s : (double)least * window_s;
    fprintf(out, "%zu cells, %zu windows", plan->count, least);
    if (most > least)
        fprintf(out, " at least");
    fprintf(out, ": %s", human_time((double)least * window_s, text, sizeof text));
    if (most > least)
        fprintf(out, " to %s", human_time(most_s, text, sizeof text));
    fputc('\n', out);
}

static int print_dry_run(const struct under_way *u)
{
    char what[3 * LABEL_MAX];

    for (size_t i = 0; i < u->plan.count; i++) {
        const struct cell *c = &u->plan.cell[i];

        cell_describe(c, what, sizeof what);
        printf("%s%s%s\n", what, c->refusal ? ": " : "", c->refusal ? c->refusal : "");
    }
    printf("%s: ", u->plan.name);
    print_outlook(&u->plan, &u->results, stdout);
    return 0;
}

/* Whoever expected to go on with a run is told that this is another one. */
static int begin_anew(struct under_way *u, struct mistake *m)
{
    const struct experiment *e = u->experiment;
    struct session *s = &u->session;
    struct run last;
    struct mistake none;

    if (!e->again && store_find(s->store, NULL, &last, &none) == 0)
        fprintf(stderr, "%s: %s has %d run%s of other plans, machines or builds; this one begins "
                "beside\n", e->command, e->results, (int)last.id, last.id == 1 ? "" : "s");
    return store_begin(s->store, &u->plan, &s->run, m);
}

/* The run that the file has of this plan, or a new one. */
static int take_up(struct under_way *u, struct mistake *m)
{
    struct session *s = &u->session;
    struct run run = { 0 };
    int found = u->experiment->again ? 0 : store_find_plan(s->store, &u->plan, &run, m);

    if (found < 0)
        return -1;
    if (!found)
        return begin_anew(u, m);
    s->run = run.id;
    u->resumed = true;
    return store_resume(s->store, run.id, m) < 0
               ? -1 : store_load_windows(s->store, &run, &u->results, &s->sequence, m);
}

static bool any_failed(const struct results *r)
{
    for (size_t i = 0; i < r->count; i++) {
        const struct outcome *o = &r->outcome[i];

        if ((o->audit && !measured(o->audit)) || (o->stats && !measured(o->stats)))
            return true;
        for (int k = 0; k < o->rounds; k++)
            if (!measured(&o->round[k]))
                return true;
    }
    return false;
}

static bool same_file(const char *a, const char *b)
{
    return a && b && strcmp(a, b) == 0;
}

/* Two that go into one file would lose each other's; and where one cannot be written, no other
 * is begun. */
static int check_outputs(const struct experiment *e, struct mistake *m)
{
    if (same_file(e->csv, e->trace))
        return mistake_set(m, "--csv and --trace are both '%s'; each needs a file of its own", e->csv);
    if (same_file(e->results, e->csv) || same_file(e->results, e->trace))
        return mistake_set(m, "--%s and --results are both '%s'; each needs a file of its own",
                           same_file(e->results, e->csv) ? "csv" : "trace", e->results);
    return output_check("--csv", e->csv, e->replace, m) < 0
               ? -1 : output_check("--trace", e->trace, e->replace, m);
}

/* Before anything is measured: so that nothing is measured in vain. The results file first: if
 * another lab writes to it, the CSV may be that one's. */
static int open_all(struct under_way *u, struct mistake *m)
{
    const struct experiment *e = u->experiment;

    if (check_outputs(e, m) < 0)
        return -1;
    handle_signals();
    u->session.store = store_open(e->results ? e->results : ":memory:", STORE_WRITE, m);
    if (!u->session.store || (e->csv && !(u->session.csv = open_csv(e, m))) ||
        (e->trace && !(u->session.trace = trace_begin(e->trace, e->replace, m))) ||
        take_up(u, m) < 0)
        return -1;
    u->session.trace_path = e->trace;
    u->session.watchdog_ns = (uint64_t)(e->watchdog_s * NS_PER_S);
    return e->csv ? begin_csv(u, m) : 0;
}

static int close_all(struct under_way *u)
{
    struct mistake m;
    int status = 0;

    if (u->session.trace && trace_end(u->session.trace, &m) < 0) {
        fprintf(stderr, "%s: %s\n", u->experiment->command, m.text);
        status = 1;
    }

    if (u->session.csv && (ferror(u->session.csv) | fclose(u->session.csv))) {
        fprintf(stderr, "%s: not every sample could be written to '%s'\n",
                u->experiment->command, u->experiment->csv);
        status = 1;
    }
    store_close(u->session.store);
    results_free(&u->results);
    plan_free(&u->plan);
    return status;
}

/* Where the results are, and what can still be had of them. */
static void print_ending(const struct under_way *u, int status, const struct mistake *m)
{
    const struct experiment *e = u->experiment;

    if (status < 0)
        fprintf(stderr, "%s: %s\n", e->command, m->text);
    if (status > 0 && e->results)
        fprintf(stderr, "%s: interrupted; what was finished is in %s, and the same command%s goes "
                "on\n", e->command, e->results,
                (e->csv || e->trace) && !e->replace ? " with --replace" : "");
    else if (status > 0)
        fprintf(stderr, "%s: interrupted; what is above%s was finished\n", e->command,
                e->csv ? " and in the CSV" : "");
}

static int measure_plan(struct under_way *u)
{
    struct session *s = &u->session;
    struct mistake m;
    size_t least, most;
    int status, status_of_json = 0;

    session_windows_left(&u->plan, &u->results, &least, &most);
    if (u->resumed)
        fprintf(stderr, "%s: %s has %s; --again measures anew\n", u->experiment->command,
                u->experiment->results, least ? "a part of this run, and it goes on"
                                              : "all of this run");
    s->interrupted = &interrupted;
    status = session_run(s, &m);
    if (status == 0)
        status = store_end(s->store, s->run, &m);
    if (u->experiment->json) {
        status_of_json = show_json(s->store, s->run, &u->results);
    } else {
        table_print(&u->results, stdout);
        if (u->plan.settings.stats)
            show_stats(&u->results, stdout);
        answer_print(&u->results, stdout);
    }
    fflush(stdout);
    print_ending(u, status, &m);
    if (status)
        return status < 0 ? 1 : 128 + interrupted;
    return status_of_json || any_failed(&u->results) || s->untraced;
}

int experiment_run(struct experiment *e)
{
    struct under_way u = { .experiment = e };
    struct mistake m;
    int status, closed;

    if (experiment_plan(e, &u.plan, &m) < 0)
        mistake_exit(e->command, &m);
    if (results_init(&u.results, u.plan.cell, u.plan.count, u.plan.cores,
                     u.plan.settings.precision) < 0) {
        mistake_set(&m, "no memory for %zu cells", u.plan.count);
        mistake_exit(e->command, &m);
    }
    u.session = (struct session){ .plan = &u.plan, .results = &u.results };
    if (!e->dry_run && open_all(&u, &m) < 0) {
        close_all(&u);
        mistake_exit(e->command, &m);
    }
    status = e->dry_run ? print_dry_run(&u) : measure_plan(&u);
    closed = close_all(&u);
    return status ? status : closed;
}
