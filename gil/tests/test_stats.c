/* test_stats.c - what a watched lock says of scripted sequences, and of every lock at work. */
#include "gil/tests/testing.h"

#include "gil/watch.h"

#include <stdlib.h>
#include <string.h>

static const struct gil_window window = { 100, 200 };

static void test_of_a_time_what_lies_in_the_window_counts(void **state)
{
    struct gil_stats *s = calloc(1, sizeof *s);

    (void)state;
    gil_stats_stood(s, &window, GIL_FREE, 0, 100);
    assert_int_equal(s->spent_ns[GIL_FREE], 0);
    gil_stats_stood(s, &window, GIL_FREE, 40, 130);
    gil_stats_stood(s, &window, GIL_WAITING, 130, 170);
    gil_stats_stood(s, &window, GIL_HELD, 170, 500);
    gil_stats_stood(s, &window, GIL_HELD, 500, 900);
    assert_int_equal(s->spent_ns[GIL_FREE], 30);
    assert_int_equal(s->spent_ns[GIL_WAITING], 40);
    assert_int_equal(s->spent_ns[GIL_HELD], 30);
    gil_stats_stood(s, &window, GIL_HELD, 0, 500);
    assert_int_equal(s->spent_ns[GIL_HELD], 130);
    gil_stats_stood(s, &window, GIL_ABSENT, 0, 500);
    assert_int_equal(s->spent_ns[GIL_ABSENT], 0);
    free(s);
}

static void test_a_wait_that_reaches_into_the_window_counts_whole(void **state)
{
    struct gil_stats *s = calloc(1, sizeof *s);

    (void)state;
    gil_stats_waited(s, &window, 20, 99);
    gil_stats_waited(s, &window, 200, 300);
    assert_int_equal(s->waits.count, 0);
    gil_stats_waited(s, &window, 20, 100);
    gil_stats_waited(s, &window, 199, 500199);
    assert_int_equal(s->waits.count, 2);
    assert_int_equal(s->waits.max_ns, 500000);
    free(s);
}

static void test_sums_are_of_both(void **state)
{
    struct gil_stats *a = calloc(1, sizeof *a), *b = calloc(1, sizeof *b);

    (void)state;
    gil_stats_stood(a, &window, GIL_HELD, 100, 110);
    gil_stats_stood(b, &window, GIL_HELD, 110, 130);
    gil_stats_waited(a, &window, 100, 105);
    gil_stats_waited(b, &window, 100, 120);
    a->forced = 1, a->in_vain = 2, a->voluntary = 3, a->requests = 4;
    b->forced = 10, b->in_vain = 20, b->voluntary = 30, b->requests = 40;
    gil_stats_add(a, b);
    assert_int_equal(a->spent_ns[GIL_HELD], 30);
    assert_int_equal(a->waits.count, 2);
    assert_int_equal(a->waits.max_ns, 20);
    assert_int_equal(a->forced, 11);
    assert_int_equal(a->in_vain, 22);
    assert_int_equal(a->voluntary, 33);
    assert_int_equal(a->requests, 44);
    free(a);
    free(b);
}

static const struct gil_class *class_named(const char *name)
{
    const struct named_gil *g = gil_list;

    while (strcmp(g->name, name))
        g++;
    return g->class;
}

/* What was counted of a thread, which has left. */
static struct gil_stats *taken(struct watch *w, const struct thread *t)
{
    struct gil_stats *s = calloc(1, sizeof *s);
    struct watched *each = w->first;

    while (each && each->thread != t)
        each = each->next;
    assert_non_null(each);
    watch_take(each, s);
    return s;
}

static uint64_t window_ns(struct watch *w)
{
    return atomic_load(&w->to_ns) - atomic_load(&w->from_ns);
}

static uint64_t spent_ns(const struct gil_stats *s)
{
    return s->spent_ns[GIL_HELD] + s->spent_ns[GIL_WAITING] + s->spent_ns[GIL_FREE];
}

static void detach_and_attach(struct thread *t, int times)
{
    for (int i = 0; i < times; i++) {
        thread_detach(t);
        thread_attach(t);
    }
}

static void yield_when_asked(struct thread *t, int times)
{
    for (int i = 0; i < times; i++) {
        thread_request(t, BREAKER_GIL);
        safepoint(t);
    }
}

/* Under a lock with which nobody else has anything to do. */
static void test_one_thread_is_counted_exactly(void **state)
{
    struct gil *gil = new_gil(class_named("interval"), LONG_TURNS);
    const struct gil_class *own = gil->class;
    struct watch *w = watch_begin(gil, 0);
    struct thread t = { 0 };
    struct gil_stats *s;

    (void)state;
    assert_non_null(w);
    thread_start(&t, gil, NULL);
    detach_and_attach(&t, 3);
    yield_when_asked(&t, 3);
    watch_open(w);
    detach_and_attach(&t, 5);
    yield_when_asked(&t, 7);
    watch_close(w);
    detach_and_attach(&t, 9);
    yield_when_asked(&t, 9);
    thread_stop(&t);
    s = taken(w, &t);
    assert_int_equal(s->voluntary, 5);
    assert_int_equal(s->in_vain, 7);
    assert_int_equal(s->forced, 0);
    assert_int_equal(s->requests, 0); /* it asked itself */
    assert_int_equal(s->waits.count, 5 + 7);
    assert_int_equal(spent_ns(s), window_ns(w));
    free(s);
    watch_end(w);
    assert_ptr_equal(gil->class, own);
    gil_delete(gil);
}

/* Times go where they belong: what is long is long. */
static void test_the_time_of_a_blocking_call_is_free(void **state)
{
    struct gil *gil = new_gil(class_named("interval"), LONG_TURNS);
    struct watch *w = watch_begin(gil, 0);
    struct thread t = { 0 };
    struct gil_stats *s;
    uint64_t from_ns, slept_ns, spun_ns;

    (void)state;
    thread_start(&t, gil, NULL);
    watch_open(w);
    thread_detach(&t);
    from_ns = clock_ns();
    usleep(2000);
    slept_ns = clock_ns() - from_ns;
    thread_attach(&t);
    from_ns = clock_ns();
    while (clock_ns() - from_ns < NS_PER_MS)
        ;
    spun_ns = clock_ns() - from_ns;
    watch_close(w);
    thread_stop(&t);
    s = taken(w, &t);
    assert_true(s->spent_ns[GIL_FREE] >= slept_ns);
    assert_true(s->spent_ns[GIL_HELD] >= spun_ns);
    assert_int_equal(spent_ns(s), window_ns(w));
    free(s);
    watch_end(w);
    gil_delete(gil);
}

static struct {
    struct gil *gil;
    struct thread keeper, wanter;
    _Atomic int has_got, may_leave, asked;
} pair;

static void *want(void *argument)
{
    (void)argument;
    thread_start(&pair.wanter, pair.gil, NULL);
    announce(&pair.has_got, 1);
    wait_detached(&pair.wanter, &pair.may_leave, 1);
    thread_stop(&pair.wanter);
    return NULL;
}

/* Two threads at a lock that asks: the one that waits asks, and the one that has it yields
 * once, to the other. */
static void test_a_forced_switch_is_told_from_one_in_vain(void **state)
{
    struct watch *w;
    pthread_t id;
    struct gil_stats *keeper, *wanter;

    (void)state;
    pair.gil = new_gil(class_named("interval"), SHORT_TURNS);
    w = watch_begin(pair.gil, 0);
    thread_start(&pair.keeper, pair.gil, NULL);
    watch_open(w);
    yield_when_asked(&pair.keeper, 2);
    launch(&id, 1, want, NULL);
    while (!seen(&pair.has_got))
        safepoint(&pair.keeper);
    thread_detach(&pair.keeper);
    announce(&pair.may_leave, 1);
    join(&id, 1);
    watch_close(w);
    thread_attach(&pair.keeper);
    thread_stop(&pair.keeper);
    keeper = taken(w, &pair.keeper);
    wanter = taken(w, &pair.wanter);
    assert_int_equal(keeper->forced, 1);
    assert_int_equal(keeper->in_vain, 2);
    assert_int_equal(keeper->voluntary, 1);
    assert_true(keeper->requests >= 1);
    assert_int_equal(wanter->in_vain + wanter->forced, 0);
    assert_int_equal(wanter->voluntary, 2);
    assert_int_equal(wanter->waits.count, 2);
    /* The one waited while the other had it. */
    assert_true(wanter->spent_ns[GIL_WAITING] >= (uint64_t)pair.gil->param[0] * NS_PER_US);
    free(keeper);
    free(wanter);
    watch_end(w);
    gil_delete(pair.gil);
}

static void *ask(void *argument)
{
    (void)argument;
    for (int i = 0; i < 4; i++)
        thread_request(&pair.keeper, BREAKER_GIL);
    return NULL;
}

/* As a timer would: it is no thread of the runtime. */
static void test_requests_from_outside_are_counted_of_the_one_that_is_asked(void **state)
{
    struct watch *w;
    pthread_t ids[2];
    struct gil_stats *s;

    (void)state;
    pair.gil = new_gil(class_named("interval"), LONG_TURNS);
    w = watch_begin(pair.gil, 0);
    thread_start(&pair.keeper, pair.gil, NULL);
    launch(ids, 1, ask, NULL);
    join(ids, 1);
    watch_open(w);
    launch(ids, 2, ask, NULL);
    join(ids, 2);
    thread_request(&pair.keeper, BREAKER_GIL); /* itself */
    safepoint(&pair.keeper);
    watch_close(w);
    thread_stop(&pair.keeper);
    s = taken(w, &pair.keeper);
    assert_int_equal(s->requests, 8);
    assert_int_equal(s->in_vain, 1);
    free(s);
    watch_end(w);
    gil_delete(pair.gil);
}

/* Every lock, watched, while threads compute and detach. */

enum { CROWD = 4, ROUNDS = 300, SAFEPOINTS = 100 };

static struct {
    struct gil *gil;
    struct thread thread[CROWD];
    _Atomic int number, ready, over;
    int64_t total; /* gil */
} crowd;

static void *compete(void *argument)
{
    struct thread *t = &crowd.thread[atomic_fetch_add(&crowd.number, 1)];

    (void)argument;
    thread_start(t, crowd.gil, NULL);
    atomic_fetch_add(&crowd.ready, 1);
    wait_detached(t, &crowd.ready, CROWD + 1);
    for (int i = 0; i < ROUNDS; i++) {
        for (int k = 0; k < SAFEPOINTS; k++) {
            if (crowd.gil->class->excludes)
                crowd.total++;
            safepoint(t);
        }
        detach_and_attach(t, 1);
    }
    atomic_fetch_add(&crowd.over, 1);
    wait_detached(t, &crowd.over, CROWD + 1);
    thread_stop(t);
    return NULL;
}

static void test_shares_add_up_and_all_is_counted(void **state)
{
    const struct gil_class *class = *state;
    struct watch *w;
    pthread_t ids[CROWD];
    uint64_t held_ns = 0;

    memset(&crowd, 0, sizeof crowd);
    crowd.gil = new_gil(class, SHORT_TURNS);
    w = watch_begin(crowd.gil, 0);
    launch(ids, CROWD, compete, NULL);
    wait_until(&crowd.ready, CROWD);
    watch_open(w);
    atomic_fetch_add(&crowd.ready, 1);
    wait_until(&crowd.over, CROWD);
    watch_close(w);
    atomic_fetch_add(&crowd.over, 1);
    join(ids, CROWD);
    assert_true(!class->excludes || crowd.total == CROWD * ROUNDS * SAFEPOINTS);
    for (int i = 0; i < CROWD; i++) {
        struct gil_stats *s = taken(w, &crowd.thread[i]);

        /* Who is at a lock when the window begins or ends may see it a little late; so who
         * comes last may detach before it has closed, or be counted as if. */
        assert_true(spent_ns(s) <= window_ns(w) + NS_PER_MS);
        assert_true(spent_ns(s) + NS_PER_MS >= window_ns(w));
        assert_in_range(s->voluntary, ROUNDS, ROUNDS + 2);
        assert_in_range(s->waits.count, s->voluntary - 2 + s->forced + s->in_vain,
                        s->voluntary + 2 + s->forced + s->in_vain);
        held_ns += s->spent_ns[GIL_HELD];
        free(s);
    }
    if (class->excludes)
        assert_true(held_ns <= window_ns(w) + NS_PER_MS);
    watch_end(w);
    assert_ptr_equal(crowd.gil->class, class);
    gil_delete(crowd.gil);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
#define TEST(name) cmocka_unit_test_setup_teardown(name, set_watchdog, nobody_is_left)
        TEST(test_of_a_time_what_lies_in_the_window_counts),
        TEST(test_a_wait_that_reaches_into_the_window_counts_whole),
        TEST(test_sums_are_of_both),
        TEST(test_one_thread_is_counted_exactly),
        TEST(test_the_time_of_a_blocking_call_is_free),
        TEST(test_a_forced_switch_is_told_from_one_in_vain),
        TEST(test_requests_from_outside_are_counted_of_the_one_that_is_asked),
#undef TEST
    };
    static const struct promise promises[] = {
        { "shares add up, and all is counted", test_shares_add_up_and_all_is_counted },
        { NULL, NULL },
    };
    int failed = cmocka_run_group_tests(tests, NULL, NULL);

    return run_promises(promises, gil_list, EVERY_LOCK) + failed;
}
