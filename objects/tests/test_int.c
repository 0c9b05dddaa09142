/* test_int.c - boxed integers. */
#include "objects/int.h"
#include "objects/none.h"
#include "objects/tests/testing.h"

static void test_new_int_has_one_reference(void **state)
{
    struct object *n = int_new(41);

    (void)state;
    assert_non_null(n);
    assert_int_equal(int_value(n), 41);
    assert_int_equal(exact_count(n), 1);
    decref(n);
}

static void assert_result(struct object *result /* steals */, int64_t expected)
{
    assert_non_null(result);
    assert_true(int_value(result) == expected);
    assert_int_equal(exact_count(result), 1);
    decref(result);
}

static void test_arithmetic_makes_new_ints(void **state)
{
    struct object *a = int_new(40), *b = int_new(-2);

    (void)state;
    assert_result(int_add(a, b), 38);
    assert_result(int_subtract(a, b), 42);
    assert_int_equal(int_less(a, b), 0);
    assert_int_equal(int_less(b, a), 1);
    assert_int_equal(int_less(a, a), 0);
    assert_int_equal(exact_count(a), 1);
    assert_int_equal(exact_count(b), 1);
    decref(a);
    decref(b);
}

static void test_overflow_is_an_error(void **state)
{
    struct object *most = int_new(INT64_MAX), *least = int_new(INT64_MIN), *one = int_new(1);

    (void)state;
    assert_null(int_add(most, one));
    assert_raises(&overflow_error);
    assert_null(int_subtract(least, one));
    assert_raises(&overflow_error);
    decref(most);
    decref(least);
    decref(one);
}

static void test_other_types_are_an_error(void **state)
{
    struct object *one = int_new(1);

    (void)state;
    assert_null(int_add(one, none()));
    assert_string_equal(exception_message(exception_pending()),
                        "unsupported operand types: 'int' and 'NoneType'");
    assert_raises(&type_error);
    assert_null(int_subtract(none(), one));
    assert_raises(&type_error);
    assert_int_equal(int_less(none(), one), -1);
    assert_raises(&type_error);
    decref(one);
}

static void test_equal_ints_have_equal_hashes(void **state)
{
    struct object *a = int_new(7), *b = int_new(7), *c = int_new(8);

    (void)state;
    assert_true(object_equal(a, b));
    assert_false(object_equal(a, c));
    assert_true(hash_of(a) == hash_of(b));
    decref(a);
    decref(b);
    decref(c);
}

/* Ints that differ in few bits, high or low ones, fall into buckets as dice would: 4096
 * over 256 are 16 on average, and more than 60 in one never happens by chance. A hash that
 * passes the low bits on has 4096 in one. */
static void test_hash_spreads(void **state)
{
    (void)state;
    for (int shift = 0; shift <= 48; shift += 8) {
        int low[256] = { 0 }, high[256] = { 0 };

        for (int64_t i = 0; i < 4096; i++) {
            struct object *n = int_new(i << shift);
            uint64_t hash = hash_of(n);

            low[hash & 255]++;
            high[hash >> 56]++;
            decref(n);
        }
        for (int i = 0; i < 256; i++) {
            assert_in_range(low[i], 0, 60);
            assert_in_range(high[i], 0, 60);
        }
    }
}

static void test_repr(void **state)
{
    struct object *least = int_new(INT64_MIN);

    (void)state;
    assert_repr(least, "-9223372036854775808");
    decref(least);
}

static int session(void)
{
    struct object *a = int_new(1), *b = NULL, *sum = NULL;

    if (a)
        b = int_new(2);
    if (b)
        sum = int_add(a, b);
    xdecref(a);
    xdecref(b);
    xdecref(sum);
    return sum ? 0 : -1;
}

static void test_no_memory_is_an_error(void **state)
{
    (void)state;
    fail_everywhere(session);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_new_int_has_one_reference),
        cmocka_unit_test(test_arithmetic_makes_new_ints),
        cmocka_unit_test(test_overflow_is_an_error),
        cmocka_unit_test(test_other_types_are_an_error),
        cmocka_unit_test(test_equal_ints_have_equal_hashes),
        cmocka_unit_test(test_hash_spreads),
        cmocka_unit_test(test_repr),
        cmocka_unit_test(test_no_memory_is_an_error),
    };

    return run_attached(tests);
}
