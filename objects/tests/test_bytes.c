/* test_bytes.c - bytes that do not change; the expected ones are CPython's. */
#include "objects/bytes.h"
#include "objects/dict.h"
#include "objects/none.h"
#include "objects/str.h"
#include "objects/tests/testing.h"

#include <string.h>

static void assert_bytes(borrowed o, const char *expected, size_t length)
{
    assert_int_equal(bytes_length(o), length);
    assert_memory_equal(bytes_data(o), expected, length);
    assert_int_equal(bytes_data(o)[length], '\0');
}

static void test_data_is_copied_zeros_too(void **state)
{
    char data[] = { 'a', '\0', '\xFF', '!' };
    struct object *o = bytes_new(data, 3), *empty = bytes_new("", 0);

    (void)state;
    data[0] = '!';
    assert_bytes(o, "a\0\xFF", 3);
    assert_bytes(empty, "", 0);
    assert_int_equal(exact_count(o), 1);
    decref(o);
    decref(empty);
}

static void test_concat_is_one_after_the_other(void **state)
{
    struct object *a = bytes_new("a\0", 2), *b = bytes_new("\0bc", 3), *both = bytes_concat(a, b);

    (void)state;
    assert_bytes(both, "a\0\0bc", 5);
    assert_int_equal(exact_count(both), 1);
    assert_int_equal(exact_count(a), 1);
    decref(a);
    decref(b);
    decref(both);
}

static void test_a_str_is_no_bytes(void **state)
{
    struct object *bytes = bytes_new("x", 1), *text = str_new("x"), *dict = dict_new();

    (void)state;
    assert_false(object_equal(bytes, text));
    assert_null(bytes_concat(bytes, text));
    assert_raises(&type_error);
    assert_null(str_concat(bytes, bytes));
    assert_raises(&type_error);
    assert_int_equal(bytes_less(bytes, text), -1);
    assert_string_equal(exception_message(exception_pending()),
                        "'<' not supported between instances of 'bytes' and 'str'");
    assert_raises(&type_error);
    assert_int_equal(dict_set(dict, bytes, none()), 0);
    assert_int_equal(dict_contains(dict, text), 0);
    assert_int_equal(dict_contains(dict, bytes), 1);
    decref(dict);
    decref(bytes);
    decref(text);
}

static void test_a_length_that_no_memory_holds_is_an_error(void **state)
{
    struct octets huge = { .head.type = &bytes_type, .length = SIZE_MAX / 2 + 1 };
    struct octets large = { .head.type = &bytes_type, .length = SIZE_MAX / 2 - 8 };

    (void)state;
    assert_null(bytes_concat(&huge.head, &huge.head)); /* the sum overflows */
    assert_raises(&overflow_error);
    assert_null(bytes_concat(&huge.head, &large.head)); /* the header does not fit before it */
    assert_raises(&overflow_error);
}

static void test_equal_bytes_have_equal_hash(void **state)
{
    struct object *a = bytes_new("a\0b", 3), *same = bytes_new("a\0b", 3);
    struct object *other = bytes_new("a\0c", 3), *longer = bytes_new("a\0b\0", 4);

    (void)state;
    assert_true(object_equal(a, same));
    assert_true(hash_of(a) == hash_of(same));
    assert_true(hash_of(a) == hash_of(a));
    assert_false(object_equal(a, other));
    assert_false(hash_of(a) == hash_of(other));
    assert_false(object_equal(a, longer));
    assert_false(hash_of(a) == hash_of(longer));
    decref(a);
    decref(same);
    decref(other);
    decref(longer);
}

static void test_order(void **state)
{
    static const struct {
        const char *text;
        size_t length;
    } ascending[] = { { "", 0 },   { "\0", 1 }, { "a", 1 },    { "a\0", 2 },  { "a\0z", 3 },
                      { "ab", 2 }, { "b", 1 },  { "\x7F", 1 }, { "\x80", 1 }, { "\xFF", 1 } };
    int count = (int)(sizeof ascending / sizeof *ascending);

    (void)state;
    for (int i = 0; i < count; i++)
        for (int j = 0; j < count; j++) {
            struct object *a = bytes_new(ascending[i].text, ascending[i].length);
            struct object *b = bytes_new(ascending[j].text, ascending[j].length);

            assert_int_equal(bytes_less(a, b), i < j);
            decref(a);
            decref(b);
        }
}

static void test_repr(void **state)
{
    static const struct {
        const char *data;
        size_t length;
        const char *repr;
    } cases[] = {
        { "", 0, "b''" },
        { "x", 1, "b'x'" },
        { "it's", 4, "b\"it's\"" },
        { "'\"", 2, "b'\\'\"'" },
        { "\0\xFF\n\t\r\\a\"", 8, "b'\\x00\\xff\\n\\t\\r\\\\a\"'" },
        { "\0'", 2, "b\"\\x00'\"" },
        { "\x7F\x80 ~", 4, "b'\\x7f\\x80 ~'" },
    };

    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct object *o = bytes_new(cases[i].data, cases[i].length);

        assert_repr(o, cases[i].repr);
        decref(o);
    }
}

static void test_repr_is_cut_off_to_fit(void **state)
{
    struct object *o = bytes_new("a\nb", 3);
    char text[16];

    (void)state;
    for (size_t size = 1; size < sizeof text; size++) {
        memset(text, '!', sizeof text);
        object_repr(o, text, size);
        assert_int_equal(strlen(text), size <= 7 ? size - 1 : 7);
        assert_memory_equal(text, "b'a\\nb'", strlen(text));
        assert_int_equal(text[size], '!');
    }
    decref(o);
}

static int session(void)
{
    struct object *a = bytes_new("spam", 4), *both = a ? bytes_concat(a, a) : NULL;

    xdecref(a);
    xdecref(both);
    return both ? 0 : -1;
}

static void test_no_memory_is_an_error(void **state)
{
    (void)state;
    fail_everywhere(session);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_data_is_copied_zeros_too),
        cmocka_unit_test(test_concat_is_one_after_the_other),
        cmocka_unit_test(test_a_str_is_no_bytes),
        cmocka_unit_test(test_a_length_that_no_memory_holds_is_an_error),
        cmocka_unit_test(test_equal_bytes_have_equal_hash),
        cmocka_unit_test(test_order),
        cmocka_unit_test(test_repr),
        cmocka_unit_test(test_repr_is_cut_off_to_fit),
        cmocka_unit_test(test_no_memory_is_an_error),
    };

    return run_attached(tests);
}
