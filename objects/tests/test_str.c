/* test_str.c - text. */
#include "objects/float.h"
#include "objects/int.h"
#include "objects/list.h"
#include "objects/none.h"
#include "objects/range.h"
#include "objects/str.h"
#include "objects/tests/testing.h"
#include "objects/tuple.h"

#include <string.h>

static void test_text_is_copied(void **state)
{
    char text[] = "Gr\xC3\xBC\xC3\x9F";
    struct object *s = str_new(text);

    (void)state;
    text[0] = '!';
    assert_string_equal(str_text(s), "Gr\xC3\xBC\xC3\x9F");
    assert_int_equal(str_length(s), 6);
    assert_int_equal(exact_count(s), 1);
    decref(s);
}

static void test_empty(void **state)
{
    struct object *empty = str_new(""), *twice = str_concat(empty, empty);

    (void)state;
    assert_string_equal(str_text(twice), "");
    assert_int_equal(str_length(twice), 0);
    assert_true(object_equal(empty, twice));
    decref(empty);
    decref(twice);
}

static void test_concat_is_one_after_the_other(void **state)
{
    struct object *a = str_new("spam"), *b = str_new("eggs!"), *both = str_concat(a, b);

    (void)state;
    assert_string_equal(str_text(both), "spameggs!");
    assert_int_equal(str_length(both), 9);
    assert_int_equal(exact_count(both), 1);
    assert_int_equal(exact_count(a), 1);
    assert_int_equal(exact_count(b), 1);
    decref(a);
    decref(b);
    decref(both);
}

static void test_concat_of_other_types_is_an_error(void **state)
{
    struct object *a = str_new("spam");

    (void)state;
    assert_null(str_concat(a, none()));
    assert_raises(&type_error);
    assert_null(str_concat(none(), a));
    assert_raises(&type_error);
    assert_int_equal(exact_count(a), 1);
    decref(a);
}

static void test_equal_text_has_equal_hash(void **state)
{
    struct object *a = str_new("spam"), *b = str_new("sp"), *c = str_new("am");
    struct object *joined = str_concat(b, c), *longer = str_concat(a, b);

    (void)state;
    assert_true(object_equal(a, joined));
    assert_true(hash_of(a) == hash_of(joined));
    assert_true(hash_of(a) == hash_of(a));
    assert_false(object_equal(a, longer));
    assert_false(object_equal(b, c));
    decref(a);
    decref(b);
    decref(c);
    decref(joined);
    decref(longer);
}

/* No two strings that differ in one bit, or in length, hash alike, and in the low 32 bits of their
 * hashes hardly any: of 5,800 perfect hashes, which are keyed anew in each process, two pairs would
 * be alike there once in 100,000 runs. */
static void test_every_bit_matters(void **state)
{
    static uint64_t seen[8192];
    size_t count = 0, alike = 0;
    char text[41];

    (void)state;
    for (size_t length = 0; length <= 40; length++)
        for (size_t bit = 0; bit <= 8 * length; bit++) {
            struct object *s;

            if (bit % 8 == 7)
                continue; /* 'a' without it is not ASCII, but a character of its own */
            memset(text, 'a', length);
            text[length] = '\0';
            if (bit < 8 * length)
                text[bit / 8] = (char)(text[bit / 8] ^ 1 << bit % 8);
            s = str_new(text);
            seen[count++] = hash_of(s);
            decref(s);
        }
    for (size_t i = 0; i < count; i++)
        for (size_t j = 0; j < i; j++) {
            assert_true(seen[i] != seen[j]);
            alike += (uint32_t)seen[i] == (uint32_t)seen[j];
        }
    assert_true(alike <= 1);
}

/* See the test of ints. */
static void test_hash_spreads(void **state)
{
    int low[256] = { 0 }, high[256] = { 0 };

    (void)state;
    for (int i = 0; i < 4096; i++) {
        char text[16];
        struct object *s;
        uint64_t hash;

        snprintf(text, sizeof text, "key%d", i);
        s = str_new(text);
        hash = hash_of(s);
        low[hash & 255]++;
        high[hash >> 56]++;
        decref(s);
    }
    for (int i = 0; i < 256; i++) {
        assert_in_range(low[i], 0, 60);
        assert_in_range(high[i], 0, 60);
    }
}

/* The expected ones are what CPython prints. */
static void test_repr(void **state)
{
    static const struct {
        const char *text, *repr;
    } cases[] = {
        { "x", "'x'" },
        { "", "''" },
        { "it's", "\"it's\"" },
        { "'\"", "'\\'\"'" },
        { "\"", "'\"'" },
        { "a\\b\n\t\r", "'a\\\\b\\n\\t\\r'" },
        { "\x01\x7F", "'\\x01\\x7f'" },
        { "\xC3\xBC", "'\xC3\xBC'" },
    };

    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct object *s = str_new(cases[i].text);

        assert_repr(s, cases[i].repr);
        decref(s);
    }
}

static void test_repr_is_cut_off_to_fit(void **state)
{
    struct object *s = str_new("abc\ndef");
    char text[16];

    (void)state;
    for (size_t size = 1; size < sizeof text; size++) {
        memset(text, '!', sizeof text);
        object_repr(s, text, size);
        assert_int_equal(strlen(text), size <= 10 ? size - 1 : 10);
        assert_memory_equal(text, "'abc\\ndef'", strlen(text));
        assert_int_equal(text[size], '!');
    }
    decref(s);
}

static void assert_text_of(struct object *number /* steals */, const char *expected)
{
    struct object *s = str_of_number(number);

    assert_string_equal(str_text(s), expected);
    assert_ptr_equal(type_of(s), &str_type);
    decref(s);
    decref(number);
}

static void test_of_a_number(void **state)
{
    struct object *text = str_new("1");

    (void)state;
    assert_text_of(int_new(0), "0");
    assert_text_of(int_new(INT64_MIN), "-9223372036854775808");
    assert_text_of(float_new(-2.2250738585072014e-308), "-2.2250738585072014e-308");
    assert_text_of(float_new(0.1), "0.1");
    assert_text_of(float_new(3), "3.0");
    assert_null(str_of_number(text));
    assert_raises(&type_error);
    decref(text);
}

/* A new list of these texts, to the first NULL. */
static struct object *texts(const char *const *text)
{
    struct object *list = list_new(), *s;

    for (; *text; text++) {
        s = str_new(*text);
        assert_int_equal(list_append(list, s), 0);
        decref(s);
    }
    return list;
}

static void assert_joined(const char *between, const char *const *text, const char *expected)
{
    struct object *separator = str_new(between), *list = texts(text);
    struct object *tuple = list_to_tuple(list), *one = str_join(separator, list);
    struct object *other = str_join(separator, tuple);

    assert_string_equal(str_text(one), expected);
    assert_int_equal(str_length(one), strlen(expected));
    assert_true(object_equal(one, other));
    assert_int_equal(exact_count(one), 1);
    assert_int_equal(exact_count(list), 1);
    assert_int_equal(exact_count(tuple), 1);
    decref(separator);
    decref(list);
    decref(tuple);
    decref(one);
    decref(other);
}

static void test_join_puts_the_separator_between(void **state)
{
    (void)state;
    assert_joined(", ", (const char *const[]){ NULL }, "");
    assert_joined(", ", (const char *const[]){ "one", NULL }, "one");
    assert_joined(", ", (const char *const[]){ "one", "", "two", NULL }, "one, , two");
    assert_joined("", (const char *const[]){ "one", "two", NULL }, "onetwo");
}

static void test_join_goes_over_any_iterable(void **state)
{
    struct object *separator = str_new("-"), *text = str_new("abc");
    struct object *joined = str_join(separator, text);

    (void)state;
    assert_string_equal(str_text(joined), "a-b-c");
    decref(joined);
    decref(text);
    decref(separator);
}

static void test_join_of_what_is_no_text_is_an_error(void **state)
{
    struct object *separator = str_new("-"), *list = texts((const char *const[]){ "a", NULL });
    struct object *range = range_new(0, 2);

    (void)state;
    assert_int_equal(list_append(list, none()), 0);
    assert_null(str_join(separator, list));
    assert_string_equal(exception_message(exception_pending()),
                        "sequence item 1: expected str instance, NoneType found");
    assert_raises(&type_error);
    assert_null(str_join(separator, range));
    assert_raises(&type_error);
    assert_null(str_join(separator, none()));
    assert_raises(&type_error);
    assert_int_equal(exact_count(list), 1);
    decref(separator);
    decref(range);
    decref(list);
}

/* Stands on the stack, and says that it is long: only its length may be read. */
static void test_a_length_that_no_memory_holds_is_an_error(void **state)
{
    struct octets huge = { .head.type = &str_type, .length = SIZE_MAX / 2 };
    struct object *separator = str_new(""), *tuple;
    struct tuple_object *items = tuple_reserve(3);

    (void)state;
    assert_null(str_concat(&huge.head, &huge.head));
    assert_raises(&overflow_error);
    for (int i = 0; i < 3; i++)
        items->item[i] = &huge.head;
    tuple = &items->head;
    assert_null(str_join(separator, tuple)); /* the sum of the items overflows */
    assert_raises(&overflow_error);
    for (int i = 0; i < 3; i++)
        items->item[i] = incref(separator);
    assert_null(str_join(&huge.head, tuple)); /* twice the separator is too much with a header */
    assert_raises(&overflow_error);
    huge.length++;
    assert_null(str_join(&huge.head, tuple)); /* twice the separator overflows */
    assert_raises(&overflow_error);
    decref(tuple);
    decref(separator);
}

static int session(void)
{
    struct object *a = int_new(12), *b = a ? str_of_number(a) : NULL;
    struct object *both = b ? str_concat(b, b) : NULL, *joined = both ? str_join(b, both) : NULL;
    int result = joined ? 0 : -1;

    if (joined)
        assert_string_equal(str_text(joined), "1122121122");
    xdecref(a);
    xdecref(b);
    xdecref(both);
    xdecref(joined);
    return result;
}

static void test_no_memory_is_an_error(void **state)
{
    (void)state;
    fail_everywhere(session);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_text_is_copied),
        cmocka_unit_test(test_empty),
        cmocka_unit_test(test_concat_is_one_after_the_other),
        cmocka_unit_test(test_concat_of_other_types_is_an_error),
        cmocka_unit_test(test_equal_text_has_equal_hash),
        cmocka_unit_test(test_every_bit_matters),
        cmocka_unit_test(test_hash_spreads),
        cmocka_unit_test(test_repr),
        cmocka_unit_test(test_repr_is_cut_off_to_fit),
        cmocka_unit_test(test_of_a_number),
        cmocka_unit_test(test_join_puts_the_separator_between),
        cmocka_unit_test(test_join_goes_over_any_iterable),
        cmocka_unit_test(test_join_of_what_is_no_text_is_an_error),
        cmocka_unit_test(test_a_length_that_no_memory_holds_is_an_error),
        cmocka_unit_test(test_no_memory_is_an_error),
    };

    return run_attached(tests);
}
