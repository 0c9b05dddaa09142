/* test_bool.c - True and False. */
#include "objects/bool.h"
#include "objects/tests/testing.h"

static void test_truth_is_kept(void **state)
{
    (void)state;
    assert_true(is_true(truth(true)));
    assert_false(is_true(truth(false)));
    assert_ptr_equal(type_of(truth(true)), &bool_type);
    assert_ptr_equal(type_of(truth(false)), &bool_type);
}

static void test_there_is_one_of_each(void **state)
{
    (void)state;
    assert_ptr_equal(truth(true), truth(true));
    assert_true(object_equal(truth(false), truth(false)));
    assert_false(object_equal(truth(true), truth(false)));
    assert_true(hash_of(truth(true)) != hash_of(truth(false)));
}

static void test_repr(void **state)
{
    (void)state;
    assert_repr(truth(true), "True");
    assert_repr(truth(false), "False");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_truth_is_kept),
        cmocka_unit_test(test_there_is_one_of_each),
        cmocka_unit_test(test_repr),
    };

    return run_attached(tests);
}
