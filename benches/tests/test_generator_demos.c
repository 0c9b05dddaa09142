/* test_generator_demos.c - demos that are programs of Python's print what CPython 3.11 prints. */
#include "benches/tests/telling.h"

#include <string.h>

extern const struct gil_class gil_interval;

#define DEMOS(each) \
    each(averager) each(consumer_producer) each(grouped_report) each(iterables) \
    each(return_value) each(three_phases) each(throw_and_close)

#define DECLARE(name) extern const struct demo demo_##name;
DEMOS(DECLARE)
#undef DECLARE

static const struct named_demo demos[] = {
#define NAME(name) { #name, &demo_##name },
    DEMOS(NAME)
#undef NAME
};

static char expected[sizeof text];

static void read_expected(const char *name)
{
    char path[200];
    FILE *file;

    snprintf(path, sizeof path, "benches/demos/expected/%s.txt", name);
    file = fopen(path, "r");
    assert_non_null(file);
    expected[fread(expected, 1, sizeof expected - 1, file)] = '\0';
    fclose(file);
}

/* So that the first line that differs is named, and not both texts. */
static void compare_lines(void)
{
    char *rest = text, *wanted = expected, *line, *other;

    while ((line = strsep(&rest, "\n"))) {
        other = strsep(&wanted, "\n");
        assert_non_null(other);
        assert_string_equal(line, other);
    }
    assert_null(wanted);
}

static void test_each_prints_what_cpython_prints(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof demos / sizeof *demos; i++) {
        read_expected(demos[i].name);
        tell(demos[i].demo, RC_NEEDS_GIL ? &gil_interval : &gil_none);
        compare_lines();
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = { cmocka_unit_test(test_each_prints_what_cpython_prints) };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
