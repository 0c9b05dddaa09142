/* testing.h - what the tests of fibers share.
 *
 * A promise is a test that every way must keep: `run_promises` makes one cmocka test of each
 * promise and each way that can be used here, which finds the way in `way` and its thread's
 * carrier in `here`. Assertions of cmocka belong to the thread itself; fibers, and other threads,
 * write down what they see.
 */
#ifndef COROUTINES_SWITCH_TESTS_TESTING_H
#define COROUTINES_SWITCH_TESTS_TESTING_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "coroutines/switch/fiber.h"

#include <errno.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

struct promise {
    const char *name;
    void (*test)(void **state);
};

extern const struct way way_native, way_ucontext, way_copystack;

static const struct way *way;
static struct carrier here;
static struct sigaction segv_at_start; /* cmocka has a handler of its own */

enum { WATCHDOG_S = 60, PROMISES_MAX = 200, NAME_MAX_BYTES = 120, KIB = 1024 };

static inline int begin_with_carrier(void **state)
{
    alarm(WATCHDOG_S);
    way = *state;
    carrier_open(&here);
    return 0;
}

static inline int end_with_carrier(void **state)
{
    (void)state;
    carrier_close(&here);
    return carrier_self() ? -1 : 0;
}

/* `ways` ends with a NULL name. */
static inline int run_promises(const struct promise *promises, const struct named_way *ways)
{
    static char names[PROMISES_MAX][NAME_MAX_BYTES];
    static struct CMUnitTest tests[PROMISES_MAX];
    size_t count = 0;

    sigaction(SIGSEGV, NULL, &segv_at_start);
    for (const struct named_way *w = ways; w->name; w++) {
        if (w->way->refusal())
            printf("# skipped: %s\n", w->way->refusal());
        for (const struct promise *p = promises; p->name && !w->way->refusal(); p++) {
            assert(count < PROMISES_MAX);
            snprintf(names[count], NAME_MAX_BYTES, "%s: %s", w->name, p->name);
            tests[count] = (struct CMUnitTest){ names[count], p->test, begin_with_carrier,
                                                end_with_carrier, (void *)(uintptr_t)w->way };
            count++;
        }
    }
    return _cmocka_run_group_tests("ways", tests, count, NULL, NULL);
}

static inline struct fiber *new_fiber(const char *name, fiber_entry *entry)
{
    struct fiber *f = fiber_new_with(&here, name, entry, way, 0);

    assert_non_null(f);
    return f;
}

static inline void destroy(struct fiber *f)
{
    assert_int_equal(fiber_destroy(&here, f), 0);
}

static inline void *pointer(intptr_t number)
{
    return (void *)number;
}

static inline intptr_t number(const void *pointer)
{
    return (intptr_t)pointer;
}

static inline intptr_t resume(struct fiber *f, intptr_t value)
{
    return number(fiber_resume(&here, f, pointer(value)));
}

/* So deep in the stack that what stands there takes more than `bytes`; then calls. */
static __attribute__((noinline, unused)) void *
call_deep(size_t bytes, void *(*call)(void *argument), void *argument)
{
    char frame[512];
    void *result;

    memset(frame, 0x5a, sizeof frame);
    __asm__ volatile("" : : "r"(frame) : "memory"); /* or the compiler leaves it out */
    result =
        bytes <= sizeof frame ? call(argument) : call_deep(bytes - sizeof frame, call, argument);
    return frame[0] == 0x5a ? result : FIBER_FAILED;
}

/* How a child ends: what it says on standard error, and its status. */
struct ended {
    char said[4096];
    int status;
};

/* Runs `body` in a child, which ends with what that returns. */
static inline struct ended in_child(int (*body)(void))
{
    struct ended ended = { .status = 0 };
    size_t length = 0;
    int ends[2];
    ssize_t got;
    pid_t pid;

    assert_int_equal(pipe(ends), 0);
    fflush(NULL);
    pid = fork();
    if (pid == 0) {
        setrlimit(RLIMIT_CORE, &(struct rlimit){ 0, 0 });
        dup2(ends[1], STDERR_FILENO);
        sigaction(SIGSEGV, &segv_at_start, NULL);
        _exit(body());
    }
    close(ends[1]);
    while (length < sizeof ended.said - 1 &&
           (got = read(ends[0], ended.said + length, sizeof ended.said - 1 - length)) > 0)
        length += (size_t)got;
    close(ends[0]);
    assert_int_equal(waitpid(pid, &ended.status, 0), pid);
    return ended;
}

#endif
