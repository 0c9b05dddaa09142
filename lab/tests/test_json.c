/* test_json.c - what jansson leaves open. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "lab/json.h"

#include <math.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

/* Prints into a file in place of standard output; returns the exit status. */
static int print(json_t *value, char *text, size_t size_bytes)
{
    FILE *file = tmpfile();
    int kept = dup(STDOUT_FILENO), status;

    assert_non_null(file);
    fflush(stdout);
    dup2(fileno(file), STDOUT_FILENO);
    status = json_print(value);
    fflush(stdout);
    dup2(kept, STDOUT_FILENO);
    close(kept);
    rewind(file);
    text[fread(text, 1, size_bytes - 1, file)] = '\0';
    fclose(file);
    return status;
}

static void assert_prints(json_t *value, const char *expected)
{
    char text[256];

    assert_int_equal(print(value, text, sizeof text), 0);
    assert_string_equal(text, expected);
}

static void numbers_come_back_as_they_were_typed(void **state)
{
    (void)state;
    assert_prints(json_with(json_array(), json_finite(0.1)), "[\n  0.1\n]\n");
    assert_prints(json_with(json_array(), json_finite(12345678.25)), "[\n  12345678.25\n]\n");
}

static void what_is_not_finite_is_null(void **state)
{
    (void)state;
    assert_true(json_is_null(json_finite(NAN)));
    assert_true(json_is_null(json_finite(INFINITY)));
    assert_true(json_is_null(json_finite(-INFINITY)));
}

static void keys_keep_their_order(void **state)
{
    (void)state;
    assert_prints(json_pack("{si si si}", "z", 1, "a", 2, "m", 3),
                  "{\n  \"z\": 1,\n  \"a\": 2,\n  \"m\": 3\n}\n");
}

static void failure_is_carried_to_the_end(void **state)
{
    json_t *array = json_with(json_array(), json_integer(1));
    char text[256];

    (void)state;
    assert_null(json_with(NULL, json_integer(1)));
    array = json_with(array, json_string("\xff"));
    assert_null(array);
    assert_int_equal(print(array, text, sizeof text), 1);
    assert_string_equal(text, "");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(numbers_come_back_as_they_were_typed),
        cmocka_unit_test(what_is_not_finite_is_null),
        cmocka_unit_test(keys_keep_their_order),
        cmocka_unit_test(failure_is_carried_to_the_end),
    };

    cmocka_set_message_output(CM_OUTPUT_TAP);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
