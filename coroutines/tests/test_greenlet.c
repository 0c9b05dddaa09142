/* test_greenlet.c - greenlets on one thread: switching, throwing, parents, the end. */
#include "coroutines/greenlet.h"
#include "objects/cell.h"
#include "objects/function.h"
#include "objects/int.h"
#include "objects/none.h"
#include "objects/tests/testing.h"
#include "objects/warning.h"

static struct object *main_greenlet; /* owned */

static int64_t number_of(struct object *o /* steals */)
{
    int64_t n;

    assert_non_null(o);
    n = int_value(o);
    decref(o);
    return n;
}

static struct object *make(native *body, int arguments, borrowed parent)
{
    struct object *function = function_new("body", body, arguments, NULL), *g;

    assert_non_null(function);
    g = greenlet_new(function, parent);
    decref(function);
    assert_non_null(g);
    return g;
}

static struct object *switch_number(borrowed g, int64_t n)
{
    struct object *number = int_new(n), *got = greenlet_switch(g, number);

    decref(number);
    return got;
}

/* ---- switching ---- */

static struct object *add_one(borrowed closure, borrowed const *arguments, size_t count)
{
    struct object *value = incref(arguments[0]);

    (void)closure, (void)count;
    while (value && int_value(value) < 100) {
        int64_t n = number_of(value);

        value = switch_number(main_greenlet, n + 1);
    }
    return value;
}

static void test_values_pass_both_ways(void **state)
{
    struct object *g = make(add_one, 1, NULL);

    (void)state;
    assert_false(greenlet_started(g));
    assert_int_equal(number_of(switch_number(g, 5)), 6);
    assert_true(greenlet_started(g));
    assert_false(greenlet_dead(g));
    assert_int_equal(number_of(switch_number(g, 10)), 11);
    assert_int_equal(number_of(switch_number(g, 1000)), 1000);
    assert_true(greenlet_dead(g));
    decref(g);
}

static struct object *partner;

static struct object *ping(borrowed closure, borrowed const *arguments, size_t count)
{
    int64_t n = int_value(arguments[0]);

    (void)closure, (void)count;
    while (n < 100)
        n = number_of(switch_number(partner, n + 1));
    return int_new(n);
}

static struct object *pong(borrowed closure, borrowed const *arguments, size_t count)
{
    int64_t n = int_value(arguments[0]);
    struct object *other = (struct object *)closure;

    (void)count;
    for (;;) {
        struct object *back = cell_get(other), *got = switch_number(back, n + 1);

        decref(back);
        if (!got)
            return NULL;
        n = number_of(got);
    }
}

static void test_two_switch_to_each_other(void **state)
{
    struct object *a = make(ping, 1, NULL), *cell = cell_new(a), *function, *got;

    (void)state;
    function = function_new("pong", pong, 1, cell);
    partner = greenlet_new(function, NULL);
    got = switch_number(a, 1);
    assert_int_equal(number_of(got), 101);
    assert_true(greenlet_dead(a));
    assert_false(greenlet_dead(partner));
    decref(partner);
    decref(function);
    decref(cell);
    decref(a);
}

static struct object *no_argument(borrowed closure, borrowed const *arguments, size_t count)
{
    struct object *got;

    (void)closure, (void)arguments;
    assert_int_equal(count, 0);
    got = greenlet_switch(main_greenlet, NULL);
    assert_ptr_equal(got, none());
    return got;
}

static void test_a_switch_without_a_value(void **state)
{
    struct object *g = make(no_argument, 0, NULL);

    (void)state;
    assert_ptr_equal(greenlet_switch(g, NULL), none());
    assert_ptr_equal(greenlet_switch(g, NULL), none());
    assert_true(greenlet_dead(g));
    decref(g);
}

static void test_a_switch_to_oneself_returns_at_once(void **state)
{
    (void)state;
    assert_int_equal(number_of(switch_number(main_greenlet, 4)), 4);
}

static struct object *return_it(borrowed closure, borrowed const *arguments, size_t count)
{
    (void)closure;
    return count ? incref(arguments[0]) : none();
}

static void test_a_dead_one_passes_to_its_parent(void **state)
{
    struct object *g = make(return_it, 1, NULL);

    (void)state;
    assert_int_equal(number_of(switch_number(g, 5)), 5);
    assert_int_equal(number_of(switch_number(g, 7)), 7);
    assert_int_equal(number_of(switch_number(g, 8)), 8);
    decref(g);
}

/* ---- who is current, and parents ---- */

static struct object *see_current(borrowed closure, borrowed const *arguments, size_t count)
{
    struct object *me = greenlet_current(), *parent = greenlet_parent(me);

    (void)closure, (void)count;
    assert_ptr_equal(me, arguments[0]);
    assert_ptr_equal(parent, main_greenlet);
    decref(me);
    return parent;
}

static void test_current_and_parent(void **state)
{
    struct object *g = make(see_current, 1, NULL), *got = greenlet_switch(g, g);

    (void)state;
    assert_ptr_equal(got, main_greenlet);
    assert_null(greenlet_parent(main_greenlet));
    assert_null(exception_pending());
    decref(got);
    decref(g);
}

static void test_a_value_goes_to_the_parent(void **state)
{
    struct object *parent = make(return_it, 1, NULL), *child = make(return_it, 1, parent);

    (void)state;
    assert_int_equal(number_of(switch_number(child, 3)), 3);
    assert_true(greenlet_dead(child));
    assert_true(greenlet_dead(parent)); /* it began with what the child returned */
    decref(child);
    decref(parent);
}

static struct object *raise_error(borrowed closure, borrowed const *arguments, size_t count)
{
    (void)closure, (void)arguments, (void)count;
    exception_set(&value_error, "x");
    return NULL;
}

static void test_an_exception_goes_to_the_parent(void **state)
{
    struct object *parent = make(return_it, 1, NULL), *child = make(raise_error, 1, parent);

    (void)state;
    assert_null(switch_number(child, 3));
    assert_raises(&value_error);
    assert_true(greenlet_dead(parent)); /* and one that had not begun never will */
    assert_int_equal(number_of(switch_number(parent, 9)), 9);
    decref(child);
    decref(parent);
}

#define assert_message(kind, message) \
    do { \
        assert_true(exception_matches(kind)); \
        assert_string_equal(exception_message(exception_pending()), message); \
        exception_restore(NULL); \
    } while (0)

static void test_the_parent_can_be_changed(void **state)
{
    struct object *a = make(return_it, 1, NULL), *b = make(return_it, 1, a), *number = int_new(3);
    struct object *got;

    (void)state;
    assert_int_equal(greenlet_set_parent(a, b), -1);
    assert_message(&value_error, "cyclic parent chain");
    assert_int_equal(greenlet_set_parent(a, a), -1);
    assert_message(&value_error, "cyclic parent chain");
    assert_int_equal(greenlet_set_parent(main_greenlet, a), -1);
    assert_message(&attribute_error, "cannot set the parent of a main greenlet");
    assert_int_equal(greenlet_set_parent(a, number), -1);
    assert_message(&type_error, "GreenletChecker: Expected any type of greenlet, not int");
    assert_null(greenlet_new(number, number));
    assert_message(&type_error, "GreenletChecker: Expected any type of greenlet, not int");
    assert_int_equal(greenlet_set_parent(b, main_greenlet), 0);
    assert_int_equal(greenlet_set_parent(a, b), 0);
    got = greenlet_parent(a);
    assert_ptr_equal(got, b);
    decref(got);
    decref(number);
    decref(b);
    decref(a);
}

static void test_what_cannot_be_called(void **state)
{
    struct object *number = int_new(3), *g = greenlet_new(number, NULL);

    (void)state;
    assert_null(greenlet_switch(g, NULL));
    assert_message(&type_error, "'int' object is not callable");
    assert_true(greenlet_dead(g));
    decref(g);
    decref(number);
}

/* ---- throwing ---- */

static struct object *catch_one(borrowed closure, borrowed const *arguments, size_t count)
{
    struct object *got = greenlet_switch(main_greenlet, arguments[0]);

    (void)closure, (void)count;
    assert_null(got);
    if (!exception_matches(&value_error))
        return NULL;
    exception_restore(NULL);
    return int_new(77);
}

static void test_throw_raises_where_it_stands(void **state)
{
    struct object *g = make(catch_one, 1, NULL);

    (void)state;
    assert_int_equal(number_of(switch_number(g, 1)), 1);
    assert_int_equal(number_of(greenlet_throw(g, exception_new(&value_error, "y"))), 77);
    assert_true(greenlet_dead(g));
    decref(g);
    g = make(catch_one, 1, NULL);
    assert_int_equal(number_of(switch_number(g, 1)), 1);
    assert_null(greenlet_throw(g, exception_new(&key_error, "z")));
    assert_message(&key_error, "z");
    decref(g);
}

static void assert_exit(struct object *got /* steals */)
{
    assert_non_null(got);
    assert_true(exception_is(got, &greenlet_exit));
    assert_null(exception_pending());
    decref(got);
}

static void test_greenlet_exit_is_returned(void **state)
{
    struct object *g = make(catch_one, 1, NULL);

    (void)state;
    assert_int_equal(number_of(switch_number(g, 1)), 1);
    assert_exit(greenlet_throw(g, NULL));
    assert_true(greenlet_dead(g));
    assert_exit(greenlet_throw(g, NULL)); /* dead: its parent gets it likewise */
    assert_null(greenlet_throw(g, exception_new(&value_error, "y")));
    assert_message(&value_error, "y");
    decref(g);
}

static bool was_called;

static struct object *note_call(borrowed closure, borrowed const *arguments, size_t count)
{
    (void)closure, (void)arguments, (void)count;
    was_called = true;
    return none();
}

static void test_throw_into_one_that_has_not_begun(void **state)
{
    struct object *g = make(note_call, 1, NULL);

    (void)state;
    was_called = false;
    assert_exit(greenlet_throw(g, NULL));
    assert_true(greenlet_dead(g));
    decref(g);
    g = make(note_call, 1, NULL);
    assert_null(greenlet_throw(g, exception_new(&value_error, "x")));
    assert_message(&value_error, "x");
    assert_true(greenlet_dead(g));
    assert_false(was_called);
    decref(g);
}

static void test_throw_into_oneself(void **state)
{
    (void)state;
    assert_null(greenlet_throw(main_greenlet, NULL));
    assert_raises(&greenlet_exit);
    assert_null(greenlet_throw(main_greenlet, exception_new(&value_error, "z")));
    assert_message(&value_error, "z");
}

/* ---- the end of one that is suspended ---- */

static struct object *told; /* owned: what the hook was given last; NULL: nothing */

static void note_unraisable(borrowed exception, const char *where)
{
    (void)where;
    xdecref(told);
    told = incref(exception);
}

static const struct warning_hooks hooks = { .unraisable = note_unraisable };

static void assert_told(const struct type *kind, const char *message)
{
    assert_non_null(told);
    assert_true(exception_is(told, kind));
    assert_string_equal(exception_message(told), message);
    decref(told);
    told = NULL;
}

static int ends;

/* A finally block. */
static struct object *note_end(borrowed closure, borrowed const *arguments, size_t count)
{
    struct object *got = greenlet_switch(main_greenlet, arguments[0]);

    (void)closure, (void)count;
    ends += !got && exception_matches(&greenlet_exit) ? 1 : 100;
    return got;
}

static struct object *suspended(native *body)
{
    struct object *g = make(body, 1, NULL);

    assert_int_equal(number_of(switch_number(g, 1)), 1);
    return g;
}

static void test_dropped_it_ends_at_once(void **state)
{
    struct object *g = suspended(note_end);

    (void)state;
    ends = 0;
    decref(g);
    settle_heap();
    assert_int_equal(ends, 1);
    assert_null(told);
    assert_int_equal(greenlets_suspended(), 0);
}

static void test_dropped_before_it_begins_no_code_runs(void **state)
{
    (void)state;
    was_called = false;
    decref(make(note_call, 1, NULL));
    settle_heap();
    assert_false(was_called);
}

static struct object *fail_at_end(borrowed closure, borrowed const *arguments, size_t count)
{
    struct object *got = greenlet_switch(main_greenlet, arguments[0]);

    (void)closure, (void)count;
    assert_null(got);
    exception_restore(NULL);
    exception_set(&value_error, "in finally");
    return NULL;
}

static void test_errors_of_the_end_go_to_the_hook(void **state)
{
    struct object *g = suspended(fail_at_end);

    (void)state;
    exception_set(&key_error, "kept");
    decref(g);
    assert_message(&key_error, "kept");
    settle_heap();
    assert_told(&value_error, "in finally");
}

static struct object *revived; /* owned */

static struct object *live_on(borrowed closure, borrowed const *arguments, size_t count)
{
    struct object *got = greenlet_switch(main_greenlet, arguments[0]);

    (void)closure, (void)count;
    assert_null(got);
    assert_raises(&greenlet_exit);
    revived = greenlet_current();
    got = switch_number(main_greenlet, 12);
    if (!got)
        return NULL;
    return int_new(number_of(got) + 1);
}

static void test_it_may_live_on_under_a_new_object(void **state)
{
    struct object *g = suspended(live_on), *parent;

    (void)state;
    decref(g);
    settle_heap();
    assert_non_null(revived);
    assert_null(told);
    assert_false(greenlet_dead(revived));
    parent = greenlet_parent(revived);
    assert_ptr_equal(parent, main_greenlet);
    decref(parent);
    assert_int_equal(number_of(switch_number(revived, 4)), 5);
    assert_true(greenlet_dead(revived));
    decref(revived);
    revived = NULL;
}

static void test_and_be_dropped_again(void **state)
{
    struct object *g = suspended(live_on);

    (void)state;
    decref(g);
    settle_heap();
    decref(revived);
    settle_heap();
    assert_null(told);
    assert_int_equal(greenlets_suspended(), 0);
}

static struct object *waiting; /* owned */

/* Nobody but itself holds who runs this: it drops another, whose end comes back to it. */
static struct object *drop_another(borrowed closure, borrowed const *arguments, size_t count)
{
    (void)closure, (void)arguments, (void)count;
    decref(partner);
    decref(waiting);
    settle_heap();
    return int_new(ends + 10);
}

static void test_who_runs_is_held_while_it_ends_another(void **state)
{
    (void)state;
    ends = 0;
    waiting = suspended(note_end);
    partner = make(drop_another, 1, NULL);
    assert_int_equal(number_of(switch_number(partner, 1)), 11);
    assert_int_equal(greenlets_suspended(), 0);
    assert_int_equal(greenlets_leaked(), 0);
}

static struct object *ignore(borrowed closure, borrowed const *arguments, size_t count)
{
    struct object *slot[1] = { int_new(123456789) };
    struct greenlet_slots slots;
    struct object *got;

    (void)closure, (void)count;
    greenlet_hold(&slots, slot, 1);
    got = greenlet_switch(main_greenlet, arguments[0]);
    assert_null(got);
    exception_restore(NULL);
    return greenlet_switch(main_greenlet, NULL); /* for ever */
}

static void test_one_that_ignores_it_is_freed_and_counted(void **state)
{
    int64_t before = live_blocks();
    uint64_t leaked = greenlets_leaked();
    struct object *function = function_new("ignore", ignore, 1, NULL);
    struct object *g = greenlet_new(function, NULL);

    (void)state;
    assert_int_equal(number_of(switch_number(g, 1)), 1);
    decref(g);
    settle_heap();
    assert_told(&runtime_error, "greenlet ignored GreenletExit");
    assert_int_equal(greenlets_leaked(), leaked + 1);
    decref(function);
    settle_heap();
    /* What stood in slots has been dropped: what it was called with, too. */
    assert_int_equal(live_blocks(), before);
}

static void test_a_thread_may_close_its_greenlets_and_begin_anew(void **state)
{
    struct object *g = suspended(note_end), *before = main_greenlet;

    (void)state;
    ends = 0;
    greenlet_close();
    assert_int_equal(ends, 1);
    assert_true(greenlet_dead(g));
    assert_true(greenlet_dead(before));
    main_greenlet = greenlet_current();
    assert_ptr_not_equal(main_greenlet, before);
    assert_null(greenlet_switch(g, NULL));
    assert_message(&greenlet_error,
                   "cannot switch to a different thread (which happens to have exited)");
    decref(before);
    decref(g);
}

static int begin(void **state)
{
    (void)state;
    main_greenlet = greenlet_current();
    warning_set_hooks(&hooks);
    return 0;
}

static int finish_all(void **state)
{
    (void)state;
    decref(main_greenlet);
    return 0;
}

static const struct CMUnitTest tests[] = {
    cmocka_unit_test_setup(test_values_pass_both_ways, begin),
    cmocka_unit_test(test_two_switch_to_each_other),
    cmocka_unit_test(test_a_switch_without_a_value),
    cmocka_unit_test(test_a_switch_to_oneself_returns_at_once),
    cmocka_unit_test(test_a_dead_one_passes_to_its_parent),
    cmocka_unit_test(test_current_and_parent),
    cmocka_unit_test(test_a_value_goes_to_the_parent),
    cmocka_unit_test(test_an_exception_goes_to_the_parent),
    cmocka_unit_test(test_the_parent_can_be_changed),
    cmocka_unit_test(test_what_cannot_be_called),
    cmocka_unit_test(test_throw_raises_where_it_stands),
    cmocka_unit_test(test_greenlet_exit_is_returned),
    cmocka_unit_test(test_throw_into_one_that_has_not_begun),
    cmocka_unit_test(test_throw_into_oneself),
    cmocka_unit_test(test_dropped_it_ends_at_once),
    cmocka_unit_test(test_dropped_before_it_begins_no_code_runs),
    cmocka_unit_test(test_errors_of_the_end_go_to_the_hook),
    cmocka_unit_test(test_it_may_live_on_under_a_new_object),
    cmocka_unit_test(test_and_be_dropped_again),
    cmocka_unit_test(test_who_runs_is_held_while_it_ends_another),
    cmocka_unit_test(test_a_thread_may_close_its_greenlets_and_begin_anew),
    cmocka_unit_test_teardown(test_one_that_ignores_it_is_freed_and_counted, finish_all),
};

int main(void)
{
    return run_attached(tests);
}
