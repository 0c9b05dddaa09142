/* test_child.c - cells that misbehave: this same program, run again, plays them. */
#include "lab/child.h"

#include "gil/mutex.h"
#include "lab/runtimes.h"

#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include <cmocka.h>

static const uint64_t long_ns = 60 * (uint64_t)NS_PER_S;

static void print_whole(void)
{
    puts("status ok \nwindow 0.5 1 0\nend 0");
}

/* As Ctrl-Z and fg do with the command, for longer than the limit. */
static void stop_parent(void)
{
    kill(getppid(), SIGSTOP);
    nanosleep(&(struct timespec){ .tv_sec = 2, .tv_nsec = NS_PER_S / 2 }, NULL);
    kill(getppid(), SIGCONT);
}

/* What `lab cell` does in these tests. */
static int play(const char *part)
{
    if (!strcmp(part, "hang"))
        pause();
    if (!strcmp(part, "spew"))
        while (puts("hello") >= 0)
            ;
    if (!strcmp(part, "stop its parent"))
        stop_parent();
    if (strcmp(part, "be silent"))
        print_whole();
    fflush(stdout);
    fputs("first words\nlast words\n", stderr);
    if (!strcmp(part, "die"))
        raise(SIGKILL);
    return strcmp(part, "fail late") ? 0 : 23;
}

static struct cell some_cell(void)
{
    struct mode mode = { .label = "some", .runtime = runtime_list[0].runtime,
                         .lock_name = gil_list[0].name, .lock = gil_list[0].class };
    struct variant workload = { .label = "some" };
    struct cell cell;

    cell_init(&cell, &workload, &mode, "jemalloc", "", 1);
    return cell;
}

static struct measurement measure_part(const char *part, uint64_t limit_ns)
{
    static const volatile int never;
    struct cell cell = some_cell();
    struct window window = { 0, NS_PER_MS, false };
    struct measurement m;

    setenv("PART", part, 1);
    assert_int_equal(child_measure(&cell, &window, false, limit_ns, &never, &m), 0);
    return m;
}

static void child_that_does_well_is_measured(void **state)
{
    struct measurement m = measure_part("do well", long_ns);

    (void)state;
    assert_int_equal(m.status, STATUS_OK);
    assert_true(m.seconds == 0.5);
}

static void assert_failed(const char *part, const char *note)
{
    struct measurement m = measure_part(part, long_ns);

    assert_int_equal(m.status, STATUS_FAILED);
    if (!strstr(m.note, note) || !strstr(m.note, "last words") || strstr(m.note, "first words"))
        fail_msg("%s: '%s'", part, m.note);
    assert_int_equal(m.samples, 0);
    assert_true(m.seconds == 0);
}

static void child_that_dies_has_failed(void **state)
{
    (void)state;
    assert_failed("die", "Killed");
    assert_failed("be silent", "without a result");
}

/* So end programs in which a sanitizer has found something, after all the rest went well. */
static void child_that_fails_after_its_result_has_failed(void **state)
{
    (void)state;
    assert_failed("fail late", "status 23");
}

static void child_that_does_not_end_is_ended(void **state)
{
    (void)state;
    assert_int_equal(measure_part("hang", NS_PER_S / 5).status, STATUS_TIMEOUT);
    assert_int_equal(measure_part("spew", NS_PER_S / 5).status, STATUS_TIMEOUT);
}

static void interrupted_there_is_no_measurement(void **state)
{
    static const volatile int interrupted = 1;
    struct cell cell = some_cell();
    struct window window = { 0, NS_PER_MS, false };
    struct measurement m;

    (void)state;
    setenv("PART", "hang", 1);
    assert_int_equal(child_measure(&cell, &window, false, long_ns, &interrupted, &m), -1);
}

static void time_in_which_the_parent_was_stopped_is_not_the_childs(void **state)
{
    (void)state;
    assert_int_equal(measure_part("stop its parent", 2 * NS_PER_S).status, STATUS_OK);
}

int main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(child_that_does_well_is_measured),
        cmocka_unit_test(child_that_dies_has_failed),
        cmocka_unit_test(child_that_fails_after_its_result_has_failed),
        cmocka_unit_test(child_that_does_not_end_is_ended),
        cmocka_unit_test(interrupted_there_is_no_measurement),
        cmocka_unit_test(time_in_which_the_parent_was_stopped_is_not_the_childs),
    };

    if (argc > 1 && !strcmp(argv[1], "cell"))
        return play(getenv("PART"));
    return cmocka_run_group_tests(tests, NULL, NULL);
}
