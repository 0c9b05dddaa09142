/* status.c - `lab status`: which runs a results file holds, and how far they are. */
#include "lab/command.h"
#include "lab/json.h"
#include "lab/options.h"
#include "lab/progress.h"
#include "lab/store.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* What is wanted at least: a cell that failed again and again wants no more. */
static const char query[] =
    "WITH counts AS ("
    "  SELECT c.run, c.refusal, c.miscounts, r.rounds_least AS planned,"
    "         (SELECT count(*) FROM windows w WHERE w.cell = c.cell AND w.kind = 'timed') AS timed,"
    "         (SELECT count(*) FROM windows w WHERE w.cell = c.cell AND w.kind = 'timed'"
    "          AND w.status NOT IN ('ok', 'early')) AS failed,"
    "         (SELECT coalesce(sum(took_s), 0) FROM windows w WHERE w.cell = c.cell"
    "          AND w.kind = 'timed') AS took_s"
    "  FROM cells c JOIN runs r USING (run)) "
    "SELECT r.run, r.uuid, r.matrix, m.host, r.started, r.ended, r.pid,"
    "  (SELECT count(*) FROM counts n WHERE n.run = r.run) AS cells,"
    "  (SELECT sum(timed) FROM counts n WHERE n.run = r.run) AS windows,"
    "  (SELECT sum(failed) FROM counts n WHERE n.run = r.run) AS failed,"
    "  (SELECT sum(max(planned - timed, 0)) FROM counts n WHERE n.run = r.run"
    "   AND refusal IS NULL) AS missing,"
    "  (SELECT sum(took_s) / max(sum(timed), 1) FROM counts n WHERE n.run = r.run) AS each_s,"
    "  r.window_s + r.ramp_s AS planned_s "
    "FROM runs r JOIN machines m USING (machine) ORDER BY r.run";

struct options {
    bool json;
};

/* One run, as the query has it. */
struct progress_of {
    long long run, pid, cells, windows, failed, missing;
    const char *uuid, *matrix, *host, *started, *ended, *state;
    double left_s;
};

static const char *text_of(sqlite3_stmt *q, int column)
{
    return (const char *)sqlite3_column_text(q, column);
}

/* Some process writes to a file that is busy; whether to this run, its own process tells. */
static struct progress_of read_row(sqlite3_stmt *q, bool busy)
{
    struct progress_of p = {
        .run = sqlite3_column_int64(q, 0),
        .uuid = text_of(q, 1),
        .matrix = text_of(q, 2),
        .host = text_of(q, 3),
        .started = text_of(q, 4),
        .ended = text_of(q, 5),
        .pid = sqlite3_column_int64(q, 6),
        .cells = sqlite3_column_int64(q, 7),
        .windows = sqlite3_column_int64(q, 8),
        .failed = sqlite3_column_int64(q, 9),
        .missing = sqlite3_column_int64(q, 10),
    };
    double each_s = sqlite3_column_double(q, 11);

    p.left_s = (double)p.missing * (p.windows ? each_s : sqlite3_column_double(q, 12));
    /* Only the run that goes on has a pid: see store_resume. */
    p.state = p.ended ? "finished" : busy && p.pid ? "running" : "stopped";
    return p;
}

static int print_run(const struct progress_of *p)
{
    char left[24] = "-";

    if (!p->ended)
        human_time(p->left_s, left, sizeof left);
    printf("%4lld  %-14.14s %-12.12s %-8s %6lld %8lld %6lld %7lld %8s  %.16s\n", p->run, p->matrix,
           p->host ? p->host : "-", p->state, p->cells, p->windows, p->failed, p->missing, left,
           p->started);
    return 0;
}

static json_t *run_json(const struct progress_of *p)
{
    return json_pack("{s:I, s:o, s:o, s:o, s:s, s:I, s:I, s:I, s:I, s:o, s:o, s:o}", "run",
                     (json_int_t)p->run, "uuid", json_text(p->uuid), "matrix", json_text(p->matrix),
                     "host", json_text(p->host), "state", p->state, "cells", (json_int_t)p->cells,
                     "windows", (json_int_t)p->windows, "failed", (json_int_t)p->failed, "missing",
                     (json_int_t)p->missing, "left_s",
                     p->ended ? json_null() : json_finite(p->left_s), "started",
                     json_text(p->started), "ended", json_text(p->ended));
}

/* Prints each run, or gathers them into `array`. 0, or -1 and errno in the database. */
static int each_run(sqlite3_stmt *q, bool busy, json_t **array)
{
    int status;

    while ((status = sqlite3_step(q)) == SQLITE_ROW) {
        struct progress_of p = read_row(q, busy);

        if (*array)
            *array = json_with(*array, run_json(&p));
        else
            print_run(&p);
    }
    return status == SQLITE_DONE ? 0 : -1;
}

static int take(void *input, int key, char *value, struct mistake *m)
{
    return options_take_flag(&((struct options *)input)->json, key, value, m);
}

static int run(const struct command *self, int argc, char **argv)
{
    struct options o = { false };
    const char *path = argv[options_parse(self, argc, argv, &o)];
    bool busy = store_is_busy(path);
    struct mistake m;
    struct store *store = store_open(path, STORE_READ, &m);
    sqlite3_stmt *q = NULL;
    json_t *array = NULL;
    int status;

    if (!store)
        mistake_exit(argv[0], &m);
    if (o.json)
        array = json_array();
    else
        printf("%4s  %-14s %-12s %-8s %6s %8s %6s %7s %8s  %s\n", "run", "matrix", "machine",
               "state", "cells", "windows", "failed", "missing", "left", "started");
    status = sqlite3_prepare_v2(store_database(store), query, -1, &q, NULL) == SQLITE_OK
                 ? each_run(q, busy, &array)
                 : -1;
    if (status < 0)
        fprintf(stderr, "%s: %s: %s\n", argv[0], path, sqlite3_errmsg(store_database(store)));
    sqlite3_finalize(q);
    store_close(store);
    if (o.json && status == 0)
        return json_print(json_pack("{s:o}", "runs", array));
    json_decref(array);
    return status < 0;
}

static const struct argp_option described[] = { JSON_OPTION, { 0 } };

const struct command command_status = {
    .about = "which runs a results file holds, and how far they are",
    .doc = "A run is 'running' while a lab measures it, 'stopped' if it was interrupted or killed: "
           "the command that began it goes on with it. 'missing' counts windows, 'left' is the "
           "time that they will take, as long as those before did.",
    .options = described,
    .arguments = "RESULTS",
    .least = 1,
    .most = 1,
    .take = take,
    .run = run,
};
