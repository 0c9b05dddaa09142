/* test_future.c - states, results, callbacks; what nobody asked for.
 *
 * Names in brackets are those of CPython's Lib/test/test_asyncio/test_futures.py.
 */
#include "coroutines/future.h"
#include "coroutines/tests/loops.h"
#include "objects/int.h"
#include "objects/iterator.h"
#include "objects/list.h"
#include "objects/tuple.h"

static struct object *make_future(borrowed loop)
{
    struct object *f = future_new(loop);

    assert_non_null(f);
    return f;
}

/* Expects this kind with this message, and takes it away. */
static void assert_error(bool failed, const struct type *kind, const char *message)
{
    assert_true(failed);
    assert_true(exception_matches(kind));
    assert_string_equal(exception_message(exception_pending()), message);
    exception_restore(NULL);
}

static void finish(borrowed f, int value)
{
    struct object *number = int_new(value);

    assert_int_equal(future_set_result(f, number), 0);
    decref(number);
}

static void fail_with(borrowed f, const struct type *kind, const char *message)
{
    struct object *e = exception_new(kind, "%s", message);

    assert_int_equal(future_set_exception(f, e), 0);
    decref(e);
}

static void add(borrowed f, struct object *callable /* steals */)
{
    assert_int_equal(future_add_done_callback(f, callable), 0);
    decref(callable);
}

static void test_initial_state(void **state)
{
    struct object *loop = make_loop(), *f = make_future(loop);

    (void)state;
    assert_true(future_is(f) && !future_is(loop));
    assert_ptr_equal(future_loop(f), loop);
    assert_int_equal(future_state(f), FUTURE_PENDING);
    assert_false(future_done(f) || future_cancelled(f));
    assert_error(!future_result(f), &invalid_state_error, "Result is not set.");
    assert_error(!future_exception(f), &invalid_state_error, "Exception is not set.");
    assert_repr(f, "<Future pending>");
    decref(f);
    end_loop(loop);
}

static void test_result(void **state) /* F test_result */
{
    struct object *loop = make_loop(), *f = make_future(loop), *result;

    (void)state;
    finish(f, 42);
    assert_true(future_done(f) && !future_cancelled(f));
    result = future_result(f);
    assert_int_equal(int_value(result), 42);
    decref(result);
    assert_ptr_equal(future_exception(f), none());
    assert_error(future_set_result(f, none()) < 0, &invalid_state_error, "invalid state");
    result = exception_new(&value_error, "x");
    assert_error(future_set_exception(f, result) < 0, &invalid_state_error, "invalid state");
    decref(result);
    assert_int_equal(future_cancel(f, NULL), 0);
    assert_repr(f, "<Future finished result=42>");
    decref(f);
    end_loop(loop);
    assert_int_equal(heard.told, 0);
}

static void test_exception(void **state) /* F test_exception */
{
    struct object *loop = make_loop(), *f = make_future(loop), *e;

    (void)state;
    fail_with(f, &value_error, "bad");
    assert_error(!future_result(f), &value_error, "bad");
    assert_error(!future_result(f), &value_error, "bad");
    e = future_exception(f);
    assert_ptr_equal(type_of(e), &value_error);
    decref(e);
    assert_repr(f, "<Future finished exception=ValueError('bad')>");
    decref(f);
    end_loop(loop);
    assert_int_equal(heard.told, 0);
}

static void test_stop_iteration_is_refused(void **state) /* F test_future_stop_iteration_args */
{
    struct object *loop = make_loop(), *f = make_future(loop), *e;

    (void)state;
    exception_set_stop(none());
    e = exception_take();
    assert_error(
        future_set_exception(f, e) < 0, &type_error,
        "StopIteration interacts badly with generators and cannot be raised into a Future");
    assert_false(future_done(f));
    decref(e);
    decref(f);
    end_loop(loop);
}

static void test_future_cancel_message(void **state) /* F test_future_cancel_message_* */
{
    struct object *loop = make_loop(), *f = make_future(loop), *message = str_new("why"), *e;

    (void)state;
    assert_int_equal(future_cancel(f, message), 1);
    assert_int_equal(future_cancel(f, message), 0);
    assert_true(future_done(f) && future_cancelled(f));
    assert_repr(f, "<Future cancelled>");
    assert_error(!future_result(f), &cancelled_error, "why");
    assert_null(future_exception(f));
    e = exception_take();
    assert_ptr_equal(exception_value(e), message);
    assert_false(exception_is(e, &exception));
    assert_error(future_set_result(f, none()) < 0, &invalid_state_error, "invalid state");
    decref(e);
    decref(f);
    f = make_future(loop);
    assert_int_equal(future_cancel(f, NULL), 1);
    assert_error(!future_result(f), &cancelled_error, "");
    decref(f);
    decref(message);
    end_loop(loop);
}

static void test_callbacks_invoked_on_set_result(void **state) /* F test_callbacks_invoked_on_* */
{
    struct object *loop = make_loop(), *f = make_future(loop);

    (void)state;
    add(f, noter("1"));
    add(f, noter("2"));
    add(f, noter("3"));
    soon(loop, noter("before"));
    finish(f, 1);
    assert_diary("");
    note("after set_result");
    soon(loop, noter("behind"));
    turns(loop, 1);
    assert_diary("after set_result before 1 2 3 behind");
    turns(loop, 1);
    assert_diary("");
    decref(f);
    end_loop(loop);
}

static void test_callbacks_invoked_on_set_exception_and_cancel(void **state)
{
    struct object *loop = make_loop(), *f = make_future(loop), *e;

    (void)state;
    add(f, noter("a"));
    fail_with(f, &value_error, "x");
    e = future_exception(f);
    decref(e);
    decref(f);
    f = make_future(loop);
    add(f, noter("b"));
    assert_int_equal(future_cancel(f, NULL), 1);
    add(f, noter("c"));
    assert_diary("");
    turns(loop, 1);
    assert_diary("a b c");
    decref(f);
    end_loop(loop);
}

static void test_remove_done_callback(void **state) /* F test_remove_* */
{
    struct object *loop = make_loop(), *f = make_future(loop), *a = noter("a"), *b = noter("b");

    (void)state;
    add(f, incref(a));
    add(f, incref(b));
    add(f, incref(a));
    add(f, incref(a));
    add(f, incref(b));
    assert_int_equal(exact_count(a), 4);
    assert_int_equal(future_remove_done_callback(f, a), 3);
    assert_int_equal(future_remove_done_callback(f, a), 0);
    assert_int_equal(exact_count(a), 1);
    finish(f, 0);
    assert_int_equal(future_remove_done_callback(f, b), 0);
    turns(loop, 1);
    assert_diary("b b");
    decref(a);
    decref(b);
    decref(f);
    end_loop(loop);
}

/* For callbacks that change the list: what they work on. */
static struct {
    borrowed future, other;
} list;

static struct object *change_callbacks(borrowed closure, borrowed const *arguments, size_t count)
{
    (void)closure, (void)count;
    assert_ptr_equal(arguments[0], list.future);
    future_remove_done_callback(list.future, list.other);
    add(list.future, noter("added"));
    note("changed");
    return none();
}

/* F test_schedule_callbacks_list_mutation_1, _2: what was scheduled is called all the same. */
static void test_callbacks_may_change_the_list(void **state)
{
    struct object *loop = make_loop(), *f = make_future(loop), *other = noter("other");

    (void)state;
    list.future = f;
    list.other = other;
    add(f, function_new("change_callbacks", change_callbacks, 1, NULL));
    add(f, incref(other));
    finish(f, 0);
    turns(loop, 1);
    assert_diary("changed other");
    turns(loop, 1);
    assert_diary("added");
    decref(other);
    decref(f);
    end_loop(loop);
}

static void remove_other(void *unused)
{
    (void)unused;
    future_remove_done_callback(list.future, list.other);
}

/* The end of what a removed callback held takes out another one. */
static void test_the_list_changes_while_callbacks_are_removed(void **state)
{
    struct object *loop = make_loop(), *f = make_future(loop), *other = noter("other"), *probe, *c;

    (void)state;
    probe = probe_new(remove_other, NULL);
    c = function_new("noter", note_closure, ARGUMENTS_ANY, probe);
    decref(probe);
    list.future = f;
    list.other = other;
    add(f, incref(c));
    add(f, incref(other));
    add(f, noter("x"));
    add(f, incref(other));
    assert_int_equal(future_remove_done_callback(f, c), 1);
    decref(c);
    live_blocks();
    finish(f, 0);
    turns(loop, 1);
    assert_diary("x");
    decref(other);
    decref(f);
    end_loop(loop);
}

static void test_exceptions_in_callbacks_go_to_the_hook(void **state)
{
    struct object *loop = make_loop(), *f = make_future(loop), *bad = list_new();

    (void)state;
    add(f, bad); /* it cannot be called */
    add(f, noter("x"));
    finish(f, 0);
    turns(loop, 1);
    assert_diary("x");
    assert_heard(1, "Exception in callback", "TypeError: 'list' object is not callable");
    decref(f);
    end_loop(loop);
}

/* F test_future_exception_never_retrieved, test_tb_logger_exception_unretrieved */
static void test_exception_never_retrieved_is_told_once(void **state)
{
    struct object *loop = make_loop(), *f = make_future(loop);

    (void)state;
    fail_with(f, &value_error, "lost");
    assert_int_equal(heard.told, 0);
    decref(f);
    live_blocks();
    assert_heard(1, "Future exception was never retrieved", "ValueError: lost");
    end_loop(loop);
    live_blocks();
    assert_int_equal(heard.told, 0);
}

/* F test_tb_logger_result_retrieved, _exception_retrieved, _not_called_after_cancel */
static void test_a_retrieved_exception_is_not_told(void **state)
{
    struct object *loop = make_loop(), *f, *e;

    (void)state;
    for (int how = 0; how < 3; how++) {
        f = make_future(loop);
        fail_with(f, &value_error, "known");
        switch (how) {
        case 0:
            assert_error(!future_result(f), &value_error, "known");
            break;
        case 1:
            e = future_exception(f);
            decref(e);
            break;
        default:
            assert_int_equal(future_cancel(f, NULL), 0);
        }
        decref(f);
        live_blocks();
    }
    assert_int_equal(heard.told, 0);
    end_loop(loop);
}

/* In a cycle with its own exception's value, the collector finds it. */
static void test_exception_never_retrieved_in_a_cycle(void **state)
{
    struct object *loop = make_loop(), *f = make_future(loop), *row, *tuple, *e;

    (void)state;
    if (!collector_works())
        skip();
    row = list_new();
    assert_int_equal(list_append(row, f), 0);
    tuple = tuple_new(1, &row);
    e = exception_new_with(&value_error, tuple, "%s", "lost");
    assert_int_equal(future_set_exception(f, e), 0);
    decref(e);
    decref(row);
    decref(f);
    collect(GENERATION_ALL);
    live_blocks();
    assert_heard(1, "Future exception was never retrieved", "ValueError: lost");
    end_loop(loop);
}

static void test_await_gives_itself_once(void **state)
{
    struct object *loop = make_loop(), *f = make_future(loop), *iterator = iterate(f), *result;

    (void)state;
    assert_int_equal(future_next(iterator, &result), STEP_NEXT);
    assert_ptr_equal(result, f);
    decref(result);
    assert_int_equal(future_next(iterator, &result), STEP_ERROR);
    assert_error(true, &runtime_error, "await wasn't used with future");
    finish(f, 7);
    assert_int_equal(future_next(iterator, &result), STEP_RETURN);
    assert_int_equal(int_value(result), 7);
    decref(result);
    decref(iterator);
    decref(f);
    end_loop(loop);
}

static void test_a_dropped_future_drops_its_callbacks(void **state)
{
    struct object *loop = make_loop(), *f = make_future(loop), *a = noter("a");

    (void)state;
    for (int i = 0; i < 7; i++)
        add(f, incref(a));
    decref(f);
    assert_int_equal(exact_count(a), 1);
    turns(loop, 1);
    assert_diary("");
    decref(a);
    end_loop(loop);
}

static void test_of_a_closed_loop_nothing_can_be_called(void **state)
{
    struct object *loop = make_loop(), *f = make_future(loop);

    (void)state;
    add(f, noter("a"));
    assert_int_equal(loop_close(loop), 0);
    assert_error(future_set_result(f, none()) < 0, &runtime_error, "Event loop is closed");
    assert_error(future_cancel(f, NULL) < 0, &runtime_error, "Event loop is closed");
    assert_false(future_done(f));
    decref(f);
    decref(loop);
}

static int session(void)
{
    struct object *loop = loop_new(), *f = NULL, *g = NULL, *callable = NULL, *e = NULL;
    int result = -1;

    if (loop && (f = future_new(loop)) && (g = future_new(loop)))
        callable = function_new("noter", note_closure, ARGUMENTS_ANY, NULL);
    for (int i = 0; callable && i < 6; i++)
        if (future_add_done_callback(f, callable) < 0)
            goto out;
    if (!callable || future_remove_done_callback(f, callable) != 6 ||
        future_set_result(f, none()) < 0 || future_cancel(g, NULL) < 0)
        goto out;
    if (future_result(g) || !exception_matches(&cancelled_error))
        goto out;
    exception_restore(NULL);
    result = 0;
out:
    e = exception_take();
    if (loop)
        assert_int_equal(loop_close(loop), 0);
    exception_restore(e);
    xdecref(f);
    xdecref(g);
    xdecref(callable);
    xdecref(loop);
    return result;
}

static void test_no_memory_is_an_error(void **state)
{
    (void)state;
    fail_everywhere(session);
}

/* Once its callbacks are added, to finish it needs none. */
static void test_to_finish_needs_no_memory(void **state)
{
    struct object *loop = make_loop(), *f = make_future(loop);

    (void)state;
    for (int i = 0; i < 40; i++)
        add(f, noter("x"));
    soon(loop, noter("y"));
    fail_allocation(1);
    assert_int_equal(future_set_result(f, none()), 0);
    assert_true(failure_waits());
    fail_allocation(0);
    turns(loop, 1);
    assert_int_equal(strlen(diary), 41 * 2 - 1);
    decref(f);
    end_loop(loop);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_initial_state),
        cmocka_unit_test(test_result),
        cmocka_unit_test(test_exception),
        cmocka_unit_test(test_stop_iteration_is_refused),
        cmocka_unit_test(test_future_cancel_message),
        cmocka_unit_test(test_callbacks_invoked_on_set_result),
        cmocka_unit_test(test_callbacks_invoked_on_set_exception_and_cancel),
        cmocka_unit_test(test_remove_done_callback),
        cmocka_unit_test(test_callbacks_may_change_the_list),
        cmocka_unit_test(test_the_list_changes_while_callbacks_are_removed),
        cmocka_unit_test(test_exceptions_in_callbacks_go_to_the_hook),
        cmocka_unit_test(test_exception_never_retrieved_is_told_once),
        cmocka_unit_test(test_a_retrieved_exception_is_not_told),
        cmocka_unit_test(test_exception_never_retrieved_in_a_cycle),
        cmocka_unit_test(test_await_gives_itself_once),
        cmocka_unit_test(test_a_dropped_future_drops_its_callbacks),
        cmocka_unit_test(test_of_a_closed_loop_nothing_can_be_called),
        cmocka_unit_test(test_no_memory_is_an_error),
        cmocka_unit_test(test_to_finish_needs_no_memory),
    };

    alarm(LONG_S);
    return run_attached(tests);
}
