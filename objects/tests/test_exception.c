/* test_exception.c - errors as objects, and the pending one. */
#include "objects/dict.h"
#include "objects/list.h"
#include "objects/str.h"
#include "objects/tests/testing.h"
#include "objects/tuple.h"

#include <errno.h>
#include <string.h>

static void test_nothing_is_pending_at_first(void **state)
{
    (void)state;
    assert_null(exception_pending());
    assert_null(exception_take());
    assert_false(exception_matches(&exception));
}

static void test_a_kind_matches_itself_and_what_is_above(void **state)
{
    (void)state;
    exception_set(&key_error, "%d", 7);
    assert_true(exception_matches(&key_error));
    assert_true(exception_matches(&exception));
    assert_false(exception_matches(&index_error));
    exception_restore(NULL);
    exception_set(&exception, "any");
    assert_false(exception_matches(&key_error));
    exception_restore(NULL);
}

static void test_taken_is_owned_and_restored_is_given(void **state)
{
    int64_t before = live_blocks();
    struct object *e;

    (void)state;
    exception_set(&value_error, "no %s", "good");
    e = exception_take();
    assert_null(exception_pending());
    assert_int_equal(exact_count(e), 1);
    assert_string_equal(type_of(e)->name, "ValueError");
    assert_string_equal(exception_message(e), "no good");
    exception_restore(incref(e));
    assert_ptr_equal(exception_pending(), e);
    assert_int_equal(exact_count(e), 2);
    exception_restore(NULL);
    assert_int_equal(exact_count(e), 1);
    decref(e);
    assert_int_equal(live_blocks(), before);
}

static void test_a_new_one_replaces_the_pending(void **state)
{
    int64_t before = live_blocks();

    (void)state;
    exception_set(&value_error, "first");
    exception_set(&type_error, "second");
    assert_string_equal(exception_message(exception_pending()), "second");
    assert_int_equal(live_blocks(), before + 1);
    exception_restore(NULL);
    assert_int_equal(live_blocks(), before);
}

static void test_a_long_message_is_cut_off(void **state)
{
    char text[1000];
    struct object *e;

    (void)state;
    memset(text, 'x', sizeof text - 1);
    text[sizeof text - 1] = '\0';
    e = exception_new(&value_error, "%s", text);
    assert_in_range(strlen(exception_message(e)), 100, 200);
    assert_memory_equal(exception_message(e), text, strlen(exception_message(e)));
    decref(e);
}

/* Python's str of a KeyError is the repr of the key. */
static void test_a_key_error_shows_the_key(void **state)
{
    struct object *dict = dict_new(), *key = str_new("x"), *pair;

    (void)state;
    assert_null(dict_get(dict, key));
    assert_string_equal(exception_message(exception_pending()), "'x'");
    assert_raises(&key_error);
    pair = tuple_new(2, (struct object *[]){ key, key });
    assert_int_equal(dict_delete(dict, pair), -1);
    assert_string_equal(exception_message(exception_pending()), "('x', 'x')");
    assert_raises(&key_error);
    decref(pair);
    decref(key);
    decref(dict);
}

static void test_memory_error_needs_no_memory_and_is_not_counted(void **state)
{
    struct object *e;

    (void)state;
    fail_allocation(1);
    assert_null(exception_new(&value_error, "lost"));
    assert_true(exception_matches(&memory_error));
    fail_allocation(1);
    exception_set(&value_error, "lost");
    assert_true(exception_matches(&memory_error));
    e = exception_take();
    assert_string_equal(exception_message(e), "out of memory");
    for (int i = 0; i < 1000; i++)
        decref(e);
    exception_restore(e);
    assert_raises(&memory_error);
}

static void test_an_os_error_says_what_failed(void **state)
{
    (void)state;
    errno = ENOENT;
    exception_set_errno("open");
    assert_string_equal(exception_message(exception_pending()), "open: No such file or directory");
    assert_raises(&os_error);
}

static void fail_differently(struct thread *t, int index)
{
    char expected[16];

    snprintf(expected, sizeof expected, "%d", index);
    for (int i = 0; i < 200; i++) {
        exception_set(&value_error, "%d", index);
        safepoint(t);
        assert(strcmp(exception_message(exception_pending()), expected) == 0);
    }
    /* The last one stays pending: the thread's end drops it. */
}

static void test_each_thread_has_its_own(void **state)
{
    int64_t before = live_blocks();

    (void)state;
    exception_set(&key_error, "mine");
    run_threads(fail_differently);
    assert_string_equal(exception_message(exception_pending()), "mine");
    assert_raises(&key_error);
    assert_int_equal(live_blocks(), before);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_nothing_is_pending_at_first),
        cmocka_unit_test(test_a_kind_matches_itself_and_what_is_above),
        cmocka_unit_test(test_taken_is_owned_and_restored_is_given),
        cmocka_unit_test(test_a_new_one_replaces_the_pending),
        cmocka_unit_test(test_a_long_message_is_cut_off),
        cmocka_unit_test(test_a_key_error_shows_the_key),
        cmocka_unit_test(test_memory_error_needs_no_memory_and_is_not_counted),
        cmocka_unit_test(test_an_os_error_says_what_failed),
        cmocka_unit_test(test_each_thread_has_its_own),
    };

    return run_attached(tests);
}
