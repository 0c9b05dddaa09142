/* test_int.c - boxed integers. */
#include "objects/exception.h"
#include "objects/int.h"
#include "objects/tests/testing.h"

static void test_new_int_has_one_reference(void **state)
{
    struct object *n = int_new(41);

    (void)state;
    assert_non_null(n);
    assert_int_equal(int_value(n), 41);
    assert_int_equal(refcount(n), 1);
    decref(n);
}

static void test_add_overflow_is_an_error(void **state)
{
    struct object *most = int_new(INT64_MAX), *one = int_new(1);

    (void)state;
    assert_null(int_add(most, one));
    assert_true(exception_matches(&overflow_error));
    exception_restore(NULL);
    decref(most);
    decref(one);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_new_int_has_one_reference),
        cmocka_unit_test(test_add_overflow_is_an_error),
    };

    return run_attached(tests);
}
