/* test_float.c - boxed floating-point numbers. */
#include "objects/float.h"
#include "objects/none.h"
#include "objects/tests/testing.h"

#include <math.h>

static void assert_result(struct object *result /* steals */, double expected)
{
    assert_non_null(result);
    assert_true(float_value(result) == expected);
    assert_int_equal(exact_count(result), 1);
    decref(result);
}

static void test_arithmetic_makes_new_floats(void **state)
{
    struct object *a = float_new(1.5), *b = float_new(-4);

    (void)state;
    assert_result(float_add(a, b), -2.5);
    assert_result(float_subtract(a, b), 5.5);
    assert_result(float_multiply(a, b), -6);
    assert_result(float_divide(a, b), -0.375);
    assert_int_equal(exact_count(a), 1);
    assert_int_equal(exact_count(b), 1);
    decref(a);
    decref(b);
}

static void test_other_types_are_an_error(void **state)
{
    struct object *one = float_new(1);

    (void)state;
    assert_null(float_add(one, none()));
    assert_raises(&type_error);
    assert_null(float_subtract(none(), one));
    assert_raises(&type_error);
    assert_null(float_multiply(none(), one));
    assert_raises(&type_error);
    assert_null(float_divide(one, none()));
    assert_raises(&type_error);
    assert_null(float_sqrt(none()));
    assert_raises(&type_error);
    assert_int_equal(exact_count(one), 1);
    decref(one);
}

static void test_zero_divides_nothing(void **state)
{
    struct object *one = float_new(1), *minus_zero = float_new(-0.0);

    (void)state;
    assert_null(float_divide(one, minus_zero));
    assert_raises(&zero_division_error);
    assert_result(float_divide(minus_zero, one), 0);
    decref(one);
    decref(minus_zero);
}

static void test_roots_of_what_is_not_below_zero(void **state)
{
    struct object *a = float_new(6.25), *b = float_new(-6.25), *nan = float_new(NAN), *root;

    (void)state;
    assert_result(float_sqrt(a), 2.5);
    assert_null(float_sqrt(b));
    assert_raises(&value_error);
    root = float_sqrt(nan); /* as math.sqrt(nan) */
    assert_true(isnan(float_value(root)));
    decref(root);
    decref(a);
    decref(b);
    decref(nan);
}

static void test_zeros_are_equal_and_so_are_their_hashes(void **state)
{
    struct object *zero = float_new(0.0), *minus_zero = float_new(-0.0), *one = float_new(1);

    (void)state;
    assert_true(object_equal(zero, minus_zero));
    assert_true(hash_of(zero) == hash_of(minus_zero));
    assert_false(object_equal(zero, one));
    assert_true(hash_of(zero) != hash_of(one));
    decref(zero);
    decref(minus_zero);
    decref(one);
}

/* As in Python's containers: it is the same object, though no equal number. */
static void test_nan_is_equal_to_itself_only(void **state)
{
    struct object *a = float_new(NAN), *b = float_new(NAN);

    (void)state;
    assert_true(object_equal(a, a));
    assert_false(object_equal(a, b));
    decref(a);
    decref(b);
}

/* The expected ones are what CPython prints. */
static void test_repr(void **state)
{
    static const struct {
        double value;
        const char *repr;
    } cases[] = {
        { 0.0, "0.0" },
        { -0.0, "-0.0" },
        { 1, "1.0" },
        { 0.1, "0.1" },
        { 100, "100.0" },
        { 1.0 / 3, "0.3333333333333333" },
        { 123456.75, "123456.75" },
        { 1e15, "1000000000000000.0" },
        { 1e16, "1e+16" },
        { 0.0001, "0.0001" },
        { 0.00001, "1e-05" },
        { 1.5e-7, "1.5e-07" },
        { 0.1 + 0.2, "0.30000000000000004" },
        { 5e-324, "5e-324" },
        { INFINITY, "inf" },
        { -INFINITY, "-inf" },
        { NAN, "nan" },
        { 1.7976931348623157e308, "1.7976931348623157e+308" },
    };

    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct object *o = float_new(cases[i].value);

        assert_repr(o, cases[i].repr);
        decref(o);
    }
}

static int session(void)
{
    struct object *a = float_new(2), *square = a ? float_multiply(a, a) : NULL;
    struct object *sum = square ? float_add(a, square) : NULL;
    struct object *difference = sum ? float_subtract(sum, a) : NULL;
    struct object *quotient = difference ? float_divide(difference, a) : NULL;
    struct object *root = quotient ? float_sqrt(quotient) : NULL;

    xdecref(a);
    xdecref(square);
    xdecref(sum);
    xdecref(difference);
    xdecref(quotient);
    xdecref(root);
    return root ? 0 : -1;
}

static void test_no_memory_is_an_error(void **state)
{
    (void)state;
    fail_everywhere(session);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_arithmetic_makes_new_floats),
        cmocka_unit_test(test_other_types_are_an_error),
        cmocka_unit_test(test_zero_divides_nothing),
        cmocka_unit_test(test_roots_of_what_is_not_below_zero),
        cmocka_unit_test(test_zeros_are_equal_and_so_are_their_hashes),
        cmocka_unit_test(test_nan_is_equal_to_itself_only),
        cmocka_unit_test(test_repr),
        cmocka_unit_test(test_no_memory_is_an_error),
    };

    return run_attached(tests);
}
