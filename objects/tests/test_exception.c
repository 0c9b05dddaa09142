/* test_exception.c - errors as objects, and the pending one. */
#include "objects/dict.h"
#include "objects/int.h"
#include "objects/list.h"
#include "objects/none.h"
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

/* Who handles every Exception does not handle these. */
static void test_orders_to_end_are_no_exceptions(void **state)
{
    const struct type *const orders[] = { &generator_exit, &cancelled_error, &keyboard_interrupt };

    (void)state;
    for (size_t i = 0; i < sizeof orders / sizeof *orders; i++) {
        struct object *e = exception_new(orders[i], "go");

        assert_true(exception_is(e, orders[i]));
        assert_true(exception_is(e, &base_exception));
        assert_false(exception_is(e, &exception));
        decref(e);
    }
    exception_set(&stop_async_iteration, "x");
    assert_true(exception_matches(&exception));
    assert_true(exception_matches(&base_exception));
    exception_restore(NULL);
}

static void test_wrapped_it_is_cause_and_context(void **state)
{
    struct object *inner = exception_new(&value_error, "inner"), *cause, *context;

    (void)state;
    exception_restore(incref(inner));
    exception_wrap(&runtime_error, "outer %d", 1);
    assert_string_equal(exception_message(exception_pending()), "outer 1");
    cause = exception_cause(exception_pending());
    context = exception_context(exception_pending());
    assert_ptr_equal(cause, inner);
    assert_ptr_equal(context, inner);
    assert_raises(&runtime_error);
    decref(cause);
    decref(context);
    exception_restore(inner);
    fail_allocation(1);
    exception_wrap(&runtime_error, "lost");
    assert_raises(&memory_error);
}

static void test_an_exit_is_there_without_memory(void **state)
{
    struct object *e;

    (void)state;
    exception_set(&value_error, "stays");
    fail_allocation(1);
    e = exception_exit();
    assert_true(exception_is(e, &generator_exit));
    decref(e);
    e = exception_exit();
    assert_int_equal(exact_count(e), 1);
    decref(e);
    assert_raises(&value_error);
}

/* What a frame keeps of its blocks while it is left stands on an empty one. */
static void test_an_empty_block_lets_the_outer_one_be_seen(void **state)
{
    struct handling outer, base = { NULL, NULL };

    (void)state;
    exception_handle_begin(&outer, exception_new(&key_error, "outer"));
    base.outer = exception_innermost;
    exception_innermost = &base;
    assert_ptr_equal(type_of(exception_handled()), &key_error);
    exception_innermost = base.outer;
    exception_handle_end(&outer);
    assert_null(exception_handled());
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
    assert_ptr_equal(exception_value(exception_pending()), pair);
    assert_int_equal(exact_count(pair), 2);
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

static void test_a_value_is_held_and_given_back(void **state)
{
    struct object *value = int_new(7), *e = exception_new(&value_error, "no");

    (void)state;
    assert_ptr_equal(exception_value(e), none());
    decref(e);
    exception_set_stop(incref(value));
    assert_true(exception_matches(&stop_iteration));
    assert_string_equal(exception_message(exception_pending()), "");
    e = exception_take();
    assert_ptr_equal(exception_value(e), value);
    assert_int_equal(exact_count(value), 2);
    decref(e);
    assert_int_equal(exact_count(value), 1);
    exception_set_no_memory();
    assert_ptr_equal(exception_value(exception_pending()), none());
    assert_raises(&memory_error);
    decref(value);
}

/* ---- causes and contexts ---- */

/* Drops what the getter gave, for the test holds the exceptions anyway. */
static borrowed context_of(borrowed e)
{
    struct object *context = exception_context(e);

    xdecref(context);
    return context;
}

static borrowed cause_of(borrowed e)
{
    struct object *cause = exception_cause(e);

    xdecref(cause);
    return cause;
}

/* Python's: try: raise handled; except: raise e. The caller keeps its references. */
static void raise_while_handling(borrowed e, borrowed handled)
{
    struct handling h;

    exception_handle_begin(&h, incref(handled));
    exception_raise(incref(e));
    exception_handle_end(&h);
    assert_ptr_equal(exception_pending(), e);
    exception_restore(NULL);
}

static void test_handling_nests(void **state)
{
    struct object *a = exception_new(&value_error, "a"), *b = exception_new(&value_error, "b");
    struct handling outer, inner;

    (void)state;
    assert_null(exception_handled());
    exception_handle_begin(&outer, a);
    assert_ptr_equal(exception_handled(), a);
    exception_handle_begin(&inner, b);
    assert_ptr_equal(exception_handled(), b);
    assert_null(exception_pending());
    exception_handle_end(&inner);
    assert_ptr_equal(exception_handled(), a);
    assert_int_equal(exact_count(a), 1);
    exception_handle_end(&outer);
    assert_null(exception_handled());
}

static void test_what_is_raised_while_handling_has_a_context(void **state)
{
    int64_t before = live_blocks();
    struct object *a = exception_new(&value_error, "a"), *e;
    struct handling h;

    (void)state;
    exception_set(&type_error, "outside");
    assert_null(context_of(exception_pending()));
    exception_handle_begin(&h, incref(a));
    exception_set(&type_error, "inside");
    exception_handle_end(&h);
    e = exception_take();
    assert_string_equal(exception_message(e), "inside");
    assert_ptr_equal(context_of(e), a);
    assert_null(cause_of(e));
    assert_int_equal(exact_count(a), 2);
    assert_int_equal(held_by(e), 2); /* None and the context */
    decref(e);
    assert_int_equal(exact_count(a), 1);
    decref(a);
    assert_int_equal(live_blocks(), before);
}

static void test_raised_anew_it_has_the_new_context(void **state)
{
    struct object *a = exception_new(&value_error, "a"), *b = exception_new(&value_error, "b"),
                  *e = exception_new(&value_error, "e");

    (void)state;
    raise_while_handling(e, a);
    raise_while_handling(e, b);
    assert_ptr_equal(context_of(e), b);
    assert_int_equal(exact_count(a), 1);
    decref(e);
    assert_int_equal(exact_count(b), 1);
    decref(a);
    decref(b);
}

static void test_restored_it_is_as_it_was(void **state)
{
    struct object *a = exception_new(&value_error, "a"), *e = exception_new(&value_error, "e");
    struct handling h;

    (void)state;
    exception_handle_begin(&h, incref(a));
    exception_restore(e);
    exception_handle_end(&h);
    assert_null(context_of(e));
    exception_restore(NULL);
    decref(a);
}

static void test_raised_again_it_is_not_its_own_context(void **state)
{
    struct object *e = exception_new(&value_error, "e");

    (void)state;
    raise_while_handling(e, e);
    assert_null(context_of(e));
    assert_int_equal(exact_count(e), 1);
    decref(e);
}

/* As CPython's _PyErr_SetObject: of a <- b <- c, raising a while c is handled leaves
 * b <- c <- a. */
static void test_contexts_never_make_a_circle(void **state)
{
    int64_t before = live_blocks();
    struct object *a = exception_new(&value_error, "a"), *b = exception_new(&value_error, "b"),
                  *c = exception_new(&value_error, "c");

    (void)state;
    raise_while_handling(b, a);
    raise_while_handling(c, b);
    raise_while_handling(a, c);
    assert_null(context_of(b));
    assert_ptr_equal(context_of(c), b);
    assert_ptr_equal(context_of(a), c);
    assert_int_equal(exact_count(a), 1);
    decref(a);
    decref(b);
    decref(c);
    assert_int_equal(live_blocks(), before);
}

static void test_a_memory_error_takes_part_without_a_context(void **state)
{
    struct object *a = exception_new(&value_error, "a"), *no_memory, *e;
    struct handling h;

    (void)state;
    exception_handle_begin(&h, incref(a));
    exception_set_no_memory();
    no_memory = exception_take();
    exception_raise(no_memory);
    exception_handle_end(&h);
    assert_null(context_of(no_memory));
    exception_set_cause(no_memory, a);
    assert_null(cause_of(no_memory));
    assert_int_equal(exact_count(a), 1);
    exception_handle_begin(&h, exception_take());
    exception_set(&value_error, "e");
    exception_handle_end(&h);
    e = exception_take();
    assert_ptr_equal(context_of(e), no_memory);
    decref(e);
    decref(a);
}

static void test_a_cause_is_held(void **state)
{
    struct object *a = exception_new(&value_error, "a"), *b = exception_new(&value_error, "b"),
                  *e = exception_new(&value_error, "e");

    (void)state;
    assert_null(cause_of(e));
    exception_set_cause(e, a);
    exception_set_cause(e, b);
    assert_ptr_equal(cause_of(e), b);
    assert_null(context_of(e));
    assert_int_equal(exact_count(a), 1);
    assert_int_equal(exact_count(b), 2);
    assert_int_equal(held_by(e), 2);
    exception_set_cause(e, NULL);
    assert_int_equal(exact_count(b), 1);
    decref(a);
    decref(b);
    decref(e);
}

/* Two exceptions that are each other's cause and context. */
static void test_cleared_it_holds_nothing_but_its_value(void **state)
{
    int64_t before = live_blocks();
    struct object *a = exception_new(&value_error, "a"), *b = exception_new(&value_error, "b");

    (void)state;
    raise_while_handling(b, a);
    exception_set_cause(a, b);
    exception_set_cause(b, a);
    assert_int_equal(held_by(b), 3);
    type_of(b)->clear(b);
    assert_null(context_of(b));
    assert_null(cause_of(b));
    assert_string_equal(exception_message(b), "b");
    decref(b);
    decref(a);
    assert_int_equal(live_blocks(), before);
}

static void test_a_published_exception_publishes_where_it_comes_from(void **state)
{
    struct object *a = exception_new(&value_error, "a"), *b = exception_new(&value_error, "b"),
                  *e = exception_new(&value_error, "e");

    (void)state;
    publish(e);
    raise_while_handling(e, a);
    exception_set_cause(e, b);
    assert_true(published(a));
    assert_true(published(b));
    decref(a);
    decref(b);
    decref(e);
}

/* ---- reports ---- */

static void assert_report(borrowed e, const char *expected)
{
    char text[500];

    exception_write_chain(e, text, sizeof text);
    assert_string_equal(text, expected);
}

/* What traceback.format_exception of CPython 3.11 says of the same, without tracebacks and
 * the last end of a line. */
static void test_a_report_tells_how_it_came_about(void **state)
{
    struct object *key = str_new("x"), *a, *b = exception_new(&value_error, "b"),
                  *c = exception_new(&type_error, "c");

    (void)state;
    exception_set_key(key);
    a = exception_take();
    assert_report(a, "KeyError: 'x'");
    raise_while_handling(b, a);
    exception_set_cause(c, b);
    assert_report(c, "KeyError: 'x'\n\n"
                     "During handling of the above exception, another exception occurred:\n\n"
                     "ValueError: b\n\n"
                     "The above exception was the direct cause of the following exception:\n\n"
                     "TypeError: c");
    exception_set_cause(b, NULL);
    assert_report(b, "ValueError: b");
    assert_ptr_equal(context_of(b), a);
    decref(a);
    decref(b);
    decref(c);
    decref(key);
}

static void test_a_report_shows_the_cause_rather_than_the_context(void **state)
{
    struct object *a = exception_new(&value_error, "a"), *b = exception_new(&value_error, "b"),
                  *e = exception_new(&value_error, "e");

    (void)state;
    raise_while_handling(e, a);
    exception_set_cause(e, b);
    assert_report(e, "ValueError: b\n\n"
                     "The above exception was the direct cause of the following exception:\n\n"
                     "ValueError: e");
    decref(a);
    decref(b);
    decref(e);
}

static void test_a_report_of_stop_iteration_shows_the_value(void **state)
{
    (void)state;
    exception_set_stop(int_new(3));
    assert_report(exception_pending(), "StopIteration: 3");
    exception_set_stop(none());
    assert_report(exception_pending(), "StopIteration");
    exception_set_no_memory();
    assert_report(exception_pending(), "MemoryError: out of memory");
    exception_restore(NULL);
}

static void test_a_report_of_causes_in_a_circle_ends(void **state)
{
    struct object *a = exception_new(&value_error, "a"), *b = exception_new(&value_error, "b");

    (void)state;
    exception_set_cause(a, b);
    exception_set_cause(b, a);
    assert_report(a, "ValueError: b\n\n"
                     "The above exception was the direct cause of the following exception:\n\n"
                     "ValueError: a");
    type_of(a)->clear(a);
    decref(a);
    decref(b);
}

/* Each is raised while the one before is handled. */
static void test_a_long_chain_is_cut_off_at_the_oldest(void **state)
{
    static char text[100000];
    int64_t before = live_blocks();
    struct object *e = exception_new(&value_error, "0");
    struct handling h;

    (void)state;
    for (int i = 1; i <= 1000; i++) {
        exception_handle_begin(&h, e);
        exception_set(&value_error, "%d", i);
        exception_handle_end(&h);
        e = exception_take();
    }
    exception_write_chain(e, text, sizeof text);
    assert_null(strstr(text, "ValueError: 0"));
    assert_non_null(strstr(text, "ValueError: 999\n\nDuring"));
    assert_string_equal(strrchr(text, '\n'), "\nValueError: 1000");
    decref(e);
    assert_int_equal(live_blocks(), before);
}

static void test_a_report_is_cut_off_to_fit(void **state)
{
    struct object *a = exception_new(&value_error, "a"), *e = exception_new(&value_error, "e");
    char whole[200], text[200];

    (void)state;
    exception_set_cause(e, a);
    exception_write_chain(e, whole, sizeof whole);
    for (size_t size = 1; size <= strlen(whole) + 1; size++) {
        memset(text, '!', sizeof text);
        exception_write_chain(e, text, size);
        assert_int_equal(strlen(text), size - 1);
        assert_memory_equal(text, whole, size - 1);
        assert_int_equal(text[size], '!');
    }
    decref(a);
    decref(e);
}

static int session(void)
{
    struct object *key = int_new(1), *e = key ? exception_new(&value_error, "e") : NULL;
    struct handling h;
    bool stopped;

    if (!e) {
        xdecref(key);
        return -1;
    }
    exception_handle_begin(&h, e);
    exception_set_key(key);
    if (exception_matches(&key_error))
        exception_set_stop(incref(key));
    exception_handle_end(&h);
    decref(key);
    stopped = exception_matches(&stop_iteration);
    if (stopped)
        exception_restore(NULL);
    return stopped ? 0 : -1;
}

static void test_no_memory_is_an_error(void **state)
{
    (void)state;
    fail_everywhere(session);
}

/* ---- threads ---- */

enum { COMMON = 3, ROUNDS = 100000 };

static struct object *common[COMMON]; /* owned, published */

/* All raise the same ones, each in the context of another. Two at once may so close a
 * circle, in which nobody may go round for ever. */
static void raise_at_random(struct thread *t, int index)
{
    uint64_t random = test_seed + (uint64_t)index + 1;
    struct handling h;

    for (int i = 0; i < ROUNDS; i++) {
        size_t handled = random_of(&random, COMMON);
        size_t raised = (handled + 1 + random_of(&random, COMMON - 1)) % COMMON;

        exception_handle_begin(&h, incref(common[handled]));
        exception_raise(incref(common[raised]));
        exception_set_cause(common[handled], i & 1 ? common[raised] : NULL);
        exception_restore(NULL);
        exception_handle_end(&h);
        safepoint(t);
    }
}

static void test_threads_raise_the_same_exceptions(void **state)
{
    (void)state;
    seed_random();
    for (int i = 0; i < COMMON; i++) {
        common[i] = exception_new(&value_error, "%d", i);
        publish(common[i]);
    }
    run_threads(raise_at_random);
    for (int i = 0; i < COMMON; i++)
        type_of(common[i])->clear(common[i]);
    for (int i = 0; i < COMMON; i++) {
        assert_int_equal(exact_count(common[i]), 1);
        decref(common[i]);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_nothing_is_pending_at_first),
        cmocka_unit_test(test_a_kind_matches_itself_and_what_is_above),
        cmocka_unit_test(test_orders_to_end_are_no_exceptions),
        cmocka_unit_test(test_wrapped_it_is_cause_and_context),
        cmocka_unit_test(test_an_exit_is_there_without_memory),
        cmocka_unit_test(test_an_empty_block_lets_the_outer_one_be_seen),
        cmocka_unit_test(test_taken_is_owned_and_restored_is_given),
        cmocka_unit_test(test_a_new_one_replaces_the_pending),
        cmocka_unit_test(test_a_long_message_is_cut_off),
        cmocka_unit_test(test_a_key_error_shows_the_key),
        cmocka_unit_test(test_memory_error_needs_no_memory_and_is_not_counted),
        cmocka_unit_test(test_an_os_error_says_what_failed),
        cmocka_unit_test(test_each_thread_has_its_own),
        cmocka_unit_test(test_a_value_is_held_and_given_back),
        cmocka_unit_test(test_handling_nests),
        cmocka_unit_test(test_what_is_raised_while_handling_has_a_context),
        cmocka_unit_test(test_raised_anew_it_has_the_new_context),
        cmocka_unit_test(test_restored_it_is_as_it_was),
        cmocka_unit_test(test_raised_again_it_is_not_its_own_context),
        cmocka_unit_test(test_contexts_never_make_a_circle),
        cmocka_unit_test(test_a_memory_error_takes_part_without_a_context),
        cmocka_unit_test(test_a_cause_is_held),
        cmocka_unit_test(test_cleared_it_holds_nothing_but_its_value),
        cmocka_unit_test(test_a_published_exception_publishes_where_it_comes_from),
        cmocka_unit_test(test_a_report_tells_how_it_came_about),
        cmocka_unit_test(test_a_report_shows_the_cause_rather_than_the_context),
        cmocka_unit_test(test_a_report_of_stop_iteration_shows_the_value),
        cmocka_unit_test(test_a_report_of_causes_in_a_circle_ends),
        cmocka_unit_test(test_a_long_chain_is_cut_off_at_the_oldest),
        cmocka_unit_test(test_a_report_is_cut_off_to_fit),
        cmocka_unit_test(test_no_memory_is_an_error),
        cmocka_unit_test(test_threads_raise_the_same_exceptions),
    };

    return run_attached(tests);
}
