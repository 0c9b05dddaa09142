/* test_store.c - what is kept comes back as it was; which windows a session measures.
 *
 * Cells run in this same program, as they do in the lab: called as `lab cell`, it is one that
 * measures nothing, and says what the test wants of a cell of so many threads.
 */
#include "lab/experiment.h"
#include "lab/session.h"
#include "lab/store.h"
#include "lab/topology.h"

#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

/* What the cells of a session do, by their threads. */
enum { STEADY = 1, WILD = 2, FAILS = 3 };

static struct mistake m;
static char path[] = "/tmp/test_store_XXXXXX", calls_path[] = "/tmp/test_store_XXXXXX";

static struct plan plan_of(const char *const settings[][2])
{
    static struct experiment e;
    struct plan plan;
    bool good = true;

    experiment_init(&e, "test");
    for (int i = 0; settings[i][0] && good; i++)
        good = experiment_set(&e, settings[i][0], settings[i][1], &m) == 0;
    if (!good || dials_complete(&e.dials, &m) < 0 ||
        plan_make(&plan, "name", "text", &e.dials, &e.settings, NULL, NULL, &m) < 0)
        fail_msg("%s", m.text);
    return plan;
}

#define PLAN(...) plan_of((const char *const[][2]){ { "workload", "empty" }, { "mode", "nolock" }, \
                          { "memory", "1G" }, __VA_ARGS__, { NULL, NULL } })

static struct store *store_at(const char *at, enum store_access access)
{
    struct store *store = store_open(at, access, &m);

    if (!store)
        fail_msg("%s", m.text);
    return store;
}

/* Round trip */

static struct sample full_sample(int worker)
{
    return (struct sample){ "worker", 0, worker, 1 + (uint64_t)worker, 0.25, 3, 4,
                            "refused: EINVAL", 5, 6, 7, 8, 9, 10, 11, 12, 13 };
}

/* Every number another one, so that no two can be mistaken for each other. */
static struct measurement full_window(int block, int samples)
{
    struct measurement w = {
        .occasion = { block, 40 + block, block ? WINDOW_TIMED : WINDOW_AUDIT, "2026-01-02T03:04:05Z", 99, 1.5, 0.25, 0.125,
                      2400 },
        .status = STATUS_EARLY, .note = "a note, 'with' words", .seconds = 0.5, .overlap = 0.75,
        .lost = 21, .handed_over = 34, .held_back = 35, .max_rss_bytes = 22,
        .damage = { .published = 23, .off = 24, .over = 25, .under = 26, .leaked = 27, .early = 28,
                    .kept_bytes = 29 },
        .counted = true, .memory = { 30, 31, 32, 33 },
        .watched = true, .collections = { 70, 71, 72, 73, 74, 75, 76 },
        .used = true, .usage = { 0.375, 80, 81, 82, 83 }, .latency = { 84, 85, 86, 87, 88 },
    };

    w.samples = samples;
    w.sample = calloc((size_t)samples + 1, sizeof *w.sample);
    for (int i = 0; i < samples; i++)
        w.sample[i] = full_sample(i);
    return w;
}

static struct contention *full_contention(void)
{
    struct contention *c = calloc(1, sizeof *c);

    *c = (struct contention){ 50, 51, 52, 53, 54, 55, 56, 57, 58, 59, true, false, 2,
                              { { "list", "a.c:1 in 'f'", true, 1, 60, 61, 62, 63 },
                                { "list iterator", "0x1 < 0x2", false, 64, 65, 66, 67, 68 } } };
    return c;
}

/* Of the lock and each worker; the last of them has never waited. */
static struct turns *full_turns(int samples)
{
    struct turns *t = calloc((size_t)samples + 1, sizeof *t);

    for (int i = 0; i <= samples; i++)
        for (int k = 0; k < (i == samples ? TURNS_WAITS : TURNS_NUMBERS); k++)
            t[i].number[k] = (uint64_t)(1000 * i + k + 1);
    return t;
}

static void assert_same_contention(const struct contention *a, const struct contention *b)
{
    assert_true(a->own == b->own && a->foreign == b->foreign && a->retries == b->retries &&
                a->merges == b->merges && a->queued == b->queued &&
                a->most_queued == b->most_queued && a->most_held_bytes == b->most_held_bytes &&
                a->delay_p50_ns == b->delay_p50_ns && a->delay_p99_ns == b->delay_p99_ns &&
                a->delay_max_ns == b->delay_max_ns && a->crowded == b->crowded &&
                a->incomplete == b->incomplete);
    assert_int_equal(a->count, b->count);
    for (int i = 0; i < a->count; i++) {
        const struct hot *x = &a->hot[i], *y = &b->hot[i];

        assert_string_equal(x->type, y->type);
        assert_string_equal(x->site, y->site);
        assert_true(x->alone == y->alone && x->objects == y->objects && x->threads == y->threads &&
                    x->own == y->own && x->foreign == y->foreign && x->retries == y->retries);
    }
}

static void assert_same(const struct measurement *got, const struct measurement *sent)
{
    const struct occasion *a = &got->occasion, *b = &sent->occasion;

    assert_true(a->block == b->block && a->sequence == b->sequence && a->kind == b->kind &&
                a->started_ns == b->started_ns && a->took_s == b->took_s && a->steal == b->steal &&
                a->busy == b->busy && a->mhz == b->mhz);
    assert_string_equal(a->started, b->started);
    assert_int_equal(got->status, sent->status);
    assert_string_equal(got->note, sent->note);
    assert_true(got->seconds == sent->seconds && got->overlap == sent->overlap);
    assert_int_equal(got->lost, sent->lost);
    assert_int_equal(got->handed_over, sent->handed_over);
    assert_int_equal(got->held_back, sent->held_back);
    assert_int_equal(got->max_rss_bytes, sent->max_rss_bytes);
    assert_memory_equal(&got->damage, &sent->damage, sizeof got->damage);
    assert_int_equal(got->counted, sent->counted);
    if (sent->counted)
        assert_memory_equal(&got->memory, &sent->memory, sizeof got->memory);
    assert_int_equal(got->watched, sent->watched);
    if (sent->watched)
        assert_memory_equal(&got->collections, &sent->collections, sizeof got->collections);
    assert_int_equal(got->used, sent->used);
    if (sent->used) {
        assert_memory_equal(&got->usage, &sent->usage, sizeof got->usage);
        assert_memory_equal(&got->latency, &sent->latency, sizeof got->latency);
    }
    assert_int_equal(got->contention != NULL, sent->contention != NULL);
    if (sent->contention)
        assert_same_contention(got->contention, sent->contention);
    assert_int_equal(got->turns != NULL, sent->turns != NULL);
    if (sent->turns)
        assert_memory_equal(got->turns, sent->turns,
                            ((size_t)sent->samples + 1) * sizeof *sent->turns);
    assert_int_equal(got->samples, sent->samples);
    for (int i = 0; i < got->samples; i++)
        assert_memory_equal(&got->sample[i], &sent->sample[i], sizeof *got->sample);
}

/* Sends a window through a file that is closed in between; `r` is to be freed. */
static const struct outcome *through_file(struct measurement *sent, struct results *r)
{
    struct plan plan = PLAN({ "threads", "2" });
    struct store *store;
    struct run run;
    int64_t id;

    unlink(path);
    store = store_at(path, STORE_WRITE);
    assert_int_equal(store_begin(store, &plan, &id, &m), 0);
    assert_int_equal(store_window(store, id, 0, sent, &m), 0);
    store_close(store);
    store = store_at(path, STORE_READ);
    assert_int_equal(store_find(store, NULL, &run, &m), 0);
    assert_int_equal(store_load(store, &run, r, &m), 0);
    store_close(store);
    plan_free(&plan);
    return r->outcome;
}

static void a_window_comes_back_as_it_was(void **state)
{
    struct measurement sent = full_window(1, 2);
    struct results r;
    const struct outcome *o = through_file(&sent, &r);

    (void)state;
    assert_int_equal(o->rounds, 1);
    assert_same(&o->round[0], &sent);
    results_free(&r);
    sent.occasion.block = 0, sent.occasion.kind = WINDOW_AUDIT;
    o = through_file(&sent, &r);
    assert_non_null(o->audit);
    assert_same(o->audit, &sent);
    results_free(&r);
    sent.occasion.kind = WINDOW_STATS;
    sent.contention = full_contention();
    o = through_file(&sent, &r);
    assert_non_null(o->stats);
    assert_null(o->audit);
    assert_same(o->stats, &sent);
    results_free(&r);
    sent.turns = full_turns(sent.samples);
    assert_same(through_file(&sent, &r)->stats, &sent);
    results_free(&r);
    sent.contention->incomplete = true;
    sent.contention->queued = sent.contention->delay_p50_ns = 0; /* so none has waited */
    sent.contention->delay_p99_ns = sent.contention->delay_max_ns = 0;
    assert_same(through_file(&sent, &r)->stats, &sent);
    results_free(&r);
    measurement_free(&sent);
}

static void what_is_not_known_stays_unknown(void **state)
{
    struct measurement sent = full_window(1, 1);
    struct results r;

    (void)state;
    sent.occasion.steal = sent.occasion.busy = sent.occasion.mhz = -1;
    sent.max_rss_bytes = sent.handed_over = sent.held_back = 0;
    sent.memory.taken_bytes = -1;
    sent.usage.connections = 0, sent.usage.grown_bytes = -1;
    sent.latency = (struct latency){ 0 };
    sent.sample[0] = (struct sample){ "worker", 0, 0, 0, 0, -1, -1, "unbound", 0, 0, 0, 0,
                                      -1, -1, -1, -1, -1 };
    assert_same(through_file(&sent, &r)->round, &sent);
    results_free(&r);
    sent.counted = false;
    sent.collections = (struct collections){ 0 }; /* there were none, and so no pauses */
    assert_same(through_file(&sent, &r)->round, &sent);
    results_free(&r);
    sent.watched = sent.used = false;
    assert_same(through_file(&sent, &r)->round, &sent);
    results_free(&r);
    measurement_free(&sent);
}

static void what_failed_has_no_numbers(void **state)
{
    struct measurement sent = full_window(1, 0);
    struct results r;
    const struct measurement *got;

    (void)state;
    sent.status = STATUS_TIMEOUT;
    got = through_file(&sent, &r)->round;
    assert_int_equal(got->status, STATUS_TIMEOUT);
    assert_string_equal(got->note, sent.note);
    assert_true(got->seconds == 0 && got->max_rss_bytes == 0 && got->lost == 0);
    results_free(&r);
    measurement_free(&sent);
}

/* Plans */

static void every_setting_and_dial_makes_another_plan(void **state)
{
    static const char *const other[][2] = {
        { "threads", "1,3" }, { "mode", "nolock,plain+mutex" }, { "workload", "fib" },
        { "heap", "system" }, { "build", "/bin/true" }, { "rounds", "4" }, { "rounds", "5..9" },
        { "window", "0.3" }, { "ramp", "0.1" }, { "precision", "3%" }, { "budget", "5min" },
        { "order", "pairs" }, { "seed", "2" }, { "timeout", "7" }, { "bind", "no" },
        { "control", "no" }, { "mode", "plain+interval:interval_us=7" },
    };
    struct plan plan = PLAN({ "threads", "1,2" }), again = PLAN({ "threads", "1,2" });
    char hash[17], different[17];

    (void)state;
    plan_hash(&plan, hash);
    plan_hash(&again, different);
    assert_string_equal(hash, different);
    plan_free(&again);
    again = PLAN({ "threads", "1,2" }, { "stats", "yes" }); /* a run may get them later */
    plan_hash(&again, different);
    assert_string_equal(hash, different);
    plan_free(&plan), plan_free(&again);
    for (size_t i = 0; i < sizeof other / sizeof *other; i++) {
        plan = PLAN({ "threads", "1,2" }, { other[i][0], other[i][1] });
        plan_hash(&plan, different);
        if (!strcmp(hash, different))
            fail_msg("%s %s makes no difference", other[i][0], other[i][1]);
        plan_free(&plan);
    }
}

enum { MANY = 20 };

static void order_of(const char *placing, const char *seed, int block, uint32_t *order)
{
    struct plan plan = PLAN({ "threads", "1..20" }, { "control", "no" }, { "order", placing },
                            { "seed", seed });
    bool there[MANY] = { false };

    assert_int_equal(plan.count, MANY);
    plan_order(&plan, block, order);
    for (int i = 0; i < MANY; i++) {
        assert_true(order[i] < MANY && !there[order[i]]);
        there[order[i]] = true;
    }
    plan_free(&plan);
}

static void a_block_has_each_cell_once_in_an_order_of_its_seed(void **state)
{
    uint32_t a[MANY], b[MANY];

    (void)state;
    order_of("shuffled", "1", 1, a);
    order_of("shuffled", "1", 1, b);
    assert_memory_equal(a, b, sizeof a);
    order_of("shuffled", "2", 1, b);
    assert_memory_not_equal(a, b, sizeof a);
    order_of("shuffled", "1", 2, b);
    assert_memory_not_equal(a, b, sizeof a);
    order_of("pairs", "1", 1, a);
    order_of("pairs", "1", 2, b);
    for (uint32_t i = 0; i < MANY; i++)
        assert_true(a[i] == i && b[i] == MANY - 1 - i);
    order_of("pairs", "1", 3, b);
    assert_memory_equal(a, b, sizeof a);
    order_of("sorted", "1", 2, b);
    assert_memory_equal(a, b, sizeof a);
}

/* Sessions */

static const char *option(int argc, char **argv, const char *name)
{
    for (int i = 1; i + 1 < argc; i++)
        if (!strcmp(argv[i], name))
            return argv[i + 1];
    return "";
}

/* How often a cell was run. */
static off_t count_calls(void)
{
    int calls = open(getenv("TEST_STORE_CALLS"), O_WRONLY | O_APPEND);
    ssize_t written = write(calls, ".", 1);

    assert_int_equal(written, 1);
    return lseek(calls, 0, SEEK_END);
}

/* Instead of `lab cell`. */
static int fake_cell(int argc, char **argv)
{
    int threads = atoi(option(argc, argv, "--threads"));
    struct measurement w = full_window(1, threads);
    off_t calls = count_calls();

    for (int i = 0; i < threads; i++)
        w.sample[i].ops = threads == WILD ? 1u << calls % 20 : 1000;
    w.seconds = 1e-6;
    if (strstr(option(argc, argv, "--mode"), "_stats"))
        w.contention = full_contention();
    measurement_write(&w, STDOUT_FILENO);
    measurement_free(&w);
    return threads == FAILS;
}

static int never, at_once = 1;

/* Measures what is missing of the plan in the store; what then is there goes to `r`. */
static int measure_all(const struct plan *plan, struct store *store, const volatile int *interrupted,
                   struct results *r)
{
    struct session s = { .plan = plan, .results = r, .store = store, .interrupted = interrupted };
    struct run run;
    int found = store_find_plan(store, plan, &run, &m), status;

    assert_int_equal(results_init(r, plan->cell, plan->count, plan->cores, 0), 0);
    if (!found)
        assert_int_equal(store_begin(store, plan, &s.run, &m), 0);
    else
        assert_int_equal(store_load_windows(store, &run, r, &s.sequence, &m), 0);
    s.run = found ? run.id : s.run;
    status = session_run(&s, &m);
    if (status < 0)
        fail_msg("%s", m.text);
    return status;
}

static const struct outcome *of_threads(const struct results *r, int threads, int control)
{
    for (size_t i = 0; i < r->count; i++)
        if (r->outcome[i].cell.threads == threads && r->outcome[i].cell.control == control)
            return &r->outcome[i];
    fail_msg("there is no cell of %d threads", threads);
    return NULL;
}

static struct plan adaptive(const char *name, const char *value)
{
    return PLAN({ "threads", "1..3" }, { "rounds", "3..8" }, { "precision", "1%" },
                { "window", "1ms" }, { "ramp", "0" }, { name, value });
}

static void a_cell_stops_when_it_is_precise_or_fails_and_controls_go_on(void **state)
{
    struct plan plan = adaptive("order", "sorted");
    struct store *store = store_at(":memory:", STORE_WRITE);
    struct results r;
    int control;

    (void)state;
    assert_int_equal(measure_all(&plan, store, &never, &r), 0);
    assert_int_equal(of_threads(&r, STEADY, 0)->rounds, 3);
    assert_true(of_threads(&r, WILD, 0)->rounds > 3);
    assert_int_equal(of_threads(&r, FAILS, 0)->rounds, 2);
    control = plan.cell[0].threads;
    for (int twin = 1; twin <= 2 && control != FAILS; twin++)
        assert_int_equal(of_threads(&r, control, twin)->rounds, of_threads(&r, WILD, 0)->rounds);
    results_free(&r);
    store_close(store);
    plan_free(&plan);
}

static void without_precision_or_budget_a_cell_has_the_least(void **state)
{
    static const char *const settings[][2] = { { "precision", "0%" }, { "budget", "0.001" } };

    (void)state;
    for (int i = 0; i < 2; i++) {
        struct plan plan = adaptive(settings[i][0], settings[i][1]);
        struct store *store = store_at(":memory:", STORE_WRITE);
        struct results r;

        assert_int_equal(measure_all(&plan, store, &never, &r), 0);
        assert_int_equal(of_threads(&r, WILD, 0)->rounds, 3);
        assert_int_equal(of_threads(&r, STEADY, 0)->rounds, 3);
        results_free(&r);
        store_close(store);
        plan_free(&plan);
    }
}

/* Not of the controls, nor of what always fails. Where no build counts, there is the lock alone. */
static void a_run_gets_contention_when_it_is_asked_for(void **state)
{
    struct plan plan = PLAN({ "mode", "atomic,nolock" }, { "threads", "1,3" }, { "rounds", "2" },
                            { "window", "1ms" }, { "ramp", "0" });
    struct store *store = store_at(":memory:", STORE_WRITE);
    struct results r;
    size_t least, most;

    (void)state;
    assert_int_equal(measure_all(&plan, store, &never, &r), 0);
    for (size_t i = 0; i < r.count; i++)
        assert_null(r.outcome[i].stats);
    results_free(&r);
    plan.settings.stats = true;
    assert_int_equal(measure_all(&plan, store, &never, &r), 0);
    for (size_t i = 0; i < r.count; i++) {
        const struct outcome *o = &r.outcome[i];
        bool looks = !o->cell.control && o->cell.threads != FAILS;

        assert_int_equal(o->stats != NULL, looks);
        if (looks && o->cell.counting)
            assert_int_equal(o->stats->contention->foreign, 51);
    }
    session_windows_left(&plan, &r, &least, &most);
    assert_int_equal(least, 0);
    results_free(&r);
    store_close(store);
    plan_free(&plan);
}

static int windows_of_block(struct store *store, int block)
{
    sqlite3_stmt *q;
    int count;

    sqlite3_prepare_v2(store_database(store), "SELECT count(*) FROM windows WHERE block = ?", -1,
                       &q, NULL);
    sqlite3_bind_int(q, 1, block);
    assert_int_equal(sqlite3_step(q), SQLITE_ROW);
    count = sqlite3_column_int(q, 0);
    sqlite3_finalize(q);
    return count;
}

static void drop_last(struct store *store, const char *which)
{
    char *sql = sqlite3_mprintf("DELETE FROM samples WHERE window IN (SELECT window FROM windows "
                                "JOIN cells USING (cell) WHERE %s); DELETE FROM windows WHERE "
                                "window IN (SELECT window FROM windows JOIN cells USING (cell) "
                                "WHERE %s)", which, which);

    assert_int_equal(sqlite3_exec(store_database(store), sql, NULL, NULL, NULL), SQLITE_OK);
    sqlite3_free(sql);
}

/* As if it had been killed in the midst of the block in which the first window is lost. */
static void a_resumed_session_fills_what_is_missing_and_no_more(void **state)
{
    static const char *const lost[] = { "block >= 2", "sequence > 4", "block >= 2 AND control = 2",
                                        "block = 8 AND control = 1" };
    struct plan plan = adaptive("seed", "5");
    struct store *store = store_at(":memory:", STORE_WRITE);
    struct results whole, r;

    (void)state;
    assert_int_equal(measure_all(&plan, store, &at_once, &whole), 1);
    results_free(&whole);
    assert_int_equal(windows_of_block(store, 1), 0);
    assert_int_equal(measure_all(&plan, store, &never, &whole), 0);
    for (size_t i = 0; i < sizeof lost / sizeof *lost; i++) {
        int before = windows_of_block(store, 2), last = windows_of_block(store, 8);

        drop_last(store, lost[i]);
        assert_int_equal(measure_all(&plan, store, &never, &r), 0);
        assert_int_equal(windows_of_block(store, 2), before);
        if (i >= 2)
            assert_int_equal(windows_of_block(store, 8), last);
        assert_int_equal(of_threads(&r, STEADY, 0)->rounds, 3);
        results_free(&r);
    }
    results_free(&whole);
    store_close(store);
    plan_free(&plan);
}

/* Memory that is refused */

static struct sqlite3_mem_methods usual;
static long allocations_left = -1; /* before one is refused; -1: none is */

static bool is_refused(void)
{
    return allocations_left >= 0 && allocations_left-- == 0;
}

static void *refusing_malloc(int size_bytes)
{
    return is_refused() ? NULL : usual.xMalloc(size_bytes);
}

static void *refusing_realloc(void *old, int size_bytes)
{
    return is_refused() ? NULL : usual.xRealloc(old, size_bytes);
}

/* 0 if all of it went well. */
static int write_and_read(const struct plan *plan, const struct measurement *w)
{
    struct store *store = store_open(path, STORE_WRITE, &m);
    struct results r;
    struct run run;
    int64_t id;
    int status = -1;

    if (store && store_begin(store, plan, &id, &m) == 0 &&
        store_window(store, id, 0, w, &m) == 0 && store_find_plan(store, plan, &run, &m) >= 0 &&
        store_load(store, &run, &r, &m) == 0) {
        status = store_end(store, id, &m);
        results_free(&r);
    }
    store_close(store);
    return status;
}

/* Whether a window is there with its samples, or neither. */
static void assert_file_is_whole(void)
{
    struct store *store = store_open(path, STORE_READ, &m);
    sqlite3_stmt *q;

    if (!store) {
        assert_non_null(strstr(m.text, "is empty"));
        return;
    }
    sqlite3_prepare_v2(store_database(store), "SELECT (SELECT count(*) FROM samples) = "
                       "2 * (SELECT count(*) FROM windows), * FROM pragma_integrity_check", -1, &q,
                       NULL);
    assert_int_equal(sqlite3_step(q), SQLITE_ROW);
    assert_int_equal(sqlite3_column_int(q, 0), 1);
    assert_string_equal((const char *)sqlite3_column_text(q, 1), "ok");
    sqlite3_finalize(q);
    store_close(store);
}

static void memory_that_is_refused_is_a_mistake_and_the_file_is_whole(void **state)
{
    struct plan plan = PLAN({ "threads", "2" });
    struct measurement w = full_window(1, 2);
    int failed = 0, in_a_row = 0;

    (void)state;
    for (long n = 0; in_a_row < 3 && n < 100000; n += 1 + n / 50) {
        int status;

        unlink(path);
        m.text[0] = '\0';
        allocations_left = n;
        status = write_and_read(&plan, &w);
        in_a_row = allocations_left >= 0 ? in_a_row + 1 : 0; /* there were not so many */
        allocations_left = -1;
        failed += status < 0;
        if (status < 0)
            assert_ptr_equal(strstr(m.text, path), m.text);
        assert_file_is_whole();
    }
    assert_true(failed > 20 && in_a_row == 3);
    measurement_free(&w);
    plan_free(&plan);
}

int main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_window_comes_back_as_it_was),
        cmocka_unit_test(what_is_not_known_stays_unknown),
        cmocka_unit_test(what_failed_has_no_numbers),
        cmocka_unit_test(every_setting_and_dial_makes_another_plan),
        cmocka_unit_test(a_block_has_each_cell_once_in_an_order_of_its_seed),
        cmocka_unit_test(a_cell_stops_when_it_is_precise_or_fails_and_controls_go_on),
        cmocka_unit_test(without_precision_or_budget_a_cell_has_the_least),
        cmocka_unit_test(a_run_gets_contention_when_it_is_asked_for),
        cmocka_unit_test(a_resumed_session_fills_what_is_missing_and_no_more),
        cmocka_unit_test(memory_that_is_refused_is_a_mistake_and_the_file_is_whole),
    };
    struct sqlite3_mem_methods refusing;
    struct modes modes = { 0 };
    int failed;

    if (argc > 1 && !strcmp(argv[1], "cell"))
        return fake_cell(argc, argv);
    if (parse_modes("nolock", &modes, &m) < 0)
        return printf("ok 1 - # skip this build lacks plain\n") < 0;
    sqlite3_config(SQLITE_CONFIG_GETMALLOC, &usual);
    refusing = usual;
    refusing.xMalloc = refusing_malloc;
    refusing.xRealloc = refusing_realloc;
    sqlite3_config(SQLITE_CONFIG_MALLOC, &refusing);
    close(mkstemp(path));
    close(mkstemp(calls_path));
    setenv("TEST_STORE_CALLS", calls_path, 1);
    if (topology_load(&m) < 0)
        return 1;
    failed = cmocka_run_group_tests(tests, NULL, NULL);
    topology_unload();
    unlink(path);
    unlink(calls_path);
    return failed;
}
