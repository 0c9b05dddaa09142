/* teller.c - a test program tells the grader what came of each test.
 *
 * The linker puts this in the place of cmocka's function that runs a group of tests (ld --wrap), so
 * that tests know nothing of it. Under a grader ($LAB_GRADE is set) descriptor 3 has one line, a
 * key and the seed of the schedule, and descriptor 4 takes lines that begin with that key:
 *
 *     KEY test NAME        each of a group that begins
 *     KEY passed NAME      after the test and what cleans up behind it
 *     KEY count WHAT = X
 *
 * The key is read before a line of the submission has run, as a submission has no constructors. So
 * what it prints, or writes to 4, is not believed. Without a grader all runs as ever;
 * $LAB_SCHEDULE is then the seed of the schedule.
 */
#include "lab/grade/inside/count.h"
#include "lab/grade/inside/schedule.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { KEY_FD = 3, TOLD_FD = 4, TESTS_MOST = 400 };

int __real__cmocka_run_group_tests(const char *name, const struct CMUnitTest *tests, size_t count,
                                   CMFixtureFunction set_up, CMFixtureFunction tear_down);
int __wrap__cmocka_run_group_tests(const char *name, const struct CMUnitTest *tests, size_t count,
                                   CMFixtureFunction set_up, CMFixtureFunction tear_down);

struct told {
    const struct CMUnitTest *test;
    bool returned; /* no assertion left it before its end */
};

static bool heard; /* whether the next are what the grader said */
static char key[40];
static struct told *now;

/* Without buffers, which a process that dies would take along. */
__attribute__((format(printf, 1, 2))) static void tell(const char *format, ...)
{
    char line[400];
    int length = snprintf(line, sizeof line, "%s ", key);
    va_list arguments;

    va_start(arguments, format);
    length += vsnprintf(line + length, sizeof line - (size_t)length, format, arguments);
    va_end(arguments);
    if (!*key || length >= (int)sizeof line)
        return;
    line[length++] = '\n';
    if (write(TOLD_FD, line, (size_t)length) < 0)
        abort();
}

static void hear_grader(void)
{
    char line[100] = "";

    if (read(KEY_FD, line, sizeof line - 1) <= 0 ||
        sscanf(line, "%39s %lu", key, &schedule_seed) != 2)
        abort();
    close(KEY_FD);
}

static void hear(void)
{
    const char *schedule = getenv("LAB_SCHEDULE");

    if (heard)
        return;
    heard = true;
    if (getenv("LAB_GRADE"))
        hear_grader();
    else if (schedule)
        schedule_seed = strtoull(schedule, NULL, 10);
}

static int set_up_told(void **state)
{
    now = *state;
    *state = now->test->initial_state;
    return now->test->setup_func ? now->test->setup_func(state) : 0;
}

static void run_told(void **state)
{
    now->test->test_func(state);
    now->returned = true;
}

static int tear_down_told(void **state)
{
    int status = now->test->teardown_func ? now->test->teardown_func(state) : 0;

    if (now->returned && status == 0)
        tell("passed %s", now->test->name);
    return status;
}

/* No group of ours has a fixture of its own, whose state would be lost here. */
int __wrap__cmocka_run_group_tests(const char *name, const struct CMUnitTest *tests, size_t count,
                                   CMFixtureFunction set_up, CMFixtureFunction tear_down)
{
    static struct told told[TESTS_MOST];
    static struct CMUnitTest instead[TESTS_MOST];

    hear();
    if (!*key || count > TESTS_MOST || set_up || tear_down)
        return __real__cmocka_run_group_tests(name, tests, count, set_up, tear_down);
    for (size_t i = 0; i < count; i++) {
        tell("test %s", tests[i].name);
        told[i] = (struct told){ &tests[i], false };
        instead[i] =
            (struct CMUnitTest){ tests[i].name, run_told, set_up_told, tear_down_told, &told[i] };
    }
    return __real__cmocka_run_group_tests(name, instead, count, NULL, NULL);
}

void grade_count(const char *what, double value)
{
    if (*key)
        tell("count %s = %.17g", what, value);
    else
        printf("# %s: %g\n", what, value);
}
