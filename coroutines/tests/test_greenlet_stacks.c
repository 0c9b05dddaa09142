/* test_greenlet_stacks.c - what belongs to a stack goes with it, and what the collector sees of it.
 *
 * Exceptions, destructors, generators that are left in their midst; cycles; no memory.
 */
#include "coroutines/generator.h"
#include "coroutines/greenlet.h"
#include "objects/cell.h"
#include "objects/collector.h"
#include "objects/function.h"
#include "objects/int.h"
#include "objects/iterator.h"
#include "objects/list.h"
#include "objects/none.h"
#include "objects/tests/testing.h"
#include "objects/warning.h"
#include "objects/weakref.h"

static struct object *main_greenlet; /* owned */

static struct object *make(native *body, int arguments, borrowed closure)
{
    struct object *function = function_new("body", body, arguments, closure);
    struct object *g = function ? greenlet_new(function, NULL) : NULL;

    xdecref(function);
    return g;
}

static struct object *to_main(void)
{
    return greenlet_switch(main_greenlet, NULL);
}

/* ---- exceptions ---- */

/* In an except block it is left, and raises when it is back. */
static struct object *handle(borrowed closure, borrowed const *arguments, size_t count)
{
    struct object *caught = exception_new(&value_error, "mine");
    struct handling h;

    (void)closure, (void)arguments, (void)count;
    assert_null(exception_handled());
    exception_handle_begin(&h, incref(caught));
    decref(to_main());
    assert_ptr_equal(exception_handled(), caught);
    exception_set(&key_error, "raised");
    exception_handle_end(&h);
    decref(caught);
    return NULL;
}

static void test_what_is_handled_is_each_ones_own(void **state)
{
    struct object *g = make(handle, 0, NULL), *e, *context;
    struct handling h;

    (void)state;
    exception_handle_begin(&h, exception_new(&runtime_error, "main's"));
    decref(greenlet_switch(g, NULL));
    assert_string_equal(exception_message(exception_handled()), "main's");
    assert_null(greenlet_switch(g, NULL));
    assert_string_equal(exception_message(exception_handled()), "main's");
    exception_handle_end(&h);
    assert_null(exception_handled());
    e = exception_take();
    context = exception_context(e);
    assert_string_equal(exception_message(context), "mine");
    decref(context);
    decref(e);
    decref(g);
}

/* It never ends its block. */
static struct object *handle_for_ever(borrowed closure, borrowed const *arguments, size_t count)
{
    struct handling *h = malloc(sizeof *h);

    (void)closure, (void)arguments, (void)count;
    exception_handle_begin(h, exception_new(&value_error, "left open"));
    *(struct handling **)(uintptr_t)int_value(arguments[0]) = h;
    return to_main();
}

static void test_a_block_that_is_left_open_ends_with_the_function(void **state)
{
    struct handling *h;
    struct object *g = make(handle_for_ever, 1, NULL), *where = int_new((int64_t)(uintptr_t)&h);

    (void)state;
    decref(greenlet_switch(g, where));
    assert_null(exception_handled());
    decref(greenlet_switch(g, NULL));
    assert_true(greenlet_dead(g));
    free(h);
    decref(where);
    decref(g);
}

/* ---- a generator that is left in its midst ---- */

static enum turn switch_in_turn(struct frame *f, enum resume how, borrowed argument,
                                struct object **result)
{
    if (how == RESUME_THROW)
        return frame_raise(argument);
    if (f->at == 2)
        return frame_return(result);
    f->at++;
    *result = to_main();
    return *result ? TURN_YIELD : TURN_ERROR;
}

static const struct body left_body = { .name = "left", .resume = switch_in_turn };

static struct object *go_through(borrowed closure, borrowed const *arguments, size_t count)
{
    struct object *item;
    int64_t sum = 0;
    enum step step;

    (void)closure, (void)count;
    while ((step = iterator_step(arguments[0], &item)) == STEP_NEXT) {
        sum += int_value(item);
        decref(item);
    }
    if (step == STEP_ERROR)
        return NULL;
    decref(item);
    return int_new(sum);
}

static void test_a_generator_may_switch_in_its_turn(void **state)
{
    struct object *generator = generator_new(&left_body, NULL, 0), *g = make(go_through, 1, NULL);
    struct object *three = int_new(3), *four = int_new(4), *sum;

    (void)state;
    decref(greenlet_switch(g, generator));
    assert_null(iterator_next(generator));
    assert_raises(&value_error); /* it is executing, on the other stack */
    decref(greenlet_switch(g, three));
    sum = greenlet_switch(g, four);
    assert_int_equal(int_value(sum), 7);
    assert_true(greenlet_dead(g));
    decref(sum);
    decref(three);
    decref(four);
    decref(g);
    decref(generator);
}

static struct object *handled_below[2]; /* owned, until one is handled */
static int handle_next;

/* Delegates to its argument while it handles an exception, in a block in its frame. */
static enum turn delegate_handling(struct frame *f, enum resume how, borrowed argument,
                                   struct object **result)
{
    struct handling *h = frame_locals(f);

    if (f->at++ == 0) {
        exception_handle_begin(h, handled_below[handle_next++]);
        *result = incref(f->reference[0]);
        return TURN_FROM;
    }
    exception_handle_end(h);
    return how == RESUME_THROW ? frame_raise(argument) : frame_return(result);
}

static const struct body handling_body = { .name = "handling", .resume = delegate_handling,
                                           .references = 1,
                                           .locals_bytes = sizeof(struct handling) };

/* Two of them, and the leaf leaves the stack: the collector must count each block once, as
 * the generator's. */
static void test_the_collector_sees_what_a_chain_handles_once(void **state)
{
    struct object *first = exception_new(&value_error, "first");
    struct object *second = exception_new(&value_error, "second");
    struct object *leaf = generator_new(&left_body, NULL, 0);
    struct object *middle = generator_new(&handling_body, (borrowed[]){ leaf }, 1);
    struct object *root = generator_new(&handling_body, (borrowed[]){ middle }, 1);
    struct object *g = make(go_through, 1, NULL), *number = int_new(5), *sum;

    (void)state;
    handled_below[0] = first;
    handled_below[1] = second;
    decref(greenlet_switch(g, root));
    assert_int_equal(held_by(g), 4); /* home, parent, what is called, and with what */
    collect(GENERATION_ALL);
    decref(greenlet_switch(g, number));
    collect(GENERATION_ALL);
    sum = greenlet_switch(g, number);
    assert_int_equal(int_value(sum), 10);
    decref(sum);
    decref(number);
    decref(g);
    decref(root);
    decref(middle);
    decref(leaf);
}

/* ---- destructors ---- */

static struct object *call_main(borrowed closure, borrowed const *arguments, size_t count)
{
    (void)closure, (void)arguments, (void)count;
    return to_main();
}

/* Lists in lists, so deep that destructors wait for each other; the innermost has a weak reference
 * whose callback leaves the stack. */
static struct object *nest(borrowed innermost, int levels)
{
    struct object *o = incref(innermost);

    while (levels--) {
        struct object *list = list_new();

        assert_int_equal(list_append(list, o), 0);
        decref(o);
        o = list;
    }
    return o;
}

static struct object *drop_nested(borrowed closure, borrowed const *arguments, size_t count)
{
    struct object *function = function_new("call_main", call_main, ARGUMENTS_ANY, NULL);
    struct object *innermost = list_new(), *nested = nest(innermost, 3);
    struct object *weak = weakref_new(innermost, function);

    (void)closure, (void)arguments, (void)count;
    decref(innermost);
    decref(nested);
    rc_quiesce();
    decref(weak);
    decref(function);
    return none();
}

static void test_a_destructor_may_be_left_in_its_midst(void **state)
{
    struct object *g = make(drop_nested, ARGUMENTS_ANY, NULL), *innermost = list_new(), *nested;
    _Atomic bool freed = false;

    (void)state;
    decref(greenlet_switch(g, NULL));
    if (!greenlet_dead(g) && !RC_LATE_HERE) {
        nested = nest(innermost, 100);
        tell_freed(innermost, &freed);
        decref(innermost);
        decref(nested); /* destructors of this stack, not of the one that was left */
        settle_heap();
        assert_true(freed);
    } else {
        decref(innermost);
    }
    while (!greenlet_dead(g))
        decref(greenlet_switch(g, NULL));
    decref(g);
}

/* ---- the collector ---- */

static int ends;

/* Holds what it was called with in a slot, and notes its end. */
static struct object *wait_in_slot(borrowed closure, borrowed const *arguments, size_t count)
{
    struct object *slot[] = { incref(arguments[0]) }, *got;
    struct greenlet_slots slots;

    (void)closure, (void)count;
    greenlet_hold(&slots, slot, 1);
    got = to_main();
    greenlet_let_go(&slots);
    ends += !got && exception_matches(&greenlet_exit);
    decref(slot[0]);
    return got;
}

static void make_cycle(bool by_slot)
{
    struct object *list = list_new(), *g = make(by_slot ? wait_in_slot : handle, by_slot ? 1 : 0, NULL);

    assert_int_equal(list_append(list, g), 0);
    decref(greenlet_switch(g, list));
    decref(g);
    decref(list);
}

static void test_a_cycle_through_slots_is_collected(void **state)
{
    int64_t before = live_blocks();

    (void)state;
    ends = 0;
    make_cycle(true);
    settle_heap();
    assert_int_equal(ends, 0);
    collect(GENERATION_ALL);
    if (!collector_works())
        return;
    assert_int_equal(ends, 1);
    assert_int_equal(live_blocks(), before);
}

/* The exception that it handles holds it. */
static struct object *wait_handling(borrowed closure, borrowed const *arguments, size_t count)
{
    struct object *me = greenlet_current(), *got;
    struct handling h;

    (void)closure, (void)arguments, (void)count;
    exception_handle_begin(&h, exception_new_with(&value_error, me, "%s", "held"));
    got = to_main();
    ends += !got && exception_matches(&greenlet_exit);
    exception_handle_end(&h);
    return got;
}

static void test_a_cycle_through_what_is_handled_is_collected(void **state)
{
    int64_t before = live_blocks();
    struct object *g = make(wait_handling, 0, NULL);

    (void)state;
    ends = 0;
    decref(greenlet_switch(g, NULL));
    decref(g);
    collect(GENERATION_ALL);
    collect(GENERATION_ALL);
    if (!collector_works())
        return;
    assert_int_equal(ends, 1);
    assert_int_equal(live_blocks(), before);
}

static void test_a_cycle_of_one_that_has_not_begun_is_collected(void **state)
{
    int64_t before = live_blocks();
    struct object *cell = cell_new(NULL), *g = make(call_main, 0, cell);

    (void)state;
    cell_set(cell, g);
    decref(cell);
    decref(g);
    collect(GENERATION_ALL);
    if (collector_works())
        assert_int_equal(live_blocks(), before);
}

/* ---- no memory ---- */

static int failed_at_end; /* where nobody could be told of it */

/* Takes what it gets, makes something of it, and at its end asks who it is. */
static struct object *allocate(borrowed closure, borrowed const *arguments, size_t count)
{
    struct object *list = list_new(), *got, *me;

    (void)closure, (void)count;
    if (!list || list_append(list, arguments[0]) < 0) {
        xdecref(list);
        return NULL;
    }
    got = greenlet_switch(main_greenlet, list);
    decref(list);
    if (got || !exception_matches(&greenlet_exit))
        return got;
    failed_at_end += uncounted(exception_pending()); /* the one that is there for want of memory */
    exception_restore(NULL);
    me = greenlet_current();
    xdecref(me);
    return me ? none() : NULL;
}

static void note_unraisable(borrowed e, const char *where)
{
    (void)where;
    failed_at_end += exception_is(e, &memory_error);
}

static const struct warning_hooks hooks = { .unraisable = note_unraisable };

static int one_after_the_other(struct object *number)
{
    struct object *child = make(allocate, 1, NULL), *got = NULL;

    if (child)
        got = greenlet_switch(child, number);
    if (got) {
        decref(got);
        got = greenlet_switch(child, number);
    }
    if (got) {
        decref(got);
        decref(child);
        child = make(allocate, 1, NULL);
        got = child ? greenlet_switch(child, number) : NULL;
    }
    xdecref(got);
    xdecref(child); /* and ends */
    settle_heap();
    return got ? 0 : -1;
}

static int session(void)
{
    struct object *number = int_new(123456789), *thrown, *g, *got;
    int result;

    failed_at_end = 0;
    if (!number)
        return -1;
    result = one_after_the_other(number);
    decref(number);
    if (result == 0 && failed_at_end) {
        exception_set_no_memory();
        return -1;
    }
    if (result < 0)
        return -1;
    g = make(call_main, 0, NULL);
    if (!g)
        return -1;
    thrown = exception_new(&value_error, "x");
    got = thrown ? greenlet_throw(g, thrown) : NULL;
    decref(g);
    assert_null(got);
    if (!thrown || exception_matches(&memory_error))
        return -1;
    exception_restore(NULL);
    return 0;
}

static void test_every_allocation_failing(void **state)
{
    (void)state;
    warning_set_hooks(&hooks);
    assert_int_equal(session(), 0);
    fail_everywhere(session);
    warning_set_hooks(NULL);
    assert_int_equal(greenlets_leaked(), 0);
}

/* Of a thread that has had no greenlets. */
static void test_no_memory_for_the_first(void **state)
{
    (void)state;
    for (int n = 1; n <= 2; n++) {
        int64_t before = live_blocks();

        fail_allocation(n);
        assert_null(greenlet_current());
        assert_raises(&memory_error);
        fail_allocation(0);
        assert_int_equal(live_blocks(), before);
    }
}

static int begin(void **state)
{
    (void)state;
    main_greenlet = greenlet_current();
    return !main_greenlet;
}

static int end(void **state)
{
    (void)state;
    decref(main_greenlet);
    return 0;
}

static const struct CMUnitTest tests[] = {
    cmocka_unit_test(test_no_memory_for_the_first),
    cmocka_unit_test_setup(test_what_is_handled_is_each_ones_own, begin),
    cmocka_unit_test(test_a_block_that_is_left_open_ends_with_the_function),
    cmocka_unit_test(test_a_generator_may_switch_in_its_turn),
    cmocka_unit_test(test_the_collector_sees_what_a_chain_handles_once),
    cmocka_unit_test(test_a_destructor_may_be_left_in_its_midst),
    cmocka_unit_test(test_a_cycle_through_slots_is_collected),
    cmocka_unit_test(test_a_cycle_through_what_is_handled_is_collected),
    cmocka_unit_test(test_a_cycle_of_one_that_has_not_begun_is_collected),
    cmocka_unit_test_teardown(test_every_allocation_failing, end),
};

int main(void)
{
    return run_attached(tests);
}
