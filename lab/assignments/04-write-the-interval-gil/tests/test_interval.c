/* test_interval.c - what is asked of the interval lock beyond what every lock promises: when a
 * holder is asked, and who goes on after that. */
#include "gil/mutex.h"
#include "gil/tests/testing.h"
#include "lab/grade/inside/count.h"

#include <string.h>

extern const struct gil_class GIL_TWIN;

enum { FORCE = 1 };

struct place {
    struct gil *gil;
    _Atomic int said, done;
    int64_t visits; /* gil */
};

static struct gil *new_interval(int64_t interval_us, int64_t force)
{
    struct gil *gil = gil_new(&GIL_TWIN, (int64_t[PARAM_MAX]){ interval_us, force });

    assert_non_null(gil);
    return gil;
}

static void test_it_has_the_parameters_of_interval(void **state)
{
    (void)state;
    assert_string_equal(GIL_TWIN.param[0].name, "interval_us");
    assert_int_equal(GIL_TWIN.param[0].standard, 5000);
    assert_string_equal(GIL_TWIN.param[1].name, "force");
    assert_int_equal(GIL_TWIN.param[1].standard, 1);
}

static void *comes_once(void *argument)
{
    struct place *p = argument;
    struct thread self = { 0 };

    thread_start(&self, p->gil, NULL);
    thread_stop(&self);
    announce(&p->done, 1);
    return NULL;
}

/* The holder passes no safe point until it is asked. */
static void test_a_waiter_asks_when_an_interval_has_passed(void **state)
{
    enum { INTERVAL_US = 50000 };
    struct place p = { .gil = new_interval(INTERVAL_US, FORCE) };
    struct thread self = { 0 };
    uint64_t came_ns;
    pthread_t id;

    (void)state;
    assert_int_equal(thread_start(&self, p.gil, NULL), 0);
    came_ns = clock_ns();
    launch(&id, 1, comes_once, &p);
    while (!is_asked(&self, BREAKER_GIL))
        sched_yield();
    assert_true(clock_ns() - came_ns >= (uint64_t)INTERVAL_US * NS_PER_US);
    while (!seen(&p.done))
        safepoint(&self);
    thread_stop(&self);
    join(&id, 1);
    gil_delete(p.gil);
}

static void *comes_again_and_again(void *argument)
{
    struct place *p = argument;
    struct thread self = { 0 };

    thread_start(&self, p->gil, NULL);
    while (!seen(&p->done)) {
        p->visits++;
        thread_detach(&self);
        thread_attach(&self);
    }
    thread_stop(&self);
    return NULL;
}

/* An interval so long that only whoever forgets to wait for it asks. */
static void test_who_lets_go_in_time_is_not_asked(void **state)
{
    enum { INTERVAL_US = 5000000, MEETINGS = 200 };
    struct place p = { .gil = new_interval(INTERVAL_US, FORCE) };
    struct thread self = { 0 };
    pthread_t id;

    (void)state;
    assert_int_equal(thread_start(&self, p.gil, NULL), 0);
    launch(&id, 1, comes_again_and_again, &p);
    while (p.visits < MEETINGS) {
        assert_false(is_asked(&self, BREAKER_GIL));
        thread_detach(&self);
        sched_yield();
        thread_attach(&self);
    }
    announce(&p.done, 1);
    thread_stop(&self);
    join(&id, 1);
    gil_delete(p.gil);
}

/* Visits at once whenever it has got the lock, and comes for it only when the main thread has it
 * again. */
static void *visits_first(void *argument)
{
    struct place *p = argument;
    struct thread self = { 0 };

    thread_start(&self, p->gil, NULL);
    p->visits++;
    for (int i = 0; i < 100; i++) {
        wait_detached(&self, &p->said, seen(&p->said) + 1);
        p->visits++;
    }
    thread_stop(&self);
    atomic_fetch_add_explicit(&p->done, 1, memory_order_release);
    return NULL;
}

/* Of a hundred times and more that the main thread was asked: how often nobody had been before it
 * when it had the lock again. */
static void test_turns_that_are_kept_are_counted(void **state)
{
    enum { WAITERS = 3, INTERVAL_US = 200 };
    struct place p = { .gil = new_interval(INTERVAL_US, FORCE) };
    struct thread self = { 0 };
    pthread_t ids[WAITERS];
    int asked = 0, kept = 0;

    (void)state;
    assert_int_equal(thread_start(&self, p.gil, NULL), 0);
    launch(ids, WAITERS, visits_first, &p);
    while (seen(&p.done) < WAITERS) {
        int64_t visits = p.visits;

        atomic_fetch_add_explicit(&p.said, 1, memory_order_release);
        if (!is_asked(&self, BREAKER_GIL))
            continue;
        tempt();
        asked++;
        safepoint(&self);
        kept += p.visits == visits;
    }
    thread_stop(&self);
    join(ids, WAITERS);
    gil_delete(p.gil);
    assert_true(asked >= 50);
    grade_count("turns kept", 100.0 * kept / asked);
}

static const struct promise promises[] = {
    { "it has the parameters of interval", test_it_has_the_parameters_of_interval },
    { "a waiter asks when an interval has passed", test_a_waiter_asks_when_an_interval_has_passed },
    { "who lets go in time is not asked", test_who_lets_go_in_time_is_not_asked },
    { "turns that are kept are counted", test_turns_that_are_kept_are_counted },
    { NULL, NULL },
};

int main(void)
{
    static const struct named_gil classes[] = { { "mine", &GIL_TWIN }, { NULL, NULL } };

    return run_promises(promises, classes, LOCKS_THAT_EXCLUDE);
}
