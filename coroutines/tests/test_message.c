/* test_message.c - objects as bytes and back, and what is refused on the way.
 *
 * Garbage is made in two ways: by chance, and by damaging what was written, each byte and each
 * length of it.
 */
#include "coroutines/message.h"

#include "objects/bool.h"
#include "objects/bytes.h"
#include "objects/cell.h"
#include "objects/dict.h"
#include "objects/float.h"
#include "objects/int.h"
#include "objects/list.h"
#include "objects/none.h"
#include "objects/str.h"
#include "objects/tests/testing.h"
#include "objects/tuple.h"

#include <math.h>

enum { RANDOM_MESSAGES = 20000, RANDOM_BYTES = 64 };

static struct object *read_whole(const struct message *m)
{
    struct reader r = { m->data, m->data + m->length };
    struct object *o = message_read(&r);

    if (o)
        assert_ptr_equal(r.at, r.end);
    return o;
}

/* A copy by way of bytes; steals `o`. */
static struct object *there_and_back(struct object *o)
{
    struct message m = { 0 };
    struct object *copy;

    assert_int_equal(message_write(&m, o), 0);
    decref(o);
    copy = read_whole(&m);
    assert_non_null(copy);
    message_fini(&m);
    return copy;
}

static void assert_copy_repr(struct object *o, const char *expected)
{
    struct object *copy = there_and_back(o);

    assert_repr(copy, expected);
    decref(copy);
}

static void test_plain_values(void **state)
{
    struct object *f;

    (void)state;
    assert_ptr_equal(there_and_back(none()), none());
    assert_ptr_equal(there_and_back(truth(true)), truth(true));
    assert_ptr_equal(there_and_back(truth(false)), truth(false));
    assert_copy_repr(int_new(0), "0");
    assert_copy_repr(int_new(INT64_MIN), "-9223372036854775808");
    assert_copy_repr(float_new(-1.5), "-1.5");
    f = there_and_back(float_new(NAN));
    assert_true(isnan(float_value(f)));
    decref(f);
    assert_copy_repr(str_new(""), "''");
    assert_copy_repr(str_new("h\xc3\xa9"), "'h\xc3\xa9'");
    assert_copy_repr(bytes_new("a\0b", 3), "b'a\\x00b'");
}

/* {(1, None): [True, 'x', ()]} */
static struct object *some_structure(void)
{
    struct object *one = int_new(1), *x = str_new("x"), *empty = tuple_new(0, NULL);
    struct object *key = tuple_new(2, (struct object *[]){ one, none() }), *list = list_new();
    struct object *dict = dict_new();

    list_append(list, truth(true));
    list_append(list, x);
    list_append(list, empty);
    dict_set(dict, key, list);
    decref(one);
    decref(x);
    decref(empty);
    decref(key);
    decref(list);
    return dict;
}

static void test_containers(void **state)
{
    struct object *dict = there_and_back(some_structure()), *key, *value, *again;
    size_t cursor = 0;

    (void)state;
    assert_ptr_equal(type_of(dict), &dict_type);
    assert_int_equal(dict_length(dict), 1);
    assert_true(dict_next(dict, &cursor, &key, &value));
    assert_repr(key, "(1, None)");
    assert_int_equal(list_length(value), 3);
    again = dict_get(dict, key);
    assert_ptr_equal(again, value);
    decref(again);
    again = list_get(value, 2);
    assert_repr(again, "()");
    decref(again);
    decref(key);
    decref(value);
    decref(dict);
}

static void test_exceptions(void **state)
{
    static const struct type *const kinds[] = { &exception, &value_error, &os_error,
                                                &timeout_error, &broken_process_pool };
    struct object *e, *key = str_new("k");

    (void)state;
    for (size_t i = 0; i < sizeof kinds / sizeof *kinds; i++) {
        e = there_and_back(exception_new(kinds[i], "number %zu", i));
        assert_ptr_equal(type_of(e), kinds[i]);
        assert_int_equal(strncmp(exception_message(e), "number ", 7), 0);
        decref(e);
    }
    exception_set_key(key);
    e = there_and_back(exception_take());
    assert_ptr_equal(type_of(e), &key_error);
    assert_string_equal(exception_message(e), "'k'");
    assert_repr(exception_value(e), "'k'");
    decref(e);
    exception_set_stop(key);
    e = there_and_back(exception_take());
    assert_ptr_equal(type_of(e), &stop_iteration);
    assert_repr(exception_value(e), "'k'");
    decref(e);
    exception_set_no_memory();
    e = there_and_back(exception_take());
    assert_ptr_equal(type_of(e), &memory_error);
    assert_null(exception_pending());
    /* Of a kind that has no number. */
    e = there_and_back(exception_new(&remote_traceback, "%s", "text"));
    assert_ptr_equal(type_of(e), &exception);
    assert_string_equal(exception_message(e), "text");
    decref(e);
}

static void assert_refused(borrowed o, const struct type *kind, const char *message)
{
    struct message m = { 0 };

    assert_int_equal(message_write(&m, o), -1);
    assert_true(exception_matches(kind));
    assert_string_equal(exception_message(exception_pending()), message);
    exception_restore(NULL);
    message_fini(&m);
}

static void test_what_means_nothing_elsewhere(void **state)
{
    struct object *cell = cell_new(NULL), *list = list_new();

    (void)state;
    assert_refused(cell, &type_error, "cannot pickle 'cell' object");
    list_append(list, cell);
    assert_refused(list, &type_error, "cannot pickle 'cell' object");
    decref(cell);
    decref(list);
}

/* A list in a list, and so on. */
static struct object *nested(int depth)
{
    struct object *inner = list_new();

    for (int i = 1; i < depth; i++) {
        struct object *outer = list_new();

        list_append(outer, inner);
        decref(inner);
        inner = outer;
    }
    return inner;
}

static void test_nested_too_deep(void **state)
{
    struct object *list = list_new(), *deepest = nested(MESSAGE_DEEPEST);
    struct object *deeper = nested(MESSAGE_DEEPEST + 1);

    (void)state;
    list_append(list, list);
    assert_refused(list, &runtime_error, "nested too deep for a message, or in itself");
    assert_refused(deeper, &runtime_error, "nested too deep for a message, or in itself");
    decref(there_and_back(deepest));
    list_set(list, 0, none());
    decref(list);
    decref(deeper);
}

/* A list that holds another twice, and that one a third: 2 to the power of 40. */
static void test_grows_beyond_all_bounds(void **state)
{
    struct object *inner = bytes_new("0123456789", 10);
    char message[80];

    (void)state;
    for (int i = 0; i < 40; i++) {
        struct object *outer = tuple_new(2, (struct object *[]){ inner, inner });

        decref(inner);
        inner = outer;
    }
    snprintf(message, sizeof message, "a message would be longer than %d bytes",
             MESSAGE_MOST_BYTES);
    if (!SANITIZED) /* it takes a while */
        assert_refused(inner, &overflow_error, message);
    decref(inner);
}

/* ---- garbage ---- */

/* An object or ValueError, and nothing of it is left. */
static bool read_garbage(const unsigned char *data, size_t length)
{
    unsigned char *copy = malloc(length ? length : 1); /* so that ASan sees its end */
    struct reader r = { copy, copy + length };
    struct object *o;

    if (length)
        memcpy(copy, data, length);
    o = message_read(&r);
    assert_true(r.at >= copy && r.at <= r.end);
    if (!o)
        assert_raises(&value_error);
    xdecref(o);
    free(copy);
    return o;
}

static void assert_damaged(const char *bytes, size_t length)
{
    assert_false(read_garbage((const unsigned char *)bytes, length));
}

#define ASSERT_DAMAGED(bytes) assert_damaged(bytes, sizeof(bytes) - 1)

static void test_damaged(void **state)
{
    (void)state;
    ASSERT_DAMAGED("");
    ASSERT_DAMAGED("?");
    ASSERT_DAMAGED("i1234567");             /* too short by one */
    ASSERT_DAMAGED("s\5\0\0\0four");
    ASSERT_DAMAGED("s\3\0\0\0a\0b");        /* a zero in a str */
    ASSERT_DAMAGED("s\xff\xff\xff\xff");
    ASSERT_DAMAGED("[\xff\xff\xff\xff");    /* four thousand million items */
    ASSERT_DAMAGED("(\2\0\0\0N");
    ASSERT_DAMAGED("{\1\0\0\0N");           /* a key without a value */
    ASSERT_DAMAGED("{\2\0\0\0TNTN");        /* one key twice */
    ASSERT_DAMAGED("{\1\0\0\0[\0\0\0\0N");  /* a list as a key */
    ASSERT_DAMAGED("!");
    ASSERT_DAMAGED("!\xffs\0\0\0\0N");      /* no such kind */
    ASSERT_DAMAGED("!\1N");                 /* a message that is no str */
    ASSERT_DAMAGED("!\1s\0\0\0\0");
}

static void test_nested_garbage(void **state)
{
    enum { DEPTH = 100000 };
    unsigned char *deep = malloc(5 * DEPTH);

    (void)state;
    for (int i = 0; i < DEPTH; i++)
        memcpy(deep + 5 * i, "[\1\0\0\0", 5);
    assert_false(read_garbage(deep, 5 * DEPTH));
    free(deep);
}

/* What was cut off at any place cannot be read; and whatever one byte is changed to, it is read
 * or refused. */
static void test_each_byte_damaged(void **state)
{
    struct object *dict = some_structure();
    struct message m = { 0 };

    (void)state;
    assert_int_equal(message_write(&m, dict), 0);
    decref(dict);
    for (size_t i = 0; i < m.length; i++) {
        unsigned char right = m.data[i];

        assert_false(read_garbage(m.data, i));
        for (int byte = 0; byte < 256; byte++) {
            m.data[i] = (unsigned char)byte;
            read_garbage(m.data, m.length);
        }
        m.data[i] = right;
    }
    message_fini(&m);
}

static void test_garbage_by_chance(void **state)
{
    static const char likely_bytes[] = "NTFifsb([{!\0\1\2\3";
    unsigned char data[RANDOM_BYTES];

    (void)state;
    seed_random();
    for (int i = 0; i < RANDOM_MESSAGES; i++) {
        size_t length = random_below(RANDOM_BYTES);

        for (size_t at = 0; at < length; at++)
            data[at] = random_below(4) ? (unsigned char)likely_bytes[random_below(15)]
                                       : (unsigned char)random_below(256);
        read_garbage(data, length);
    }
}

static void test_take(void **state)
{
    struct reader r = { (const unsigned char *)"abc", (const unsigned char *)"abc" };
    char two[2];

    (void)state;
    r.end = r.at + 3;
    assert_int_equal(message_take(&r, two, 2), 0);
    assert_memory_equal(two, "ab", 2);
    assert_int_equal(message_take(&r, two, 2), -1);
    assert_raises(&value_error);
}

/* ---- memory ---- */

static int session(void)
{
    struct object *one = int_new(1), *f = float_new(2), *s = str_new("s"), *b = bytes_new("b", 1);
    struct object *dict = dict_new(), *list = list_new(), *tuple = NULL, *e = NULL, *copy = NULL;
    struct message m = { 0 };
    int result = -1;

    if (one && f && s && b && dict && list &&
        (tuple = tuple_new(4, (struct object *[]){ one, f, s, b })) &&
        (e = exception_new(&value_error, "%s", "text")) && dict_set(dict, tuple, s) == 0 &&
        list_append(list, dict) == 0 && list_append(list, e) == 0 &&
        message_write(&m, list) == 0 && (copy = read_whole(&m)))
        result = 0;
    message_fini(&m);
    xdecref(one);
    xdecref(f);
    xdecref(s);
    xdecref(b);
    xdecref(dict);
    xdecref(list);
    xdecref(tuple);
    xdecref(e);
    xdecref(copy);
    return result;
}

static void test_a_failed_allocation_anywhere_is_memory_error(void **state)
{
    (void)state;
    fail_everywhere(session);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_plain_values),
        cmocka_unit_test(test_containers),
        cmocka_unit_test(test_exceptions),
        cmocka_unit_test(test_what_means_nothing_elsewhere),
        cmocka_unit_test(test_nested_too_deep),
        cmocka_unit_test(test_grows_beyond_all_bounds),
        cmocka_unit_test(test_damaged),
        cmocka_unit_test(test_nested_garbage),
        cmocka_unit_test(test_each_byte_damaged),
        cmocka_unit_test(test_garbage_by_chance),
        cmocka_unit_test(test_take),
        cmocka_unit_test(test_a_failed_allocation_anywhere_is_memory_error),
    };

    return run_attached(tests);
}
