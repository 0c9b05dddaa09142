/* test_tutorials.c - demos that are programs of Python's print what CPython 3.11 prints.
 *
 * Each that has a text in benches/demos/expected is told, and compared with it line by line.
 */
#include "benches/runtime.h"
#include "benches/tests/telling.h"

#include <dirent.h>
#include <string.h>

extern const struct gil_class gil_interval;

#define JOIN_OF(a, b) a##b
#define JOIN(a, b) JOIN_OF(a, b)
extern const struct runtime JOIN(runtime_, RC_POLICY);

static const char folder[] = "benches/demos/expected";
static char expected[sizeof text];

static void read_expected(const char *file_name)
{
    char path[300];
    FILE *file;

    snprintf(path, sizeof path, "%s/%s", folder, file_name);
    file = fopen(path, "r");
    assert_non_null(file);
    expected[fread(expected, 1, sizeof expected - 1, file)] = '\0';
    fclose(file);
}

/* Of "two_hellos.txt" the demo `two-hellos`. */
static const struct demo *demo_of(const char *file_name)
{
    const struct named_demo *demo = JOIN(runtime_, RC_POLICY).demos;
    char name[64];

    snprintf(name, sizeof name, "%.*s", (int)strcspn(file_name, "."), file_name);
    for (char *c = name; *c; c++)
        *c = *c == '_' ? '-' : *c;
    while (demo->name && strcmp(demo->name, name) != 0)
        demo++;
    if (!demo->name)
        fail_msg("no demo prints %s", file_name);
    return demo->demo;
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
    DIR *texts = opendir(folder);
    struct dirent *entry;
    int told = 0;

    (void)state;
    assert_non_null(texts);
    while ((entry = readdir(texts))) {
        if (entry->d_name[0] == '.')
            continue;
        read_expected(entry->d_name);
        tell(demo_of(entry->d_name), RC_NEEDS_GIL ? &gil_interval : &gil_none);
        compare_lines();
        told++;
    }
    closedir(texts);
    assert_true(told >= 10);
}

int main(void)
{
    const struct CMUnitTest tests[] = { cmocka_unit_test(test_each_prints_what_cpython_prints) };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
