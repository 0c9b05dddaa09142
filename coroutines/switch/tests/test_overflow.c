/* test_overflow.c - who runs off its stack is named, and dies as it would have; in children. */
#include "coroutines/switch/tests/testing.h"

#include "coroutines/switch/overflow.h"

#include <signal.h>

/* How children end that have not crashed. */
enum { FAILED = 11, SURVIVED = 12 };

/* Goes on until something stops it. */
static __attribute__((noinline)) intptr_t recurse(intptr_t depth)
{
    volatile char frame[256];

    frame[depth % 256] = (char)depth;
    if (depth > 1000000)
        return 0;
    return recurse(depth + 1) + frame[depth % 256];
}

static void *run_off(struct fiber *self, void *first)
{
    (void)self;
    return pointer(recurse(number(first)));
}

static int overflow(size_t stack_bytes)
{
    struct fiber *f;

    f = fiber_new_with(&here, "deep thought", run_off, way, stack_bytes);
    if (!f || overflow_watch(&here) < 0)
        return FAILED;
    fiber_resume(&here, f, NULL);
    return SURVIVED;
}

static int overflow_standard(void)
{
    return overflow(0);
}

static int overflow_large(void)
{
    return overflow(4 * STACK_STANDARD_BYTES);
}

/* By SIGSEGV, or by a sanitizer's report of it, which ends a program in its own way. */
static bool has_crashed(struct ended ended)
{
    if (SANITIZED)
        return WIFEXITED(ended.status) && WEXITSTATUS(ended.status) == (REPORTS_RACES ? 66 : 1);
    return WIFSIGNALED(ended.status) && WTERMSIG(ended.status) == SIGSEGV;
}

static void check_report(struct ended ended, size_t size_bytes)
{
    char expected[120];

    snprintf(expected, sizeof expected,
             "coroutine 'deep thought' has overflowed its stack of %zu KiB\n", size_bytes / KIB);
    if (!strstr(ended.said, expected))
        print_message("# status %x, said: %s\n", (unsigned)ended.status, ended.said);
    assert_non_null(strstr(ended.said, expected));
    assert_true(has_crashed(ended));
}

static size_t standard_bytes(void)
{
    return way == &way_copystack ? 4 * STACK_STANDARD_BYTES : STACK_STANDARD_BYTES;
}

static void test_an_overflow_is_reported(void **state)
{
    (void)state;
    check_report(in_child(overflow_standard), standard_bytes());
}

static void test_and_of_a_larger_stack(void **state)
{
    (void)state;
    check_report(in_child(overflow_large), 4 * STACK_STANDARD_BYTES);
}

static void test_and_with_a_guard_of_its_own_map(void **state)
{
    enum stack_guard usual = stack_guard();

    (void)state;
    stack_use_guard(STACK_GUARD_PROTECT);
    check_report(in_child(overflow_large), 4 * STACK_STANDARD_BYTES);
    stack_use_guard(usual);
}

static void *overflow_on_thread(void *argument)
{
    struct carrier t;
    struct fiber *f;

    carrier_open(&t);
    f = fiber_new_with(&t, "deep thought", run_off, way, 0);
    overflow_watch(&t);
    fiber_resume(&t, f, NULL);
    return argument;
}

static int overflow_another_thread(void)
{
    pthread_t id;

    overflow_watch(&here);
    pthread_create(&id, NULL, overflow_on_thread, NULL);
    pthread_join(id, NULL);
    return SURVIVED;
}

static void test_and_on_another_thread(void **state)
{
    (void)state;
    if (REPORTS_RACES) {
        print_message("# skipped: TSan starts no threads in a forked child\n");
        return;
    }
    check_report(in_child(overflow_another_thread), standard_bytes());
}

static volatile int nowhere; /* so that the compiler does not know */

static void *crash(struct fiber *self, void *first)
{
    (void)self;
    *(volatile char *)(intptr_t)nowhere = 1;
    return first;
}

static int crash_otherwise(void)
{
    overflow_watch(&here);
    fiber_resume(&here, new_fiber("innocent", crash), NULL);
    return SURVIVED;
}

static void test_another_crash_is_not_reported(void **state)
{
    struct ended ended = in_child(crash_otherwise);

    (void)state;
    assert_null(strstr(ended.said, "has overflowed"));
    assert_true(has_crashed(ended));
}

static int crash_the_thread(void)
{
    overflow_watch(&here);
    crash(NULL, NULL);
    return SURVIVED;
}

static void test_nor_one_of_the_thread_itself(void **state)
{
    struct ended ended = in_child(crash_the_thread);

    (void)state;
    assert_null(strstr(ended.said, "has overflowed"));
    assert_true(has_crashed(ended));
}

static int signal_from_outside(void)
{
    overflow_watch(&here);
    kill(getpid(), SIGSEGV);
    return SURVIVED;
}

static void test_who_is_sent_the_signal_dies_of_it(void **state)
{
    (void)state;
    assert_true(has_crashed(in_child(signal_from_outside)));
}

static void end_quietly(int signal)
{
    _exit(signal == SIGSEGV ? 99 : 98);
}

static void end_with_place(int signal, siginfo_t *info, void *context)
{
    bool guarded = stack_guards(here.current->stack, info->si_addr);

    _exit(signal == SIGSEGV && guarded && context ? 97 : 98);
}

static int overflow_with_handler(void)
{
    struct sigaction action = { .sa_handler = end_quietly };

    sigaction(SIGSEGV, &action, NULL);
    return overflow(0);
}

static int overflow_with_siginfo(void)
{
    struct sigaction action = { .sa_sigaction = end_with_place, .sa_flags = SA_SIGINFO };

    sigaction(SIGSEGV, &action, NULL);
    return overflow(0);
}

static void test_who_handled_the_signal_before_gets_it(void **state)
{
    struct ended ended = in_child(overflow_with_handler);

    (void)state;
    assert_non_null(strstr(ended.said, "'deep thought' has overflowed"));
    assert_true(WIFEXITED(ended.status));
    assert_int_equal(WEXITSTATUS(ended.status), 99);
    ended = in_child(overflow_with_siginfo);
    assert_non_null(strstr(ended.said, "'deep thought' has overflowed"));
    assert_int_equal(WEXITSTATUS(ended.status), 97);
}

static int watch_and_unwatch(void)
{
    stack_t before, during, after;

    sigaltstack(&(stack_t){ .ss_flags = SS_DISABLE }, NULL);
    sigaltstack(NULL, &before);
    if (overflow_watch(&here) < 0 || sigaltstack(NULL, &during) < 0)
        return FAILED;
    overflow_unwatch(&here);
    if (here.signals)
        return FAILED;
    overflow_unwatch(&here);
    sigaltstack(NULL, &after);
    return before.ss_flags == SS_DISABLE && during.ss_flags == 0 && after.ss_flags == SS_DISABLE
               ? 0 : SURVIVED;
}

static int watch_with_own_stack(void)
{
    static char own[256 * KIB];
    stack_t there;

    sigaltstack(&(stack_t){ .ss_sp = own, .ss_size = sizeof own }, NULL);
    if (overflow_watch(&here) < 0 || here.signals)
        return FAILED;
    overflow_unwatch(&here);
    sigaltstack(NULL, &there);
    return there.ss_sp == own ? 0 : SURVIVED;
}

static void test_the_stack_for_signals_comes_and_goes(void **state)
{
    (void)state;
    assert_int_equal(in_child(watch_and_unwatch).status, 0);
    assert_int_equal(in_child(watch_with_own_stack).status, 0);
}

static const struct promise promises[] = {
    { "an overflow is reported", test_an_overflow_is_reported },
    { "and of a larger stack", test_and_of_a_larger_stack },
    { "and with a guard of its own map", test_and_with_a_guard_of_its_own_map },
    { "and on another thread", test_and_on_another_thread },
    { "another crash is not reported", test_another_crash_is_not_reported },
    { "nor one of the thread itself", test_nor_one_of_the_thread_itself },
    { "who is sent the signal dies of it", test_who_is_sent_the_signal_dies_of_it },
    { "who handled the signal before gets it", test_who_handled_the_signal_before_gets_it },
    { "the stack for signals comes and goes", test_the_stack_for_signals_comes_and_goes },
    { NULL, NULL },
};

int main(void)
{
    return run_promises(promises, way_list);
}
