/* test_locks.c - what every lock that excludes must promise, and what some promise beyond.
 *
 * With -DGIL_TWIN=gil_x the same promises are put to that class alone.
 */
#include "gil/tests/testing.h"

#include <errno.h>
#include <signal.h>
#include <string.h>

#ifdef GIL_TWIN
extern const struct gil_class GIL_TWIN;
static const struct named_gil classes[] = { { "twin", &GIL_TWIN }, { NULL, NULL } };
#else
static const struct named_gil *const classes = gil_list;
#endif

/* What the holder of the lock works on. */
struct place {
    struct gil *gil;
    int rounds;
    pthread_barrier_t together; /* where the threads of all_visit begin */
    int64_t visits;             /* gil */
    _Atomic int inside;         /* threads that believe that they hold the lock */
    _Atomic int crowded;        /* two believed so at once */
    _Atomic int said, done;
};

/* Relaxed, so that the check orders nothing: that is for the lock to do, and TSan sees
 * at `visits` whether it does. */
static void visit(struct place *p)
{
    if (atomic_fetch_add_explicit(&p->inside, 1, memory_order_relaxed))
        announce(&p->crowded, 1);
    p->visits++;
    atomic_fetch_sub_explicit(&p->inside, 1, memory_order_relaxed);
}

static void *computes(void *argument)
{
    struct place *p = argument;
    struct thread self = { 0 };

    pthread_barrier_wait(&p->together);
    thread_start(&self, p->gil, NULL);
    for (int i = 0; i < p->rounds; i++) {
        visit(p);
        safepoint(&self);
    }
    thread_stop(&self);
    return NULL;
}

static void *blocks(void *argument)
{
    struct place *p = argument;
    struct thread self = { 0 };

    pthread_barrier_wait(&p->together);
    thread_start(&self, p->gil, NULL);
    for (int i = 0; i < p->rounds; i++) {
        visit(p);
        thread_detach(&self);
        thread_attach(&self);
    }
    thread_stop(&self);
    return NULL;
}

static void *comes_and_goes(void *argument)
{
    struct place *p = argument;

    pthread_barrier_wait(&p->together);
    for (int i = 0; i < p->rounds; i++) {
        struct thread self = { 0 };

        thread_start(&self, p->gil, NULL);
        visit(p);
        thread_stop(&self);
    }
    return NULL;
}

/* Every thread makes all its visits, one thread at a time. Deletes the lock. */
static void all_visit(struct gil *gil, int threads, int rounds, void *(*body)(void *))
{
    struct place p = { .gil = gil, .rounds = rounds };
    pthread_t ids[THREADS_MAX];

    assert_int_equal(pthread_barrier_init(&p.together, NULL, (unsigned)threads), 0);
    launch(ids, threads, body, &p);
    join(ids, threads);
    pthread_barrier_destroy(&p.together);
    gil_delete(gil);
    assert_int_equal(p.visits, (int64_t)threads * rounds);
    assert_int_equal(seen(&p.crowded), 0);
}

static void test_threads_that_compute_exclude_each_other(void **state)
{
    all_visit(new_gil(*state, SHORT_TURNS), 4, 20000, computes);
}

/* Turns so long that only a wake-up, and never a waiter's impatience, can end a wait. */
static void test_no_wake_up_is_lost(void **state)
{
    all_visit(new_gil(*state, LONG_TURNS), 4, 20000, blocks);
}

static void test_threads_leave_while_others_wait(void **state)
{
    all_visit(new_gil(*state, LONG_TURNS), 4, 10000, comes_and_goes);
}

static void test_64_threads_compute(void **state)
{
    all_visit(new_gil(*state, SHORT_TURNS), 64, 200, computes);
}

static void test_64_threads_block(void **state)
{
    all_visit(new_gil(*state, LONG_TURNS), 64, 200, blocks);
}

/* Ranges are for who reads the command line to check. */
static void test_parameters_are_used_as_set(void **state)
{
    const struct gil_class *class = *state;

    for (int i = 0; i < PARAM_MAX && class->param[i].name; i++) {
        const struct param *p = &class->param[i];
        const int64_t values[] = { p->least - 1, p->least, p->standard, p->most + 1 };

        for (size_t k = 0; k < sizeof values / sizeof *values; k++) {
            int64_t param[PARAM_MAX];
            struct gil *gil = new_gil(class, SHORT_TURNS);

            memcpy(param, gil->param, sizeof param);
            gil_delete(gil);
            param[i] = values[k];
            gil = gil_new(class, param);
            assert_non_null(gil);
            assert_memory_equal(gil->param, param, sizeof param);
            all_visit(gil, 2, 100, computes);
        }
    }
}

static void test_parameters_have_standard_values(void **state)
{
    const struct gil_class *class = *state;
    struct gil *gil = gil_new(class, NULL);

    assert_non_null(gil);
    for (int i = 0; i < PARAM_MAX; i++)
        assert_int_equal(gil->param[i], class->param[i].standard);
    all_visit(gil, 2, 100, computes);
}

static void *comes_once(void *argument)
{
    struct place *p = argument;
    struct thread self = { 0 };

    announce(&p->said, 1);
    errno = EDOM;
    thread_start(&self, p->gil, NULL);
    if (errno != EDOM)
        announce(&p->crowded, 1);
    visit(p);
    thread_stop(&self);
    announce(&p->done, 1);
    return NULL;
}

static void test_who_passes_safe_points_lets_a_waiter_in(void **state)
{
    struct place p = { .gil = new_gil(*state, SHORT_TURNS) };
    struct thread self = { 0 };
    pthread_t id;

    assert_int_equal(thread_start(&self, p.gil, NULL), 0);
    launch(&id, 1, comes_once, &p);
    while (!seen(&p.done))
        safepoint(&self);
    thread_stop(&self);
    join(&id, 1);
    gil_delete(p.gil);
}

static void let_go(struct thread *t, bool by_safepoint)
{
    if (by_safepoint) {
        safepoint(t);
        return;
    }
    thread_detach(t);
    thread_attach(t);
}

/* A lock may be asked to yield by others than its waiters. Answered, the request is
 * gone, unless the lock counts safe points and keeps it. */
static void test_a_request_with_nobody_waiting_is_answered(void **state)
{
    const struct gil_class *class = *state;
    struct gil *gil = new_gil(class, LONG_TURNS);
    struct thread self = { 0 };

    assert_int_equal(thread_start(&self, gil, NULL), 0);
    for (int i = 0; i < 100; i++) {
        thread_request(&self, BREAKER_GIL);
        let_go(&self, i % 2);
        assert_true(class->due || !is_asked(&self, BREAKER_GIL));
    }
    thread_stop(&self);
    gil_delete(gil);
}

static _Atomic int handled;

static void handle(int number)
{
    (void)number;
    atomic_fetch_add_explicit(&handled, 1, memory_order_relaxed);
}

/* No SA_RESTART: a system call that the lock waits in comes back with EINTR. */
static void test_a_signal_does_not_end_a_wait(void **state)
{
    struct place p = { .gil = new_gil(*state, LONG_TURNS) };
    struct sigaction action = { .sa_handler = handle };
    struct thread self = { 0 };
    pthread_t id;

    assert_int_equal(sigaction(SIGUSR1, &action, NULL), 0);
    atomic_store_explicit(&handled, 0, memory_order_relaxed);
    assert_int_equal(thread_start(&self, p.gil, NULL), 0);
    launch(&id, 1, comes_once, &p);
    wait_until(&p.said, 1);
    for (int i = 0; i < 200; i++) {
        assert_int_equal(pthread_kill(id, SIGUSR1), 0);
        tempt();
        assert_int_equal(p.visits, 0);
    }
    thread_stop(&self);
    join(&id, 1);
    gil_delete(p.gil);
    assert_int_equal(p.visits, 1);
    assert_int_equal(seen(&p.crowded), 0);
    assert_true(seen(&handled) > 0);
}

#ifndef GIL_TWIN

extern const struct gil_class gil_interval;

/* Visits at once whenever it has got the lock, and waits for it only when the main
 * thread has it again. */
static void *visits_first(void *argument)
{
    struct place *p = argument;
    struct thread self = { 0 };

    thread_start(&self, p->gil, NULL);
    visit(p);
    for (int i = 0; i < p->rounds; i++) {
        wait_detached(&self, &p->said, seen(&p->said) + 1);
        visit(p);
    }
    thread_stop(&self);
    atomic_fetch_add_explicit(&p->done, 1, memory_order_release);
    return NULL;
}

/* The main thread, once asked, must find that another has visited when it has the lock
 * again, whether it let go at a safe point or at a blocking call. The interval is long
 * enough for who asked to be asleep again, and so to lose an unfair race. */
static void test_who_was_asked_waits_for_another(void **state)
{
    enum { WAITERS = 3, INTERVAL_US = 200, FORCE = 1 };
    struct place p = { .gil = gil_new(&gil_interval, (int64_t[PARAM_MAX]){ INTERVAL_US, FORCE }),
                       .rounds = 100 };
    struct thread self = { 0 };
    pthread_t ids[WAITERS];
    int asked = 0, retaken = 0;

    set_watchdog(state);
    assert_non_null(p.gil);
    assert_int_equal(thread_start(&self, p.gil, NULL), 0);
    launch(ids, WAITERS, visits_first, &p);
    while (seen(&p.done) < WAITERS) {
        int64_t visits = p.visits;

        atomic_fetch_add_explicit(&p.said, 1, memory_order_release);
        if (!is_asked(&self, BREAKER_GIL))
            continue;
        tempt();
        let_go(&self, asked++ % 2);
        retaken += p.visits == visits;
    }
    thread_stop(&self);
    join(ids, WAITERS);
    gil_delete(p.gil);
    assert_true(asked >= p.rounds);
    assert_int_equal(retaken, 0);
}

static int fail_to_init(struct gil *gil)
{
    (void)gil;
    errno = EAGAIN;
    return -1;
}

static void test_a_lock_that_cannot_be_made_says_why(void **state)
{
    const struct gil_class class = { .size_bytes = sizeof(struct gil), .init = fail_to_init };

    (void)state;
    errno = 0;
    assert_null(gil_new(&class, NULL));
    assert_int_equal(errno, EAGAIN);
}

static int run_promises_of_some(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_who_was_asked_waits_for_another),
        cmocka_unit_test(test_a_lock_that_cannot_be_made_says_why),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}

#else

static int run_promises_of_some(void)
{
    return 0;
}

#endif

static const struct promise promises[] = {
    { "threads that compute exclude each other", test_threads_that_compute_exclude_each_other },
    { "no wake-up is lost", test_no_wake_up_is_lost },
    { "threads leave while others wait", test_threads_leave_while_others_wait },
    { "64 threads compute", test_64_threads_compute },
    { "64 threads block", test_64_threads_block },
    { "parameters are used as set", test_parameters_are_used_as_set },
    { "parameters have standard values", test_parameters_have_standard_values },
    { "who passes safe points lets a waiter in", test_who_passes_safe_points_lets_a_waiter_in },
    { "a request with nobody waiting is answered", test_a_request_with_nobody_waiting_is_answered },
    { "a signal does not end a wait", test_a_signal_does_not_end_a_wait },
    { NULL, NULL },
};

int main(void)
{
    return run_promises(promises, classes, LOCKS_THAT_EXCLUDE) + run_promises_of_some();
}
