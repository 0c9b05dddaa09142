/* test_explicit_implicit.c - the demo of that name: the same work is done in each way. */
#include "benches/tests/telling.h"

#include <string.h>

extern const struct demo demo_explicit_implicit;
extern const struct gil_class gil_interval;

/* "callbacks   108   33   0", and so on. */
static void read_row(const char *style, int *lines, int *calls, int *switches)
{
    char name[20];
    const char *row;

    snprintf(name, sizeof name, "\n%-12s ", style);
    row = strstr(text, name);
    assert_non_null(row);
    assert_int_equal(sscanf(row + strlen(name), "%d %d %d", lines, calls, switches), 3);
}

static void test_it_is_the_same_by_callbacks_by_await_and_by_greenlets(void **state)
{
    const char *at = text;
    int lines[3], calls[3], switches[3];

    (void)state;
    tell(&demo_explicit_implicit, RC_NEEDS_GIL ? &gil_interval : &gil_none);
    for (int i = 0; i < 9; i++) { /* three clients each */
        at = strstr(at, " heard one two\n");
        assert_non_null(at);
        at += strlen(" heard");
    }
    assert_null(strstr(at, "heard"));
    read_row("callbacks", &lines[0], &calls[0], &switches[0]);
    read_row("await", &lines[1], &calls[1], &switches[1]);
    read_row("greenlets", &lines[2], &calls[2], &switches[2]);
    /* A callback for each of six sleeps, twelve writes, fifteen reads; a step more for each of six
     * coroutines. */
    assert_int_equal(calls[0], 33);
    assert_int_equal(calls[1], 39);
    assert_int_equal(calls[2], 0);
    assert_int_equal(switches[0] + switches[1], 0);
    assert_in_range(switches[2], 2 * 6, 100);
    assert_true(lines[2] < lines[1] && lines[1] < lines[0]);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_it_is_the_same_by_callbacks_by_await_and_by_greenlets),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
