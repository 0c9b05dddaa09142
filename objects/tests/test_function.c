/* test_function.c - what can be called. */
#include "objects/cell.h"
#include "objects/function.h"
#include "objects/int.h"
#include "objects/none.h"
#include "objects/str.h"
#include "objects/tests/testing.h"

static struct object *add(borrowed closure, borrowed const *arguments, size_t count)
{
    assert_null(closure);
    assert_int_equal(count, 2);
    return int_add(arguments[0], arguments[1]);
}

static struct object *counted(borrowed closure, borrowed const *arguments, size_t count)
{
    (void)closure;
    (void)arguments;
    return int_new((int64_t)count);
}

/* Adds its argument to what its closure, a cell, holds. */
static struct object *accumulate(borrowed closure, borrowed const *arguments, size_t count)
{
    struct object *old = cell_get(closure), *sum = int_add(old, arguments[0]);

    assert_int_equal(count, 1);
    decref(old);
    cell_set(closure, sum);
    return sum;
}

static void test_calls(void **state)
{
    struct object *f = function_new("add", add, 2, NULL), *a = int_new(1), *b = int_new(2), *sum;

    (void)state;
    sum = call(f, (borrowed[]){ a, b }, 2);
    assert_int_equal(int_value(sum), 3);
    assert_int_equal(exact_count(a), 1);
    assert_int_equal(exact_count(f), 1);
    assert_repr(f, "<function add>");
    decref(sum);
    decref(a);
    decref(b);
    decref(f);
}

static void assert_refuses(borrowed callable, size_t count, const char *message)
{
    borrowed arguments[] = { none(), none(), none() };

    assert_null(call(callable, arguments, count));
    assert_string_equal(exception_message(exception_pending()), message);
    assert_raises(&type_error);
}

static void test_counts_its_arguments(void **state)
{
    struct object *two = function_new("two", counted, 2, NULL), *none_at_all, *any, *result;

    (void)state;
    none_at_all = function_new("none", counted, 0, NULL);
    any = function_new("any", counted, ARGUMENTS_ANY, NULL);
    assert_refuses(two, 1, "two() takes 2 arguments but 1 was given");
    assert_refuses(two, 3, "two() takes 2 arguments but 3 were given");
    assert_refuses(none_at_all, 1, "none() takes 0 arguments but 1 was given");
    for (size_t count = 0; count < 3; count++) {
        result = call(any, (borrowed[]){ none(), none() }, count);
        assert_int_equal(int_value(result), count);
        decref(result);
    }
    decref(two);
    decref(none_at_all);
    decref(any);
}

static void test_what_cannot_be_called_is_an_error(void **state)
{
    struct object *number = int_new(1);

    (void)state;
    assert_refuses(number, 0, "'int' object is not callable");
    assert_refuses(none(), 0, "'NoneType' object is not callable");
    decref(number);
}

static void test_a_closure_is_its_own(void **state)
{
    struct object *start = int_new(10), *cell = cell_new(start), *two = int_new(2), *result;
    struct object *f = function_new("accumulate", accumulate, 1, cell);

    (void)state;
    assert_int_equal(exact_count(cell), 2);
    assert_int_equal(held_by(f), 1);
    decref(cell);
    for (int64_t expected = 12; expected < 20; expected += 2) {
        result = call(f, (borrowed[]){ two }, 1);
        assert_int_equal(int_value(result), expected);
        decref(result);
    }
    publish(f);
    assert_true(published(cell));
    decref(f);
    assert_int_equal(exact_count(start), 1);
    decref(start);
    decref(two);
}

static void test_a_method_passes_its_object_first(void **state)
{
    struct object *f = function_new("add", add, 2, NULL), *a = int_new(1), *b = int_new(2), *sum;
    struct object *m = method_new(f, a);

    (void)state;
    assert_int_equal(exact_count(f), 2);
    assert_int_equal(exact_count(a), 2);
    assert_int_equal(held_by(m), 2);
    sum = call(m, (borrowed[]){ b }, 1);
    assert_int_equal(int_value(sum), 3);
    assert_refuses(m, 2, "add() takes 2 arguments but 3 were given");
    decref(m);
    assert_int_equal(exact_count(f), 1);
    assert_int_equal(exact_count(a), 1);
    decref(f);
    decref(a);
    decref(b);
    decref(sum);
}

static void test_a_method_takes_as_many_as_a_call_may_have(void **state)
{
    struct object *f = function_new("any", counted, ARGUMENTS_ANY, NULL), *m = method_new(f, f);
    borrowed arguments[ARGUMENTS_MOST];
    struct object *result;

    (void)state;
    for (int i = 0; i < ARGUMENTS_MOST; i++)
        arguments[i] = none();
    result = call(m, arguments, ARGUMENTS_MOST - 1);
    assert_int_equal(int_value(result), ARGUMENTS_MOST);
    decref(result);
    decref(m);
    decref(f);
}

static int session(void)
{
    struct object *cell = cell_new(none()), *f = NULL, *m = NULL, *result = NULL;

    if (cell)
        f = function_new("counted", counted, 1, cell);
    if (f)
        m = method_new(f, cell);
    if (m)
        result = call(m, NULL, 0);
    xdecref(cell);
    xdecref(f);
    xdecref(m);
    xdecref(result);
    return result ? 0 : -1;
}

static void test_no_memory_is_an_error(void **state)
{
    (void)state;
    fail_everywhere(session);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_calls),
        cmocka_unit_test(test_counts_its_arguments),
        cmocka_unit_test(test_what_cannot_be_called_is_an_error),
        cmocka_unit_test(test_a_closure_is_its_own),
        cmocka_unit_test(test_a_method_passes_its_object_first),
        cmocka_unit_test(test_a_method_takes_as_many_as_a_call_may_have),
        cmocka_unit_test(test_no_memory_is_an_error),
    };

    return run_attached(tests);
}
