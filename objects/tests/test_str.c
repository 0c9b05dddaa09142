/* test_str.c - text. */
#include "objects/none.h"
#include "objects/str.h"
#include "objects/tests/testing.h"

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

/* Of texts of every length from 0 to 40, whole or with one bit turned, no two hashes agree
 * in their low 32 bits. (5,800 perfect hashes would, by chance, for one hash in 260; this
 * one is always the same.) */
static void test_every_bit_matters(void **state)
{
    static uint32_t seen[8192];
    size_t count = 0;
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
            seen[count++] = (uint32_t)hash_of(s);
            decref(s);
        }
    for (size_t i = 0; i < count; i++)
        for (size_t j = 0; j < i; j++)
            assert_true(seen[i] != seen[j]);
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
        { "x", "'x'" }, { "", "''" }, { "it's", "\"it's\"" }, { "'\"", "'\\'\"'" },
        { "\"", "'\"'" }, { "a\\b\n\t\r", "'a\\\\b\\n\\t\\r'" }, { "\x01\x7F", "'\\x01\\x7f'" },
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

static int session(void)
{
    struct object *a = str_new("spam"), *b = a ? str_new("eggs") : NULL;
    struct object *both = b ? str_concat(a, b) : NULL;

    xdecref(a);
    xdecref(b);
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
        cmocka_unit_test(test_text_is_copied),
        cmocka_unit_test(test_empty),
        cmocka_unit_test(test_concat_is_one_after_the_other),
        cmocka_unit_test(test_concat_of_other_types_is_an_error),
        cmocka_unit_test(test_equal_text_has_equal_hash),
        cmocka_unit_test(test_every_bit_matters),
        cmocka_unit_test(test_hash_spreads),
        cmocka_unit_test(test_repr),
        cmocka_unit_test(test_repr_is_cut_off_to_fit),
        cmocka_unit_test(test_no_memory_is_an_error),
    };

    return run_attached(tests);
}
