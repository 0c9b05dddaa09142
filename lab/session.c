/* session.c - measures the cells of a plan. */
#include "lab/session.h"

#include "gil/mutex.h"
#include "lab/child.h"
#include "lab/csv.h"
#include "lab/progress.h"
#include "lab/pulse.h"

#include <stdlib.h>
#include <string.h>
#include <time.h>

/* So many windows of a cell may fail in a row; then it is not tried again. One that hangs
 * would cost its time limit in each round. */
enum { FAILURES_MOST = 2 };

/* The rest of what a session keeps while it runs. */
struct running {
    struct session *session;
    struct progress progress;
    char what[3 * LABEL_MAX]; /* is measured now */
    uint32_t *order;
};

static bool fails_always(const struct outcome *o)
{
    int failures = 0;

    for (int k = o->rounds - 1; k >= 0 && !measured(&o->round[k]); k--)
        failures++;
    return failures >= FAILURES_MOST;
}

static double time_spent_s(const struct outcome *o)
{
    double spent_s = 0;

    for (int k = 0; k < o->rounds; k++)
        spent_s += o->round[k].occasion.took_s;
    return spent_s;
}

static bool precise(const struct outcome *o, double precision)
{
    struct estimate rate = outcome_rate(o);

    return rate.count > 1 && rate.high - rate.low <= 2 * precision * rate.median;
}

/* Whether the cell is to have a window in this block, for its own sake. */
static bool wants(const struct plan *plan, const struct outcome *o, int block)
{
    const struct settings *s = &plan->settings;

    if (o->cell.refusal || o->rounds >= block || block > s->rounds_most || fails_always(o))
        return false;
    if (block <= s->rounds_least)
        return true;
    if (s->budget_s > 0 && time_spent_s(o) >= s->budget_s / (double)plan->count)
        return false;
    return s->precision > 0 ? !precise(o, s->precision) : s->budget_s > 0;
}

/* Whether the controls go as far as this block: beyond the least, if any other cell does or
 * did. The floor must be as well known as what it is compared with. */
static bool controls_go_on(const struct plan *plan, const struct results *r, int block)
{
    for (size_t i = 0; i < r->count; i++) {
        const struct outcome *o = &r->outcome[i];

        if (!o->cell.control && (o->rounds >= block || wants(plan, o, block)))
            return true;
    }
    return false;
}

static bool takes_part(const struct plan *plan, const struct outcome *o, int block, bool controls)
{
    if (o->cell.control && block > plan->settings.rounds_least)
        return controls && o->rounds < block && !fails_always(o);
    return wants(plan, o, block);
}

/* What always fails would take its time limit once more. */
static bool wants_audit(const struct outcome *o)
{
    return cell_audits(&o->cell) && !o->audit && !fails_always(o);
}

static bool wants_stats(const struct plan *plan, const struct outcome *o)
{
    return plan->settings.stats && !o->cell.control && !o->cell.refusal && !o->stats &&
           !fails_always(o);
}

/* Also of a run that is finished. */
static bool wants_trace(const struct session *s, const struct outcome *o)
{
    return s->trace && !o->cell.control && !o->cell.refusal && !fails_always(o);
}

/* How many cells take part in this block. */
static size_t wanted(const struct plan *plan, const struct results *r, int block)
{
    bool controls = controls_go_on(plan, r, block);
    size_t count = 0;

    for (size_t i = 0; i < r->count; i++)
        count += takes_part(plan, &r->outcome[i], block, controls);
    return count;
}

void session_windows_left(const struct plan *plan, const struct results *r, size_t *least,
                          size_t *most)
{
    *least = *most = 0;
    for (size_t i = 0; i < r->count; i++) {
        const struct outcome *o = &r->outcome[i];
        int rounds = plan->settings.rounds_least - o->rounds;
        int more = plan->settings.rounds_most - o->rounds;
        size_t beside = (size_t)wants_audit(o) + wants_stats(plan, o);

        if (o->cell.refusal || fails_always(o))
            continue;
        *least += (size_t)(rounds > 0 ? rounds : 0) + beside;
        *most += (size_t)(more > 0 ? more : 0) + beside;
    }
}

static void begin_occasion(struct occasion *o, enum window_kind kind, int block, int sequence)
{
    time_t now = time(NULL);

    *o = (struct occasion){ .block = block, .kind = kind, .sequence = sequence,
                            .started_ns = clock_ns() };
    strftime(o->started, sizeof o->started, "%Y-%m-%dT%H:%M:%SZ", gmtime(&now));
}

static void end_occasion(struct occasion *o, struct disturbance d)
{
    o->took_s = (double)(clock_ns() - o->started_ns) / NS_PER_S;
    o->steal = d.steal_share;
    o->busy = d.others_share;
    o->mhz = d.mhz;
}

int session_csv(struct session *s, size_t cell, int sequence, struct mistake *m)
{
    sqlite3_stmt *rows = store_tidy(s->store, s->run, cell, sequence, m);

    if (!rows)
        return -1;
    if (csv_write_rows(s->csv, rows) == SQLITE_DONE)
        return 0;
    return mistake_set(m, "cannot read back a window: %s",
                       sqlite3_errmsg(store_database(s->store)));
}

static int keep(struct session *s, size_t cell, const struct measurement *w, struct mistake *m)
{
    if (store_window(s->store, s->run, cell, w, m) < 0)
        return -1;
    return s->csv ? session_csv(s, cell, w->occasion.sequence, m) : 0;
}

static struct window window_of(const struct session *s, const struct cell *cell)
{
    struct window window = plan_window(s->plan, cell);

    window.watchdog_ns = s->watchdog_ns;
    return window;
}

/* This cell is measured next. */
static void next(struct running *r, const struct cell *cell)
{
    cell_describe(cell, r->what, sizeof r->what);
    progress_next(&r->progress, r->what);
}

/* What the cell's objects take, from a window of its own, since counting costs time; it is
 * kept with the window of the first block. An older build, which cannot count, or whatever
 * fails here that did not fail there, leaves it unknown. As session_run. */
static int count_memory(const struct child_rules *rules, const struct cell *cell,
                        struct window window, struct measurement *w)
{
    struct measurement counted;

    window.counts = true;
    if (child_measure(rules, cell, &window, WINDOW_TIMED, &counted) < 0)
        return 1;
    w->counted = measured(&counted) && counted.counted;
    w->memory = counted.memory;
    measurement_free(&counted);
    return 0;
}

/* Which cell its child is, for what that notes: one is measured at a time. */
static struct running *noting;

/* On a terminal the line of progress is written over, and comes again with the next window. */
static void pass_on(const char *text)
{
    if (noting->progress.terminal)
        fprintf(stderr, "\r\033[K");
    fprintf(stderr, "%s: %s\n", noting->what, text);
}

static struct child_rules rules_of(struct running *r)
{
    const struct session *s = r->session;
    const struct settings *t = &s->plan->settings;

    noting = r;
    return (struct child_rules){ .time_ns = (uint64_t)(t->timeout_s * NS_PER_S),
                                 .memory_bytes = t->memory_bytes,
                                 .interrupted = s->interrupted,
                                 .note = pass_on };
}

/* How it fared at the lock, from a window of its own, too, in the usual build: one that
 * counts is slower, and holds the lock for longer. As session_run. */
static int watch_lock(const struct child_rules *rules, const struct cell *cell,
                      struct window window, struct measurement *w)
{
    struct measurement watched;

    window.watches = true;
    if (child_measure(rules, cell, &window, WINDOW_TIMED, &watched) < 0)
        return 1;
    if (measured(&watched) && watched.samples == w->samples) {
        w->turns = watched.turns;
        watched.turns = NULL;
    }
    measurement_free(&watched);
    return 0;
}

/* One window of one cell; those that are not timed have block 0. As session_run. */
static int run_window(struct running *r, size_t cell, enum window_kind kind, int block,
                      struct mistake *m)
{
    struct session *s = r->session;
    struct outcome *o = &s->results->outcome[cell];
    struct window window = window_of(s, &o->cell);
    struct child_rules rules = rules_of(r);
    struct pulse before, after;
    struct measurement w, *kept;
    struct occasion occasion;

    /* Without a build that counts objects there is still the lock. */
    window.watches = kind == WINDOW_STATS && !o->cell.counting;
    next(r, &o->cell);
    begin_occasion(&occasion, kind, block, s->sequence + 1);
    pulse_take("", &before);
    if (child_measure(&rules, &o->cell, &window, kind, &w) < 0)
        return 1;
    pulse_take("", &after);
    end_occasion(&occasion, pulse_between(&before, &after));
    w.occasion = occasion;
    if (block == 1 && !o->cell.control && measured(&w) &&
        count_memory(&rules, &o->cell, window, &w)) {
        measurement_free(&w);
        return 1;
    }
    if (kind == WINDOW_STATS && !window.watches && measured(&w) &&
        watch_lock(&rules, &o->cell, window, &w)) {
        measurement_free(&w);
        return 1;
    }
    kept = outcome_window(o, kind);
    if (!kept) {
        measurement_free(&w);
        return mistake_set(m, "no memory for another window");
    }
    *kept = w;
    s->sequence++;
    return keep(s, cell, kept, m);
}

/* Nothing of it is kept but the trace: to be traced costs a little time. As session_run. */
static int trace_cell(struct running *r, size_t cell, struct mistake *m)
{
    struct session *s = r->session;
    const struct cell *c = &s->results->outcome[cell].cell;
    struct window window = window_of(s, c);
    struct child_rules rules = rules_of(r);
    struct measurement w;
    int status = 0;

    next(r, c);
    trace_clear_part(s->trace);
    window.trace = s->trace_path;
    window.trace_number = (int)cell + 1;
    if (child_measure(&rules, c, &window, WINDOW_TIMED, &w) < 0)
        return 1;
    if (measured(&w)) {
        status = trace_take_part(s->trace, window.trace_number, r->what, m);
    } else {
        char note[NOTE_BYTES + 40];

        snprintf(note, sizeof note, "not traced: %s: %s", status_name(w.status), w.note);
        pass_on(note);
        trace_clear_part(s->trace);
        s->untraced++;
    }
    measurement_free(&w);
    return status;
}

/* The cells are asked again as their turn comes: none of them has changed its mind, for only
 * its own windows could. */
static int run_block(struct running *r, int block, struct mistake *m)
{
    const struct plan *plan = r->session->plan;
    const struct results *results = r->session->results;
    bool controls = controls_go_on(plan, results, block);
    int status = 0;

    plan_order(plan, block, r->order);
    for (size_t i = 0; i < plan->count && status == 0; i++)
        if (takes_part(plan, &results->outcome[r->order[i]], block, controls))
            status = run_window(r, r->order[i], WINDOW_TIMED, block, m);
    return status;
}

/* In windows of their own: tallying costs time. */
static int run_beside(struct running *r, struct mistake *m)
{
    const struct plan *plan = r->session->plan;
    const struct outcome *o = r->session->results->outcome;
    int status = 0;

    for (size_t i = 0; i < plan->count && status == 0; i++)
        if (wants_audit(&o[i]))
            status = run_window(r, i, WINDOW_AUDIT, 0, m);
    for (size_t i = 0; i < plan->count && status == 0; i++)
        if (wants_stats(plan, &o[i]))
            status = run_window(r, i, WINDOW_STATS, 0, m);
    for (size_t i = 0; i < plan->count && status == 0; i++)
        if (wants_trace(r->session, &o[i])) {
            progress_more(&r->progress, 1);
            status = trace_cell(r, i, m);
        }
    return status;
}

static int most_rounds(const struct results *r)
{
    int most = 0;

    for (size_t i = 0; i < r->count; i++)
        if (r->outcome[i].rounds > most)
            most = r->outcome[i].rounds;
    return most;
}

static int run_all(struct running *r, struct mistake *m)
{
    const struct plan *plan = r->session->plan;
    int there = most_rounds(r->session->results), status = 0;

    for (int block = 1; block <= plan->settings.rounds_most && status == 0; block++) {
        size_t windows = wanted(plan, r->session->results, block);

        if (!windows && block > there)
            break;
        if (block > plan->settings.rounds_least)
            progress_more(&r->progress, windows);
        if (windows)
            status = run_block(r, block, m);
    }
    return status ? status : run_beside(r, m);
}

int session_run(struct session *s, struct mistake *m)
{
    struct running r = { .session = s };
    size_t least, most;
    int status;

    r.order = calloc(s->plan->count, sizeof *r.order);
    if (!r.order)
        return mistake_set(m, "no memory for %zu cells", s->plan->count);
    session_windows_left(s->plan, s->results, &least, &most);
    progress_begin(&r.progress, least, (uint64_t)(plan_window_s(s->plan) * NS_PER_S));
    status = run_all(&r, m);
    progress_end(&r.progress);
    free(r.order);
    return status;
}
