/* test_fifo.c - what the locks with a queue promise: nobody overtakes.
 *
 * Turns are so long that nobody is asked but by the test. With -DGIL_TWIN=gil_x the same
 * promises are put to that class alone.
 */
#include "gil/tests/tasks.h"
#include "gil/tests/testing.h"

#ifdef GIL_TWIN
extern const struct gil_class GIL_TWIN;
static const struct named_gil classes[] = { { "twin", &GIL_TWIN }, { NULL, NULL } };
#else
extern const struct gil_class gil_quantum, gil_roundrobin;
static const struct named_gil classes[] = { { "quantum", &gil_quantum },
                                            { "roundrobin", &gil_roundrobin },
                                            { NULL, NULL } };
#endif

enum { WAITERS = 11, THREADS = 5, ROUNDS = 500 };

/* Who had the lock, in what order. */
struct line {
    struct gil *gil;
    int order[THREADS * ROUNDS]; /* gil */
    int had;                     /* gil */
    _Atomic int here;
};

struct visitor {
    struct line *line;
    int number;
};

static void note_turn(const struct visitor *v)
{
    v->line->order[v->line->had++] = v->number;
}

static void *comes_once(void *argument)
{
    struct visitor *v = argument;
    struct thread self = { 0 };

    thread_start(&self, v->line->gil, NULL);
    note_turn(v);
    thread_stop(&self);
    return NULL;
}

enum ways { BY_SAFEPOINT, BY_BLOCKING };

static void let_go(struct thread *t, enum ways way)
{
    if (way == BY_SAFEPOINT) {
        thread_request(t, BREAKER_GIL);
        safepoint(t);
        return;
    }
    thread_detach(t);
    thread_attach(t);
}

/* One after the other, so that they queue in this order: the caller is attached. */
static void start_waiters(struct line *line, struct visitor *visitors, pthread_t *ids)
{
    for (int i = 0; i < WAITERS; i++) {
        visitors[i] = (struct visitor){ line, i };
        launch(&ids[i], 1, comes_once, &visitors[i]);
        wait_until_others_sleep();
    }
    assert_int_equal(line->had, 0);
}

/* They have queued, and then the holder lets go and wants the lock again at
 * once: all of them come first, in that order. */
static void serve_waiters(const struct gil_class *class, enum ways way)
{
    struct line line = { .gil = new_gil(class, LONG_TURNS) };
    struct visitor visitors[WAITERS];
    struct thread self = { 0 };
    pthread_t ids[WAITERS];

    assert_int_equal(thread_start(&self, line.gil, NULL), 0);
    start_waiters(&line, visitors, ids);
    let_go(&self, way);
    assert_int_equal(line.had, WAITERS);
    for (int i = 0; i < WAITERS; i++)
        assert_int_equal(line.order[i], i);
    thread_stop(&self);
    join(ids, WAITERS);
    gil_delete(line.gil);
}

static void test_who_yields_goes_behind_all_who_wait(void **state)
{
    serve_waiters(*state, BY_SAFEPOINT);
}

static void test_who_has_blocked_goes_behind_all_who_wait(void **state)
{
    serve_waiters(*state, BY_BLOCKING);
}

/* One at a time has it: who has yielded, and goes on, sees nobody's turn but its own. */
static void test_who_goes_on_after_a_yield_is_alone(void **state)
{
    struct line line = { .gil = new_gil(*state, LONG_TURNS) };
    struct visitor visitors[WAITERS];
    struct thread self = { 0 };
    pthread_t ids[WAITERS];
    int crowded = 0;

    assert_int_equal(thread_start(&self, line.gil, NULL), 0);
    start_waiters(&line, visitors, ids);
    for (int i = 0; i < WAITERS; i++) {
        int had;

        let_go(&self, BY_SAFEPOINT);
        had = line.had;
        for (int k = 0; k < 20; k++)
            tempt();
        crowded += line.had != had;
    }
    thread_stop(&self);
    join(ids, WAITERS);
    gil_delete(line.gil);
    assert_int_equal(crowded, 0);
}

static void *yields(void *argument)
{
    struct visitor *v = argument;
    struct thread self = { 0 };

    thread_start(&self, v->line->gil, NULL);
    atomic_fetch_add_explicit(&v->line->here, 1, memory_order_release);
    wait_detached(&self, &v->line->here, THREADS);
    for (int i = 0; i < ROUNDS; i++) {
        note_turn(v);
        let_go(&self, BY_SAFEPOINT);
    }
    thread_stop(&self);
    return NULL;
}

/* How often somebody had the lock twice between two turns of `number` that follow. */
static int overtakings(const struct line *line, int number)
{
    int since[THREADS] = { 0 }; /* turns of each after that of `number` */
    int count = 0;
    bool waits = false;

    for (int i = 0; i < line->had; i++) {
        since[line->order[i]]++;
        if (line->order[i] != number)
            continue;
        since[number] = 0;
        for (int k = 0; k < THREADS; k++)
            count += waits && since[k] > 1;
        memset(since, 0, sizeof since);
        waits = true;
    }
    return count;
}

/* Who yields queues in the same step: from then on everyone else has one turn at most. */
static void test_between_two_turns_nobody_has_two(void **state)
{
    struct line line = { .gil = new_gil(*state, LONG_TURNS) };
    struct visitor visitors[THREADS];
    pthread_t ids[THREADS];

    for (int i = 0; i < THREADS; i++) {
        visitors[i] = (struct visitor){ &line, i };
        launch(&ids[i], 1, yields, &visitors[i]);
    }
    join(ids, THREADS);
    gil_delete(line.gil);
    assert_int_equal(line.had, THREADS * ROUNDS);
    for (int i = 0; i < THREADS; i++)
        assert_int_equal(overtakings(&line, i), 0);
}

static const struct promise promises[] = {
    { "who goes on after a yield is alone", test_who_goes_on_after_a_yield_is_alone },
    { "who yields goes behind all who wait", test_who_yields_goes_behind_all_who_wait },
    { "who has blocked goes behind all who wait", test_who_has_blocked_goes_behind_all_who_wait },
    { "between two turns nobody has two", test_between_two_turns_nobody_has_two },
    { NULL, NULL },
};

int main(void)
{
    return run_promises(promises, classes, LOCKS_THAT_EXCLUDE);
}
