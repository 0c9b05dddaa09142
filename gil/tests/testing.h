/* testing.h - what the tests of threads and locks share.
 *
 * A promise is a test that every lock must keep: `run_promises` makes one cmocka test
 * of each promise and each class, and gives the class to it as *state. Assertions of
 * cmocka belong to the main thread; other threads write down what they see.
 */
#ifndef GIL_TESTS_TESTING_H
#define GIL_TESTS_TESTING_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "gil/gil.h"
#include "gil/thread.h"

#include <assert.h>
#include <pthread.h>
#include <sched.h>
#include <stdio.h>
#include <unistd.h>

struct promise {
    const char *name;
    void (*test)(void **state);
};

/* A test that hangs dies of SIGALRM. The signal is not caught, since TSan puts off
 * handlers, for ever in a thread that spins. A twin is expected to hang; a submission may be
 * right, on a busy machine. */
#ifdef GIL_WATCHDOG_S
enum { WATCHDOG_S = GIL_WATCHDOG_S };
#elif defined(GIL_TWIN)
enum { WATCHDOG_S = 5 };
#else
enum { WATCHDOG_S = 60 };
#endif

static inline int set_watchdog(void **state)
{
    (void)state;
    alarm(WATCHDOG_S);
    return 0;
}

static inline int nobody_is_left(void **state)
{
    (void)state;
    return world_threads() == 0 && !thread_self ? 0 : -1;
}

enum { PROMISES_MAX = 200, NAME_MAX_BYTES = 120 };

enum which_locks { EVERY_LOCK, LOCKS_THAT_EXCLUDE, LOCKS_THAT_ARE_FAIR };

static inline bool is_among(const struct gil_class *class, enum which_locks which)
{
    return which == EVERY_LOCK || (which == LOCKS_THAT_EXCLUDE ? class->excludes : class->fair);
}

static inline int run_promises(const struct promise *promises, const struct named_gil *classes,
                               enum which_locks which)
{
    static char names[PROMISES_MAX][NAME_MAX_BYTES];
    static struct CMUnitTest tests[PROMISES_MAX];
    size_t count = 0;

    for (const struct named_gil *c = classes; c->name; c++)
        for (const struct promise *p = promises; p->name && count < PROMISES_MAX; p++) {
            if (!is_among(c->class, which))
                continue;
            snprintf(names[count], NAME_MAX_BYTES, "%s: %s", c->name, p->name);
            tests[count] = (struct CMUnitTest){ names[count], p->test, set_watchdog,
                                                nobody_is_left, (void *)(uintptr_t)c->class };
            count++;
        }
    assert(count < PROMISES_MAX);
    return _cmocka_run_group_tests("locks", tests, count, NULL, NULL);
}

/* How to set a lock's first parameter, which says how long a thread may keep it. */
enum turns { SHORT_TURNS, LONG_TURNS };

static inline struct gil *new_gil(const struct gil_class *class, enum turns turns)
{
    int64_t param[PARAM_MAX];
    struct gil *gil;

    for (int i = 0; i < PARAM_MAX; i++)
        param[i] = class->param[i].standard;
    param[0] = turns == SHORT_TURNS ? class->param[0].least : class->param[0].most;
    gil = gil_new(class, param);
    assert_non_null(gil);
    return gil;
}

enum { THREADS_MAX = 64 };

static inline void launch(pthread_t *ids, int threads, void *(*body)(void *), void *argument)
{
    assert_true(threads <= THREADS_MAX);
    for (int i = 0; i < threads; i++)
        assert_int_equal(pthread_create(&ids[i], NULL, body, argument), 0);
}

static inline void join(const pthread_t *ids, int threads)
{
    for (int i = 0; i < threads; i++)
        assert_int_equal(pthread_join(ids[i], NULL), 0);
}

static inline int seen(_Atomic int *value)
{
    return atomic_load_explicit(value, memory_order_acquire);
}

static inline void wait_until(_Atomic int *value, int at_least)
{
    while (seen(value) < at_least)
        sched_yield();
}

/* As a blocking call: the caller is attached. */
static inline void wait_detached(struct thread *t, _Atomic int *value, int at_least)
{
    thread_detach(t);
    wait_until(value, at_least);
    thread_attach(t);
}

static inline void announce(_Atomic int *value, int now)
{
    atomic_store_explicit(value, now, memory_order_release);
}

/* Gives a thread that ought to stand still some microseconds, and this core, to be
 * caught running. Nothing that is right depends on it. */
static inline void tempt(void)
{
    for (volatile int i = 0; i < 5000; i++)
        ;
    sched_yield();
}

static inline bool is_asked(struct thread *t, uint32_t bits)
{
    return atomic_load_explicit(&t->breaker, memory_order_relaxed) & bits;
}

#endif
