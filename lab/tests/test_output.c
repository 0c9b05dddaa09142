/* test_output.c - a file that is there whole, or not at all. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "lab/output.h"

#include <dirent.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static char folder[] = "/tmp/test_output.XXXXXX", path[64];

static int make_folder(void **state)
{
    (void)state;
    strcpy(folder + strlen(folder) - 6, "XXXXXX");
    if (!mkdtemp(folder))
        return -1;
    snprintf(path, sizeof path, "%s/file", folder);
    return 0;
}

static int remove_folder(void **state)
{
    (void)state;
    unlink(path);
    return rmdir(folder);
}

static int files(void)
{
    DIR *all = opendir(folder);
    int count = 0;

    for (struct dirent *entry; (entry = readdir(all));)
        count += entry->d_name[0] != '.';
    closedir(all);
    return count;
}

static void assert_holds(const char *expected)
{
    FILE *file = fopen(path, "r");
    char text[64] = "";

    assert_non_null(file);
    assert_non_null(fgets(text, sizeof text, file));
    fclose(file);
    assert_string_equal(text, expected);
    assert_int_equal(files(), 1);
}

static void begin(struct output *o, const char *text, bool replace)
{
    struct mistake m;

    assert_int_equal(output_open(o, path, replace, &m), 0);
    fputs(text, o->out);
}

static void write_whole(const char *text, bool replace)
{
    struct output o;
    struct mistake m;

    begin(&o, text, replace);
    assert_int_equal(output_finish(&o, &m), 0);
    assert_holds(text);
}

static void it_is_not_there_before_it_is_whole(void **state)
{
    struct output o;
    struct mistake m;

    (void)state;
    begin(&o, "whole", false);
    assert_int_equal(access(path, F_OK), -1);
    assert_int_equal(output_finish(&o, &m), 0);
    assert_holds("whole");
}

static void what_is_replaced_stays_until_then(void **state)
{
    struct output o;

    (void)state;
    write_whole("old", false);
    begin(&o, "half", true);
    output_drop(&o);
    assert_holds("old");
    write_whole("new", true);
}

static void who_comes_second_does_not_write_over_it(void **state)
{
    struct output first, second = { .path = path };
    struct mistake m;

    (void)state;
    begin(&first, "first", false);
    /* As another process, with another name for what it writes. */
    assert_true(asprintf(&second.part, "%s.part", path) > 0);
    second.out = fopen(second.part, "w");
    assert_int_equal(output_finish(&first, &m), 0);
    assert_int_equal(output_finish(&second, &m), -1);
    assert_non_null(strstr(m.text, "cannot be written"));
    assert_holds("first");
}

static void a_failed_write_is_not_forgotten(void **state)
{
    struct output o;
    struct mistake m;

    (void)state;
    begin(&o, "half", false);
    fgetc(o.out); /* it is not open for reading: as a failed write, this marks the stream */
    assert_int_equal(output_finish(&o, &m), -1);
    assert_non_null(strstr(m.text, "a write failed"));
    assert_int_equal(files(), 0);
}

int main(void)
{
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(it_is_not_there_before_it_is_whole, make_folder,
                                        remove_folder),
        cmocka_unit_test_setup_teardown(what_is_replaced_stays_until_then, make_folder,
                                        remove_folder),
        cmocka_unit_test_setup_teardown(who_comes_second_does_not_write_over_it, make_folder,
                                        remove_folder),
        cmocka_unit_test_setup_teardown(a_failed_write_is_not_forgotten, make_folder,
                                        remove_folder),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
