/* test_parked.c - the table of `lab demo parked`, up to a thousand: its shape, not its figures. */
#include "benches/parked.h"
#include "benches/tests/telling.h"

#include <inttypes.h>
#include <string.h>

enum { COUNT_MOST = 1000, COUNTS = 4 };

static int run_some(const char *mode, struct gil *gil, const struct thread_hooks *hooks)
{
    (void)mode, (void)gil, (void)hooks;
    return parked_tell(COUNT_MOST);
}

static const struct demo some = { .run = run_some };

/* Name and count begin each line, the numbers of it are what a reader expects. */
static void check_line(const char *line, const char *name, long count)
{
    char begin[64];
    long resident, tables;
    double maps;
    int length = snprintf(begin, sizeof begin, "%-18s %7ld", name, count);

    assert_memory_equal(line, begin, length);
    assert_int_equal(sscanf(line + length, "%ld %ld %lf", &resident, &tables, &maps), 3);
    assert_true(resident >= 0 && tables >= 0 && maps >= 0);
    if (count == COUNT_MOST)
        assert_true(resident > 0);
}

static void test_a_line_for_each_kind_and_count(void **state)
{
    char *rest = text, *line;
    long count;

    (void)state;
    tell(&some, RC_NEEDS_GIL ? &gil_mutex : &gil_none);
    line = strsep(&rest, "\n");
    assert_non_null(strstr(line, "resident"));
    for (int kind = 0; kind < PARKED_KINDS; kind++)
        for (count = 1; count <= COUNT_MOST; count *= 10) {
            line = strsep(&rest, "\n");
            assert_non_null(line);
            check_line(line, parked_names[kind], count);
        }
    assert_string_equal(rest, "");
}

static int measure_all(const char *mode, struct gil *gil, const struct thread_hooks *hooks)
{
    struct parked p[PARKED_KINDS];

    (void)mode, (void)gil, (void)hooks;
    for (int kind = 0; kind < PARKED_KINDS; kind++) {
        assert_int_equal(parked_measure((enum parked_kind)kind, COUNT_MOST, &p[kind]), 0);
        assert_string_equal(p[kind].why, "");
        assert_int_equal(p[kind].made, COUNT_MOST);
    }
    /* One with a stack has a page of it at least, one without has not. */
    assert_in_range(p[PARKED_GENERATOR].resident_bytes, 1, COUNT_MOST * 2048);
    assert_true(p[PARKED_STACKFUL].resident_bytes >= COUNT_MOST * 4096);
    assert_true(p[PARKED_GREENLET].resident_bytes >= COUNT_MOST * 4096);
    assert_true(p[PARKED_THREAD].resident_bytes >= COUNT_MOST * 4096);
    assert_true(p[PARKED_THREAD].maps >= COUNT_MOST);
    return 0;
}

static void test_what_has_a_stack_takes_a_page_of_it(void **state)
{
    static const struct demo all = { .run = measure_all };

    (void)state;
    if (SANITIZED)
        skip(); /* those have pages of their own for everything */
    tell(&all, RC_NEEDS_GIL ? &gil_mutex : &gil_none);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_a_line_for_each_kind_and_count),
        cmocka_unit_test(test_what_has_a_stack_takes_a_page_of_it),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
