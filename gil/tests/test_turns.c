/* test_turns.c - what particular locks promise of turns: when a holder is asked, and who is
 * given the lock.
 *
 * With -DGIL_TWIN=gil_x that class alone is put to what is promised of waking.
 */
#include "gil/mutex.h"
#include "gil/tests/tasks.h"
#include "gil/tests/testing.h"

#include <errno.h>

extern const struct gil_class gil_interval, gil_mutex, gil_quantum, gil_roundrobin,
    gil_spinpark, gil_steal, gil_tick;

enum { VISITORS = 5 };
static const int64_t HOUR_US = 3600000000; /* longer than any watchdog waits */

struct place {
    struct gil *gil;
    int rounds;
    pthread_barrier_t together; /* where threads begin that are to meet */
    int64_t visits;             /* gil */
    _Atomic int done;
};

/* ---- locks that wake who sleeps ---- */

/* And goes on until the other, too, has had its rounds: so neither does all of them alone.
 * Now and then it lets the other find the lock held, on a single core as well. */
static void *blocks(void *argument)
{
    struct place *p = argument;
    struct thread self = { 0 };

    pthread_barrier_wait(&p->together);
    thread_start(&self, p->gil, NULL);
    for (int i = 0; seen(&p->done) < 2; i++) {
        p->visits += i < p->rounds;
        if (i == p->rounds)
            atomic_fetch_add_explicit(&p->done, 1, memory_order_release);
        if (i % 64 == 0)
            sched_yield();
        thread_detach(&self);
        thread_attach(&self);
    }
    thread_stop(&self);
    return NULL;
}

/* They begin together. Deletes the lock. */
static void meet(struct place *p, int threads, void *(*body)(void *))
{
    pthread_t ids[THREADS_MAX];

    assert_int_equal(pthread_barrier_init(&p->together, NULL, (unsigned)threads), 0);
    launch(ids, threads, body, p);
    join(ids, threads);
    pthread_barrier_destroy(&p->together);
    gil_delete(p->gil);
    assert_int_equal(p->visits, (int64_t)threads * p->rounds);
}

/* Of two, so that no third wakes by mistake who sleeps for ever; and sleeping at once, if the
 * lock can be told to. Turns are longer than any watchdog waits. */
static void test_no_wake_up_is_lost_between_two(void **state)
{
    const struct gil_class *class = *state;

    for (int i = 0; i < 10; i++) {
        struct place p = { .gil = new_gil(class, LONG_TURNS), .rounds = 20000 };

        p.gil->param[0] = HOUR_US;
        if (class->param[1].name)
            p.gil->param[1] = class->param[1].least;
        meet(&p, 2, blocks);
    }
}

static const struct promise promises_of_waking[] = {
    { "no wake-up is lost between two", test_no_wake_up_is_lost_between_two },
    { NULL, NULL },
};

#ifdef GIL_TWIN

extern const struct gil_class GIL_TWIN;

static const struct named_gil that_wake[] = { { "twin", &GIL_TWIN }, { NULL, NULL } };

static int run_promises_of_some(void)
{
    return 0;
}

#else

static const struct named_gil that_wake[] = { { "spinpark", &gil_spinpark },
                                              { "tick", &gil_tick },
                                              { NULL, NULL } };

/* ---- locks that count safe points ---- */

static const struct gil_class *counted;
static int yields;

static void counting_yield(struct gil *gil, struct thread *t)
{
    yields++;
    counted->yield(gil, t);
}

static void test_lets_go_at_every_nth_safe_point(void **state)
{
    enum { EVERY = 7 };
    struct gil_class counting = *(const struct gil_class *)*state;
    int64_t param[PARAM_MAX] = { EVERY, counting.param[1].standard };
    struct thread self = { 0 };
    struct gil *gil;

    counted = *state;
    counting.yield = counting_yield;
    gil = gil_new(&counting, param);
    assert_non_null(gil);
    assert_int_equal(thread_start(&self, gil, NULL), 0);
    yields = 0;
    for (int i = 1; i <= 10 * EVERY; i++) {
        safepoint(&self);
        assert_int_equal(yields, i / EVERY);
    }
    thread_stop(&self);
    gil_delete(gil);
}

/* What one thread has used of a turn, the next does not have: the count is the lock's. */
static void test_the_next_has_the_rest_of_the_turn(void **state)
{
    enum { EVERY = 7, USED = 5 };
    struct gil_class counting = *(const struct gil_class *)*state;
    int64_t param[PARAM_MAX] = { EVERY, counting.param[1].standard };
    struct thread first = { 0 }, second = { 0 };

    counted = *state;
    counting.yield = counting_yield;
    first.gil = gil_new(&counting, param);
    assert_non_null(first.gil);
    assert_int_equal(thread_start(&first, first.gil, NULL), 0);
    yields = 0;
    for (int i = 0; i < USED; i++)
        safepoint(&first);
    thread_stop(&first);
    assert_int_equal(thread_start(&second, first.gil, NULL), 0);
    for (int i = USED + 1; i <= 10 * EVERY; i++) {
        safepoint(&second);
        assert_int_equal(yields, i / EVERY);
    }
    thread_stop(&second);
    gil_delete(first.gil);
}

static const struct promise promises_of_counting[] = {
    { "lets go at every nth safe point", test_lets_go_at_every_nth_safe_point },
    { NULL, NULL },
};

static const struct named_gil that_count[] = {
    { "mutex", &gil_mutex },
    { "steal", &gil_steal },
    { "tick", &gil_tick },
    { NULL, NULL },
};

static const struct promise promises_of_counting_together[] = {
    { "the next has the rest of the turn", test_the_next_has_the_rest_of_the_turn },
    { NULL, NULL },
};

/* `mutex` counts for each thread. */
static const struct named_gil that_count_together[] = {
    { "steal", &gil_steal },
    { "tick", &gil_tick },
    { NULL, NULL },
};

/* ---- locks that are handed over ---- */

static void *comes_once(void *argument)
{
    struct place *p = argument;
    struct thread self = { 0 };

    thread_start(&self, p->gil, NULL);
    p->visits++;
    thread_stop(&self);
    return NULL;
}

/* The caller is attached, and another waits for the lock: asleep. */
static void start_waiter(pthread_t *id, struct place *p)
{
    launch(id, 1, comes_once, p);
    wait_until_others_sleep();
    assert_int_equal(p->visits, 0);
}

/* Who yields wants the lock again at once, and finds that the one that slept has had it. */
static void test_who_yields_hands_over(void **state)
{
    const struct gil_class *class = *state;
    struct place p = { .gil = new_gil(class, class == &gil_steal ? SHORT_TURNS : LONG_TURNS) };
    struct thread self = { 0 };
    pthread_t id;

    assert_int_equal(thread_start(&self, p.gil, NULL), 0);
    for (int i = 0; i < 20; i++) {
        p.visits = 0;
        start_waiter(&id, &p);
        thread_request(&self, BREAKER_GIL);
        safepoint(&self);
        assert_int_equal(p.visits, 1);
        join(&id, 1);
    }
    thread_stop(&self);
    gil_delete(p.gil);
}

/* Each is woken by the one before it, for nobody's interval ends. */
static void test_all_who_sleep_are_woken(void **state)
{
    const struct gil_class *class = *state;
    struct place p = { .gil = new_gil(class, LONG_TURNS) };
    struct thread self = { 0 };
    pthread_t ids[VISITORS];

    p.gil->param[0] = HOUR_US;
    assert_int_equal(thread_start(&self, p.gil, NULL), 0);
    for (int i = 0; i < VISITORS; i++)
        start_waiter(&ids[i], &p);
    thread_stop(&self);
    join(ids, VISITORS);
    gil_delete(p.gil);
    assert_int_equal(p.visits, VISITORS);
}

static const struct promise promises_of_handing_over[] = {
    { "who yields hands over", test_who_yields_hands_over },
    { "all who sleep are woken", test_all_who_sleep_are_woken },
    { NULL, NULL },
};

static const struct named_gil that_hand_over[] = {
    { "quantum", &gil_quantum },
    { "roundrobin", &gil_roundrobin },
    { "spinpark", &gil_spinpark },
    { "steal", &gil_steal },
    { NULL, NULL },
};

/* ---- locks whose holder is asked ---- */

enum { LEAST_NS = 3 * NS_PER_MS };

/* Parameters with which nobody may be asked before that. */
static void set_turn(const struct gil_class *class, int64_t param[PARAM_MAX])
{
    for (int i = 0; i < PARAM_MAX; i++)
        param[i] = class->param[i].standard;
    param[0] = LEAST_NS / NS_PER_US;
    if (class == &gil_quantum) {
        param[0] /= 3;
        param[1] = 3;
    }
}

static bool asked_before(struct thread *t, uint64_t deadline_ns)
{
    while (!is_asked(t, BREAKER_GIL))
        if (clock_ns() >= deadline_ns)
            return false;
    return true;
}

/* The clock bounds from below: a busy machine makes it later, never too early. */
static void test_asked_when_somebody_has_waited(void **state)
{
    int64_t param[PARAM_MAX];
    struct place p = { 0 };
    struct thread self = { 0 };
    uint64_t began_ns;
    pthread_t id;

    set_turn(*state, param);
    p.gil = gil_new(*state, param);
    assert_non_null(p.gil);
    assert_int_equal(thread_start(&self, p.gil, NULL), 0);
    assert_false(asked_before(&self, clock_ns() + 3 * LEAST_NS));
    began_ns = clock_ns();
    launch(&id, 1, comes_once, &p);
    while (!is_asked(&self, BREAKER_GIL))
        sched_yield();
    assert_true(clock_ns() - began_ns >= LEAST_NS);
    assert_int_equal(p.visits, 0);
    thread_stop(&self);
    join(&id, 1);
    gil_delete(p.gil);
}

/* Each time another struct: who asked one that had left would write to freed memory. */
static void *comes_and_goes(void *argument)
{
    struct place *p = argument;

    pthread_barrier_wait(&p->together);
    for (int i = 0; i < p->rounds; i++) {
        struct thread *self = calloc(1, sizeof *self);

        thread_start(self, p->gil, NULL);
        p->visits++;
        for (int k = 0; k < i % 7; k++)
            safepoint(self);
        thread_stop(self);
        free(self);
    }
    return NULL;
}

static void test_nobody_is_asked_who_has_left(void **state)
{
    struct place p = { .gil = new_gil(*state, SHORT_TURNS), .rounds = 2000 };

    meet(&p, 4, comes_and_goes);
}

static _Atomic int visitors;

/* Computes until everyone has been here. */
static void *stays(void *argument)
{
    struct place *p = argument;
    struct thread self = { 0 };

    pthread_barrier_wait(&p->together);
    thread_start(&self, p->gil, NULL);
    p->visits++;
    atomic_fetch_add_explicit(&visitors, 1, memory_order_relaxed);
    while (seen(&visitors) < VISITORS)
        safepoint(&self);
    thread_stop(&self);
    return NULL;
}

/* Nobody lets go but who is asked, and so each must ask in its turn. */
static void test_each_of_many_gets_in(void **state)
{
    struct place p = { .gil = new_gil(*state, SHORT_TURNS), .rounds = 1 };

    announce(&visitors, 0);
    meet(&p, VISITORS, stays);
}

static const struct promise promises_of_asking[] = {
    { "each of many gets in", test_each_of_many_gets_in },
    { "asked when somebody has waited, and not before", test_asked_when_somebody_has_waited },
    { "nobody is asked who has left", test_nobody_is_asked_who_has_left },
    { NULL, NULL },
};

static const struct named_gil that_ask[] = {
    { "interval", &gil_interval },
    { "quantum", &gil_quantum },
    { "roundrobin", &gil_roundrobin },
    { "spinpark", &gil_spinpark },
    { NULL, NULL },
};

/* ---- the timer of `quantum` ---- */

static bool is_timer(int tid)
{
    return task_has_name(tid, "gil timer");
}

static int wait_for_timer(void)
{
    int tid;

    while (!(tid = task_find(is_timer)))
        sched_yield();
    wait_until_others_sleep();
    return tid;
}

/* With ticks of a microsecond it would have gone to sleep many times. */
static void test_the_timer_sleeps_while_nobody_waits(void **state)
{
    struct place p = { .gil = gil_new(&gil_quantum, (int64_t[PARAM_MAX]){ 1, 1000000 }) };
    struct thread self = { 0 };
    uint64_t deadline_ns;
    pthread_t id;
    long sleeps;
    int timer;

    (void)state;
    assert_non_null(p.gil);
    assert_int_equal(thread_start(&self, p.gil, NULL), 0);
    timer = wait_for_timer();
    sleeps = task_sleeps_begun(timer);
    deadline_ns = clock_ns() + 5 * NS_PER_MS;
    while (clock_ns() < deadline_ns)
        safepoint(&self);
    assert_int_equal(task_sleeps_begun(timer), sleeps);
    launch(&id, 1, comes_once, &p);
    while (task_sleeps_begun(timer) < sleeps + 10)
        sched_yield();
    thread_stop(&self);
    join(&id, 1);
    gil_delete(p.gil);
}

/* The kernel may take a moment to forget a thread that has been joined. */
static void test_the_timer_ends_with_its_lock(void **state)
{
    struct gil *gil = gil_new(&gil_quantum, NULL);

    (void)state;
    assert_non_null(gil);
    wait_for_timer();
    gil_delete(gil);
    while (task_find(is_timer))
        sched_yield();
}

/* A stack that no address space has room for. */
static void test_a_timer_that_cannot_start_is_said(void **state)
{
    pthread_attr_t before, huge;

    (void)state;
    assert_int_equal(pthread_getattr_default_np(&before), 0);
    assert_int_equal(pthread_attr_init(&huge), 0);
    assert_int_equal(pthread_attr_setstacksize(&huge, (size_t)1 << 47), 0);
    assert_int_equal(pthread_setattr_default_np(&huge), 0);
    errno = 0;
    assert_null(gil_new(&gil_quantum, NULL));
    assert_int_equal(errno, EAGAIN);
    assert_int_equal(pthread_setattr_default_np(&before), 0);
    pthread_attr_destroy(&huge);
    pthread_attr_destroy(&before);
}

/* ---- the gifts of `steal` ---- */

static void *gives_to_a_sleeper(void *argument)
{
    struct place *p = argument;
    struct thread self = { 0 };

    pthread_barrier_wait(&p->together);
    thread_start(&self, p->gil, NULL);
    for (int i = 0; i < p->rounds; i++) {
        p->visits++;
        wait_until_others_sleep();
        safepoint(&self);
    }
    thread_stop(&self);
    return NULL;
}

/* Hand-overs that waited for the next poll would take until the watchdog comes. Only the last
 * turn, that of who is left when the other has gone, begins with one. */
static void test_steal_need_not_poll_for_what_it_is_given(void **state)
{
    enum { EVERY = 1, POLL_US = 500000 };
    struct place p = { .gil = gil_new(&gil_steal, (int64_t[PARAM_MAX]){ EVERY, POLL_US }),
                       .rounds = 100 };

    (void)state;
    assert_non_null(p.gil);
    meet(&p, 2, gives_to_a_sleeper);
}

static int run_promises_of_some(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(test_the_timer_sleeps_while_nobody_waits, set_watchdog),
        cmocka_unit_test_setup(test_the_timer_ends_with_its_lock, set_watchdog),
        cmocka_unit_test_setup(test_a_timer_that_cannot_start_is_said, set_watchdog),
        cmocka_unit_test_setup(test_steal_need_not_poll_for_what_it_is_given, set_watchdog),
    };
    int failed = run_promises(promises_of_counting, that_count, EVERY_LOCK);

    failed += run_promises(promises_of_counting_together, that_count_together, EVERY_LOCK);
    failed += run_promises(promises_of_handing_over, that_hand_over, EVERY_LOCK);
    failed += run_promises(promises_of_asking, that_ask, EVERY_LOCK);
    return failed + cmocka_run_group_tests(tests, NULL, NULL);
}

#endif

int main(void)
{
    return run_promises(promises_of_waking, that_wake, EVERY_LOCK) + run_promises_of_some();
}
