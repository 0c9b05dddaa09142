/* test_demos.c - the demonstrations, as they are told under this policy. */
#include "benches/tests/telling.h"

#include <dirent.h>
#include <sched.h>
#include <string.h>

extern const struct demo demo_blocked_loop, demo_deadlock, demo_executor_deadlock,
    demo_loop_threads, demo_not_thread_safe, demo_race, demo_refcount;
extern const struct gil_class gil_interval;

enum { AS_USUAL, NAIVE_CONTAINERS, DEADLOCKS = 20 };

static void test_refcount_prints_what_cpython_prints(void **state)
{
    (void)state;
    tell(&demo_refcount, &gil_interval);
    assert_string_equal(text, "a = []      2\nb = a       3\ninside(a)   4\ndel b       2\n");
}

/* It ends by itself, for the watchdog has seen what no pool can prevent. */
static void test_executor_deadlock_names_who_waits(void **state)
{
    (void)state;
    tell(&demo_executor_deadlock, RC_NEEDS_GIL ? &gil_interval : &gil_none);
    assert_non_null(strstr(text, "DEADLOCK: lone_0 waits for inner(), which is queued in lone"));
    /* Which of the two took the first job is the kernel's affair. */
    assert_non_null(strstr(text, " waits for b(), which runs on pair_"));
    assert_non_null(strstr(text, " waits for a(), which runs on pair_"));
    assert_non_null(strstr(text, "has raised RuntimeError: this wait was part of a deadlock\n"));
}

/* The number behind this line's colon. */
static int threads_when(const char *line)
{
    const char *found = strstr(text, line);
    int count = -1;

    assert_non_null(found);
    assert_int_equal(sscanf(found + strlen(line), ": %d", &count), 1);
    return count;
}

static int most_workers(void)
{
    long most = sysconf(_SC_NPROCESSORS_ONLN) + 4;

    return most < 32 ? (int)most : 32;
}

static int count_threads(void)
{
    DIR *folder = opendir("/proc/self/task");
    int count = -2; /* . and .. */

    assert_non_null(folder);
    while (readdir(folder))
        count++;
    closedir(folder);
    return count;
}

/* A thread that has ended is counted until the kernel has put it away. TSan has one of its own. */
static void wait_for_threads_of_others(void)
{
    while (count_threads() > 1 + REPORTS_RACES)
        usleep(1000);
}

static void test_loop_threads_are_counted(void **state)
{
    int before;

    (void)state;
    wait_for_threads_of_others();
    tell(&demo_loop_threads, RC_NEEDS_GIL ? &gil_interval : &gil_none);
    before = threads_when("there is no loop yet");
    assert_int_equal(threads_when("a loop runs, and 1000 tasks wait in it"), before);
    assert_int_equal(threads_when("it has had a call made in its executor"), before + 1);
    assert_int_equal(threads_when("64 calls block there at the same time"),
                     before + most_workers());
    assert_int_equal(threads_when("they have ended"), before + most_workers());
    assert_int_equal(threads_when("run() has returned"), before);
    assert_non_null(strstr(text, " main, "));
    assert_non_null(strstr(text, ", asyncio_0\n"));
    assert_non_null(strstr(text, "asyncio_4"));
}

enum { ASKED = 24000 }; /* by 1000 clients in half a second */

/* Of a window: whether all were answered, and how late the last was; the line that follows. The
 * slowest callback may be known only as one of a few. */
static const char *look_at_window(const char *what, double *max_ms, char *slowest)
{
    const char *line = strstr(text, what);
    double p50, p99, turn;
    int asked;

    assert_non_null(line);
    assert_int_equal(sscanf(line + strlen(what), "%d %lf %lf %lf %lf %31[a-z_-]", &asked, &p50,
                            &p99, max_ms, &turn, slowest), 6);
    assert_int_equal(asked, ASKED);
    assert_true(p50 <= p99 && p99 <= *max_ms);
    return strchr(line, '\n') + 1;
}

/* What the machine's other work does to the clients is not ours to judge; what read_file does
 * is. */
static void test_a_blocked_loop_is_named_and_cured(void **state)
{
    char slowest[32];
    const char *next;
    double max_ms;

    (void)state;
    tell(&demo_blocked_loop, RC_NEEDS_GIL ? &gil_interval : &gil_none);
    look_at_window("before", &max_ms, slowest);
    assert_string_not_equal(slowest, "read_file");
    next = look_at_window("a callback blocks", &max_ms, slowest);
    assert_true(max_ms >= 180); /* somebody asked in the first interval of it */
    assert_true(strcmp(slowest, "read_file") == 0 || strcmp(slowest, "one") == 0);
    assert_non_null(strstr(next, "read_file has run for "));
    next = look_at_window("run_in_executor", &max_ms, slowest);
    assert_string_not_equal(slowest, "read_file");
    assert_null(strstr(next, "read_file"));
}

static void test_race_goes_well_where_counts_are_protected(void **state)
{
    (void)state;
    tell(&demo_race, RC_NEEDS_GIL ? &gil_interval : &gil_none);
    assert_non_null(strstr(text, "count should be 1 (the dict's own), and it is 1: right\n"));
    assert_non_null(strstr(text, " rounds were right\n"));
    assert_null(strstr(text, "went wrong"));
}

/* "this mode  120 100 20  right": 20 of 120 additions were lost. */
static void loses_updates_under(const struct gil_class *class)
{
    long additions, number, lost;
    char count[16];

    tell(&demo_not_thread_safe, class);
    assert_int_equal(sscanf(text, "this mode %ld %ld %ld %15s", &additions, &number, &lost, count),
                     4);
    assert_int_equal(additions - number, lost);
    assert_in_range(lost, 1, additions);
    assert_string_equal(count, "right");
}

static void test_a_lock_does_not_make_a_program_thread_safe(void **state)
{
    (void)state;
    for (const struct named_gil *lock = gil_list; lock->name; lock++)
        if (lock->class->excludes)
            loses_updates_under(lock->class);
    if (!RC_NEEDS_GIL)
        loses_updates_under(&gil_none);
}

#if !RC_NEEDS_GIL
static void tell_of_locks(int containers)
{
    struct gil *gil = gil_new(&gil_none, (const int64_t[PARAM_MAX]){ containers });

    assert_non_null(gil);
    tell_under(&demo_deadlock, gil);
}

/* The same schedule every time, so the same end. */
static void test_naive_locks_stop_and_sections_go_on(void **state)
{
    (void)state;
    for (int i = 0; i < DEADLOCKS; i++) {
        tell_of_locks(NAIVE_CONTAINERS);
        assert_non_null(strstr(text, "thread 1 waits for b, which thread 2 has locked and keeps\n"));
        assert_non_null(strstr(text, "thread 2 waits for a, which thread 1 has locked and keeps\n"));
        assert_non_null(strstr(text, "DEADLOCK"));
        tell_of_locks(AS_USUAL);
        assert_null(strstr(text, "DEADLOCK"));
        assert_non_null(strstr(text, "it was longer by 1\n"));
        assert_non_null(strstr(text, "both have ended by themselves\n"));
    }
}
#endif

#if RC_NEEDS_GIL && !REPORTS_RACES
static void test_race_goes_wrong_where_nothing_protects_them(void **state)
{
    cpu_set_t cores;

    (void)state;
    tell(&demo_race, &gil_none);
    if (sched_getaffinity(0, sizeof cores, &cores) < 0 || CPU_COUNT(&cores) < 2)
        skip();
    assert_non_null(strstr(text, "EARLY FREE") ? text : strstr(text, "LEAK"));
    assert_non_null(strstr(text, " rounds went wrong: "));
}

#if RC_AUDIT
/* The demo counts by itself what it sees; the audit finds the same. */
static void test_race_and_the_audit_agree(void **state)
{
    int rounds, early, leaks, shared, off, audited_leaks, audited_early;
    const char *told, *audit;

    (void)state;
    tell(&demo_race, &gil_none);
    told = strstr(text, " rounds went wrong: ");
    audit = strstr(text, "audit: ");
    if (!told)
        skip();
    while (told[-1] != ' ')
        told--;
    assert_int_equal(sscanf(told, "%d rounds went wrong: freed too early in %d, leaked in %d",
                            &rounds, &early, &leaks), 3);
    assert_int_equal(sscanf(audit, "audit: %d objects were shared; the counts of %d are off, "
                            "by +%*d -%*d; %d leaked, %d freed too early", &shared, &off,
                            &audited_leaks, &audited_early), 4);
    assert_int_equal(shared, 3 * rounds);
    assert_in_range(off, 1, rounds);
    assert_int_equal(audited_early, early);
    assert_int_equal(audited_leaks, leaks);
}
#endif
#endif

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_refcount_prints_what_cpython_prints),
        cmocka_unit_test(test_executor_deadlock_names_who_waits),
        cmocka_unit_test(test_loop_threads_are_counted),
        cmocka_unit_test(test_a_blocked_loop_is_named_and_cured),
        cmocka_unit_test(test_race_goes_well_where_counts_are_protected),
        cmocka_unit_test(test_a_lock_does_not_make_a_program_thread_safe),
#if !RC_NEEDS_GIL
        cmocka_unit_test(test_naive_locks_stop_and_sections_go_on),
#endif
#if RC_NEEDS_GIL && !REPORTS_RACES
        cmocka_unit_test(test_race_goes_wrong_where_nothing_protects_them),
#if RC_AUDIT
        cmocka_unit_test(test_race_and_the_audit_agree),
#endif
#endif
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
