/* test_counters.c - what is counted about a thread, on machines with counters and without. */
#include "lab/counters.h"

#include "gil/mutex.h"

#include <linux/perf_event.h>
#include <sched.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

/* That has one counter and lacks the others; what it counted is made up. */
static const struct counters one = { .fd = { 3, -1, -1 } };

static int64_t between(struct tally before, struct tally after)
{
    struct reading a = { .tally = { before } }, b = { .tally = { after } };

    return counters_between(&one, COUNTER_CYCLES, &a, &b);
}

static void what_was_counted_all_the_time_is_the_difference(void **state)
{
    (void)state;
    assert_int_equal(between((struct tally){ 100, 10, 10 }, (struct tally){ 400, 30, 30 }), 300);
}

static void counter_that_took_turns_is_scaled_up(void **state)
{
    (void)state;
    assert_int_equal(between((struct tally){ 100, 10, 10 }, (struct tally){ 400, 50, 20 }), 1200);
}

static void counter_that_never_had_its_turn_is_not_known(void **state)
{
    (void)state;
    assert_int_equal(between((struct tally){ 100, 10, 10 }, (struct tally){ 100, 50, 10 }), -1);
}

static void thread_that_did_not_run_did_nothing(void **state)
{
    (void)state;
    assert_int_equal(between((struct tally){ 100, 10, 10 }, (struct tally){ 100, 10, 10 }), 0);
}

static void what_could_not_be_read_is_not_known(void **state)
{
    struct reading none = { .tally = { { 0 } } };

    (void)state;
    assert_int_equal(between((struct tally){ 100, 10, 10 }, (struct tally){ 0 }), -1);
    assert_int_equal(counters_between(&one, COUNTER_INSTRUCTIONS, &none, &none), -1);
}

/* A thread that works until it is told to stop, and has let its number be known. */
struct busy {
    pthread_t os_thread;
    _Atomic pid_t tid;
    _Atomic bool stop;
    _Atomic uint64_t turns;
};

static void *busy_main(void *argument)
{
    struct busy *b = argument;

    atomic_store_explicit(&b->tid, gettid(), memory_order_relaxed);
    while (!atomic_load_explicit(&b->stop, memory_order_relaxed))
        atomic_fetch_add_explicit(&b->turns, 1, memory_order_relaxed);
    return NULL;
}

/* Its number. */
static pid_t start_busy(struct busy *b)
{
    *b = (struct busy){ 0 };
    assert_int_equal(pthread_create(&b->os_thread, NULL, busy_main, b), 0);
    while (!atomic_load_explicit(&b->tid, memory_order_relaxed))
        sched_yield();
    return atomic_load_explicit(&b->tid, memory_order_relaxed);
}

static void let_it_work(struct busy *b)
{
    uint64_t until = atomic_load_explicit(&b->turns, memory_order_relaxed) + 1000000;

    while (atomic_load_explicit(&b->turns, memory_order_relaxed) < until)
        sched_yield();
}

static void stop_busy(struct busy *b)
{
    atomic_store_explicit(&b->stop, true, memory_order_relaxed);
    pthread_join(b->os_thread, NULL);
}

/* The same by the kernel's own clock of the thread, which virtual machines have as well. */
static int open_task_clock(pid_t thread)
{
    struct perf_event_attr attributes = {
        .type = PERF_TYPE_SOFTWARE, .size = sizeof attributes,
        .config = PERF_COUNT_SW_TASK_CLOCK, .exclude_kernel = 1, .exclude_hv = 1,
        .read_format = PERF_FORMAT_TOTAL_TIME_ENABLED | PERF_FORMAT_TOTAL_TIME_RUNNING,
    };

    return (int)syscall(SYS_perf_event_open, &attributes, thread, -1, -1, PERF_FLAG_FD_CLOEXEC);
}

static void work_of_another_thread_is_counted(void **state)
{
    struct reading before, after;
    struct counters c;
    struct busy b;

    (void)state;
    c.thread = start_busy(&b);
    c = (struct counters){ c.thread, { open_task_clock(c.thread), -1, -1 } };
    if (c.fd[0] < 0) {
        stop_busy(&b);
        skip();
    }
    counters_read(&c, &before);
    let_it_work(&b);
    counters_read(&c, &after);
    assert_true(counters_between(&c, COUNTER_CYCLES, &before, &after) > 0);
    stop_busy(&b);
    counters_close(&c);
}

static void machine_with_counters_has_numbers_and_another_has_none(void **state)
{
    struct reading before, after;
    struct counters c;
    struct busy b;
    int64_t cycles;

    (void)state;
    counters_open(&c, start_busy(&b));
    counters_read(&c, &before);
    let_it_work(&b);
    counters_read(&c, &after);
    cycles = counters_between(&c, COUNTER_CYCLES, &before, &after);
    if (counters_probe())
        assert_int_equal(cycles, -1);
    else
        assert_true(cycles > 0);
    stop_busy(&b);
    counters_close(&c);
}

/* A thread that hands a byte to and fro gives up its processor each time. */
static void *answer_main(void *argument)
{
    int *ends = argument;
    char byte;

    while (read(ends[0], &byte, 1) == 1)
        assert_int_equal(write(ends[1], &byte, 1), 1);
    return NULL;
}

static void exchange(int to, int from, int times)
{
    char byte = 0;

    for (int i = 0; i < times; i++) {
        assert_int_equal(write(to, &byte, 1), 1);
        assert_int_equal(read(from, &byte, 1), 1);
    }
}

static void thread_that_waits_gives_up_its_processor(void **state)
{
    struct counters c = { gettid(), { -1, -1, -1 } };
    struct reading before, after;
    int there[2], back[2];
    pthread_t other;

    (void)state;
    assert_int_equal(pipe(there), 0);
    assert_int_equal(pipe(back), 0);
    assert_int_equal(pthread_create(&other, NULL, answer_main, (int[]){ there[0], back[1] }), 0);
    counters_read(&c, &before);
    for (int i = 0; i < 100; i++) { /* on a busy machine an answer may always be there already */
        exchange(there[1], back[0], 1000);
        counters_read(&c, &after);
        if (after.voluntary_switches > before.voluntary_switches)
            break;
    }
    assert_in_range(after.voluntary_switches - before.voluntary_switches, 1, 100000);
    assert_true(before.involuntary_switches >= 0);
    close(there[1]);
    pthread_join(other, NULL);
    close(there[0]), close(back[0]), close(back[1]);
}

static void thread_that_is_gone_is_not_known(void **state)
{
    struct counters c;
    struct reading now;
    struct busy b;
    pid_t gone = start_busy(&b);

    (void)state;
    stop_busy(&b);
    /* The kernel may let the number go only after the join. */
    do {
        counters_open(&c, gone);
        counters_read(&c, &now);
        counters_close(&c);
    } while (now.voluntary_switches >= 0);
    assert_int_equal(now.involuntary_switches, -1);
}

enum { BALLAST_BYTES = 256 << 20, SMALL_BYTES = 192 << 20 };
/* What a byte that is written may take: TSan keeps four more of each. */
#if defined(__SANITIZE_THREAD__)
enum { BYTES_OF_EACH = 6 };
#else
enum { BYTES_OF_EACH = 2 };
#endif

/* The child is small; by ru_maxrss it would be as large as this program is here. */
static void peak_is_of_this_process_and_not_of_its_parent(void **state)
{
        char *ballast = malloc(BALLAST_BYTES);
    int status;
    pid_t child;

    (void)state;
    memset(ballast, 1, BALLAST_BYTES);
    assert_true(counters_max_rss_bytes() > BALLAST_BYTES);
    child = fork();
    if (child == 0) {
        execl("/proc/self/exe", "test_counters", "peak", (char *)NULL);
        _exit(127);
    }
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_int_equal(status, 0);
    free(ballast);
}

/* As that child: 0 if it knows that it is small. */
static int child_is_small(void)
{
    uint64_t peak_bytes = counters_max_rss_bytes();

    return peak_bytes == 0 || peak_bytes >= SMALL_BYTES;
}

static double own_seconds(void)
{
    struct timespec used;

    assert_int_equal(clock_gettime(CLOCK_THREAD_CPUTIME_ID, &used), 0);
    return (double)used.tv_sec + (double)used.tv_nsec / 1e9;
}

/* One that has ended is not forgotten. */
static void process_is_all_of_its_threads(void **state)
{
    struct process_reading before, after;
    double own;
    struct busy b;

    (void)state;
    own = own_seconds();
    counters_read_process(&before);
    start_busy(&b);
    let_it_work(&b);
    stop_busy(&b);
    counters_read_process(&after);
    own = own_seconds() - own;
    assert_true(after.cpu_seconds - before.cpu_seconds > own);
    assert_true(after.voluntary_switches >= before.voluntary_switches);
    assert_true(after.involuntary_switches >= before.involuntary_switches);
}

static void resident_memory_is_what_was_touched(void **state)
{
    int64_t before = counters_resident_bytes(), after;
    char *volatile ballast = malloc(BALLAST_BYTES); /* volatile: else nobody would need the bytes */

    (void)state;
    assert_true(before > 0);
    assert_non_null(ballast);
    memset(ballast, 1, BALLAST_BYTES);
    after = counters_resident_bytes();
    free(ballast);
    assert_in_range(after - before, SMALL_BYTES, (int64_t)BYTES_OF_EACH * BALLAST_BYTES);
}

int main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_was_counted_all_the_time_is_the_difference),
        cmocka_unit_test(counter_that_took_turns_is_scaled_up),
        cmocka_unit_test(counter_that_never_had_its_turn_is_not_known),
        cmocka_unit_test(thread_that_did_not_run_did_nothing),
        cmocka_unit_test(what_could_not_be_read_is_not_known),
        cmocka_unit_test(work_of_another_thread_is_counted),
        cmocka_unit_test(machine_with_counters_has_numbers_and_another_has_none),
        cmocka_unit_test(thread_that_waits_gives_up_its_processor),
        cmocka_unit_test(thread_that_is_gone_is_not_known),
        cmocka_unit_test(peak_is_of_this_process_and_not_of_its_parent),
        cmocka_unit_test(process_is_all_of_its_threads),
        cmocka_unit_test(resident_memory_is_what_was_touched),
    };

    if (argc > 1 && !strcmp(argv[1], "peak"))
        return child_is_small();
    return cmocka_run_group_tests(tests, NULL, NULL);
}
