/* test_yield_from.c - PEP 380: delegation, by chains of any length.
 *
 * What CPython's test_pep380.py (test_yield_from.py since 3.12) defines, checked against CPython
 * 3.11. Most of it is done twice: to generators that one thread alone has seen, and to
 * published ones, which without a GIL are claimed one by one.
 */
#include "coroutines/tests/generators.h"

#include "objects/collector.h"

#include <sched.h>

enum {
    LEVELS = 5,
    SHARED_STEPS = STACKFUL_BODIES && SANITIZED ? 200 : 2000,
    SHARED_STEPS_IN_SOAK = 100000,
};

/* ---- what happened ---- */

static char trace[2000];

static void note(const char *what)
{
    size_t used = strlen(trace);

    snprintf(trace + used, sizeof trace - used, "%s%s", used ? ", " : "", what);
}

static void note_number(const char *what, borrowed number)
{
    char text[80];

    if (number == none())
        snprintf(text, sizeof text, "%s None", what);
    else
        snprintf(text, sizeof text, "%s %d", what, (int)int_value(number));
    note(text);
}

static void note_exception(const char *what, borrowed exception)
{
    char text[80];

    snprintf(text, sizeof text, "%s %s", what, type_of(exception)->name);
    note(text);
}

static void assert_trace(const char *expected)
{
    assert_string_equal(trace, expected);
    trace[0] = '\0';
}

static bool publishing;

static struct object *ready(struct object *g)
{
    if (publishing)
        publish(g);
    return g;
}

/* ---- bodies ---- */

/* yield 1, 2, 3; return 9; and notes what it is sent, what is thrown, and its end */
static enum turn inner(struct frame *f, enum resume how, borrowed argument, struct object **result)
{
    if (how == RESUME_THROW) {
        note_exception("inner raises", argument);
        return frame_raise(argument);
    }
    if (f->at > 0)
        note_number("inner got", argument);
    if (f->at == 3) {
        note("inner ends");
        return turn_return(result, 9);
    }
    return turn_yield(result, ++f->at);
}

/* return (yield from its argument), and notes what comes back */
static enum turn outer(struct frame *f, enum resume how, borrowed argument, struct object **result)
{
    if (f->at++ == 0) {
        *result = iterate(f->reference[0]);
        return *result ? TURN_FROM : TURN_ERROR;
    }
    if (how == RESUME_THROW) {
        note_exception("outer raises", argument);
        return frame_raise(argument);
    }
    note_number("outer got", argument);
    *result = incref(argument);
    return TURN_RETURN;
}

/* The same, but it catches, and yields 100 and returns 200. */
static enum turn catches(struct frame *f, enum resume how, borrowed argument,
                         struct object **result)
{
    switch (f->at++) {
    case 0:
        *result = iterate(f->reference[0]);
        return *result ? TURN_FROM : TURN_ERROR;
    case 1:
        note_exception("outer catches", argument);
        return how == RESUME_THROW ? turn_yield(result, 100) : frame_return(result);
    default:
        return how == RESUME_THROW ? frame_raise(argument) : turn_return(result, 200);
    }
}

static const struct body body_inner = { .name = "inner", .resume = inner };
static const struct body body_outer = { .name = "outer", .resume = outer, .references = 1 };
static const struct body body_catches = { .name = "catches", .resume = catches, .references = 1 };

/* `levels` of outer around one inner. */
static struct object *chain(int levels)
{
    struct object *g = make(&body_inner);

    while (levels--)
        g = make_around(&body_outer, g);
    return ready(g);
}

/* ---- what is passed on ---- */

static void test_next_is_passed_on(void **state)
{
    struct object *g = chain(1);

    (void)state;
    for (int i = 1; i <= 3; i++)
        assert_yields(next_of(g), i);
    assert_returns(next_of(g), 9);
    assert_trace("inner got None, inner got None, inner got None, inner ends, outer got 9");
    assert_returns(next_of(g), NOTHING);
    decref(g);
}

static void test_send_is_passed_on(void **state)
{
    struct object *g = chain(LEVELS);

    (void)state;
    assert_yields(next_of(g), 1);
    assert_yields(send_to(g, 10), 2);
    assert_yields(send_to(g, 20), 3);
    assert_returns(send_to(g, 30), 9);
    assert_trace("inner got 10, inner got 20, inner got 30, inner ends, "
                 "outer got 9, outer got 9, outer got 9, outer got 9, outer got 9");
    decref(g);
}

static void test_throw_is_passed_on(void **state)
{
    struct object *g = chain(2);

    (void)state;
    assert_yields(next_of(g), 1);
    assert_step_raises(throw_into(g, &value_error, "tomato"), &value_error, "tomato");
    assert_trace("inner raises ValueError, outer raises ValueError, outer raises ValueError");
    assert_int_equal(generator_state(g), GENERATOR_CLOSED);
    decref(g);
}

static void test_close_is_passed_on_from_within_to_without(void **state)
{
    int64_t before = live_blocks();
    struct object *g = chain(2);

    (void)state;
    assert_yields(next_of(g), 1);
    assert_int_equal(generator_close(g, NULL), 0);
    assert_trace("inner raises GeneratorExit, outer raises GeneratorExit, "
                 "outer raises GeneratorExit");
    decref(g);
    assert_int_equal(live_blocks(), before);
}

static void test_dropping_closes_from_within_to_without(void **state)
{
    int64_t before = live_blocks();
    struct object *g = chain(2);

    (void)state;
    assert_yields(next_of(g), 1);
    decref(g);
    assert_int_equal(live_blocks(), before);
    assert_trace("inner raises GeneratorExit, outer raises GeneratorExit, "
                 "outer raises GeneratorExit");
    assert_int_equal(told.unraisable, 0);
}

/* raises at its second step */
static enum turn breaks(struct frame *f, enum resume how, borrowed argument, struct object **result)
{
    (void)how, (void)argument;
    if (f->at++ == 0)
        return turn_yield(result, 1);
    exception_set(&value_error, "broken");
    return TURN_ERROR;
}

static const struct body body_breaks = { .name = "breaks", .resume = breaks };

static void test_an_exception_of_the_sub_is_raised_at_the_yield_from(void **state)
{
    struct object *g = ready(make_around(&body_catches, make(&body_breaks)));

    (void)state;
    assert_yields(next_of(g), 1);
    assert_yields(next_of(g), 100);
    assert_trace("outer catches ValueError");
    assert_returns(next_of(g), 200);
    decref(g);
}

static void test_a_sub_that_is_closed_ends_at_once(void **state)
{
    struct object *sub = make(&body_inner), *g = ready(make_with(&body_outer, sub));

    (void)state;
    assert_int_equal(generator_close(sub, NULL), 0);
    assert_returns(next_of(g), NOTHING);
    assert_trace("outer got None");
    decref(g);
    decref(sub);
}

/* As CPython has it: what comes straight back looks like the end of the sub. */
static void test_stop_iteration_thrown_at_a_sub_that_was_closed_is_its_end(void **state)
{
    struct object *sub = make(&body_inner), *g = ready(make_with(&body_outer, sub));

    (void)state;
    assert_yields(next_of(g), 1);
    assert_int_equal(generator_close(sub, NULL), 0);
    trace[0] = '\0';
    assert_returns(throw_into(g, &stop_iteration, ""), NOTHING);
    assert_trace("outer got None");
    decref(g);
    decref(sub);
}

static void test_what_is_no_iterator_cannot_be_delegated_to(void **state)
{
    struct object *g = ready(make_around(&body_outer, int_new(1)));

    (void)state;
    assert_step_raises(next_of(g), &type_error, "'int' object is not iterable");
    decref(g);
}

static enum turn hands_over_as_it_is(struct frame *f, enum resume how, borrowed argument,
                                     struct object **result)
{
    if (how == RESUME_THROW)
        return frame_raise(argument);
    *result = incref(f->reference[0]);
    return TURN_FROM;
}

static void test_turn_from_of_what_is_no_iterator_raises_in_the_body(void **state)
{
    static const struct body body = { .name = "hands", .resume = hands_over_as_it_is,
                                      .references = 1 };
    struct object *g = ready(make_around(&body, int_new(1)));

    (void)state;
    assert_step_raises(next_of(g), &type_error, "'int' object is not an iterator");
    decref(g);
}

/* ---- iterators that are no generators ---- */

static struct object *numbers(void)
{
    struct object *list = list_new();

    for (int i = 1; i <= 3; i++) {
        struct object *number = int_new(i);

        assert_int_equal(list_append(list, number), 0);
        decref(number);
    }
    return list;
}

static void test_a_plain_iterator_is_stepped(void **state)
{
    struct object *g = ready(make_around(&body_outer, numbers()));

    (void)state;
    for (int i = 1; i <= 3; i++)
        assert_yields(next_of(g), i);
    assert_returns(next_of(g), NOTHING);
    assert_trace("outer got None");
    decref(g);
}

static void test_a_plain_iterator_cannot_be_sent_to(void **state)
{
    struct object *g = ready(make_around(&body_outer, numbers()));

    (void)state;
    assert_yields(next_of(g), 1);
    assert_step_raises(send_to(g, 5), &attribute_error,
                       "'iterator' object has no attribute 'send'");
    assert_trace("outer raises AttributeError");
    decref(g);
}

static void test_what_is_thrown_at_a_plain_iterator_is_raised_in_the_delegator(void **state)
{
    struct object *g = ready(make_around(&body_outer, numbers()));

    (void)state;
    assert_yields(next_of(g), 1);
    assert_step_raises(throw_into(g, &value_error, "x"), &value_error, "x");
    assert_trace("outer raises ValueError");
    decref(g);
}

static void test_a_plain_iterator_need_not_be_closed(void **state)
{
    struct object *g = ready(make_around(&body_outer, numbers()));

    (void)state;
    assert_yields(next_of(g), 1);
    assert_int_equal(generator_close(g, NULL), 0);
    assert_trace("outer raises GeneratorExit");
    decref(g);
}

/* ---- an iterator of another type with methods of its own ---- */

static struct {
    struct object *(*on_next)(void);
    enum step thrown, closed; /* what throw and close end in */
    const struct type *error; /* what they raise */
    struct object *watched;   /* borrowed; who must be running meanwhile */
} odd;

static void watch(void)
{
    if (!odd.watched)
        return;
    assert_int_equal(generator_state(odd.watched), GENERATOR_RUNNING);
    assert_step_raises(next_of(odd.watched), &value_error, "generator already executing");
}

static enum step odd_next(struct object *o, struct object **result)
{
    (void)o;
    *result = odd.on_next();
    return *result ? STEP_NEXT : STEP_ERROR;
}

static enum step odd_send(struct object *o, borrowed value, struct object **result)
{
    if (value == none())
        return odd_next(o, result);
    note_number("odd got", value);
    *result = incref(value);
    return STEP_NEXT;
}

static enum step odd_throw(struct object *o, struct object *exception /* steals */,
                           struct object **result)
{
    (void)o;
    note_exception("odd is thrown", exception);
    watch();
    decref(exception);
    if (odd.thrown == STEP_ERROR)
        exception_set(odd.error, "odd");
    else
        *result = int_new(77);
    return odd.thrown;
}

static int odd_close(struct object *o)
{
    (void)o;
    note("odd is closed");
    watch();
    if (odd.closed != STEP_ERROR)
        return 0;
    exception_set(odd.error, "odd");
    return -1;
}

static const struct type odd_type = {
    .name = "odd", .size_bytes = sizeof(struct object), .iterate = incref, .next = odd_next,
    .send = odd_send, .throw = odd_throw, .close = odd_close,
};

static struct object *forty_two(void)
{
    return int_new(42);
}

static struct object *stop_with_42(void)
{
    exception_set_stop(int_new(42));
    return NULL;
}

static struct object *around_odd(const struct body *body)
{
    memset(&odd, 0, sizeof odd);
    odd.on_next = forty_two;
    odd.thrown = odd.closed = STEP_RETURN;
    return ready(make_around(body, object_new(&odd_type, sizeof(struct object))));
}

static void test_what_is_sent_goes_to_a_send_of_another_type(void **state)
{
    struct object *g = around_odd(&body_outer);

    (void)state;
    assert_yields(next_of(g), 42);
    assert_yields(send_to(g, 7), 7);
    assert_trace("odd got 7");
    decref(g);
    trace[0] = '\0';
}

/* CPython issue 15568: Python's way to end an iterator. */
static void test_stop_iteration_of_another_type_is_its_return(void **state)
{
    struct object *g = around_odd(&body_outer);

    (void)state;
    odd.on_next = stop_with_42;
    assert_returns(next_of(g), 42);
    assert_trace("outer got 42");
    decref(g);
}

static void test_a_throw_of_another_type_may_yield_return_or_raise(void **state)
{
    struct object *g = around_odd(&body_outer);

    (void)state;
    assert_yields(next_of(g), 42);
    odd.thrown = STEP_NEXT;
    assert_yields(throw_into(g, &value_error, "x"), 77);
    odd.thrown = STEP_RETURN;
    assert_returns(throw_into(g, &value_error, "x"), 77);
    assert_trace("odd is thrown ValueError, odd is thrown ValueError, outer got 77");
    decref(g);
    g = around_odd(&body_outer);
    assert_yields(next_of(g), 42);
    odd.thrown = STEP_ERROR;
    odd.error = &stop_iteration;
    assert_returns(throw_into(g, &value_error, "x"), NOTHING);
    assert_trace("odd is thrown ValueError, outer got None");
    decref(g);
}

/* CPython's test_broken_getattr_handling: here no look-up can fail, but the method can. */
static void test_a_broken_throw_or_close_is_raised_in_the_delegator(void **state)
{
    struct object *g = around_odd(&body_outer);

    (void)state;
    assert_yields(next_of(g), 42);
    odd.thrown = odd.closed = STEP_ERROR;
    odd.error = &zero_division_error;
    assert_step_raises(throw_into(g, &value_error, "x"), &zero_division_error, "odd");
    assert_trace("odd is thrown ValueError, outer raises ZeroDivisionError");
    decref(g);
    g = around_odd(&body_outer);
    assert_yields(next_of(g), 42);
    odd.closed = STEP_ERROR;
    odd.error = &zero_division_error;
    assert_int_equal(generator_close(g, NULL), -1);
    assert_error(&zero_division_error, "odd");
    assert_trace("odd is closed, outer raises ZeroDivisionError");
    decref(g);
}

static void test_the_delegator_is_running_while_the_sub_is_closed_or_thrown_at(void **state)
{
    struct object *g = around_odd(&body_outer);

    (void)state;
    assert_yields(next_of(g), 42);
    odd.watched = g;
    assert_int_equal(generator_close(g, NULL), 0);
    assert_trace("odd is closed, outer raises GeneratorExit");
    decref(g);
    g = around_odd(&body_outer);
    assert_yields(next_of(g), 42);
    odd.watched = g;
    assert_returns(throw_into(g, &value_error, "x"), 77);
    assert_trace("odd is thrown ValueError, outer got 77");
    decref(g);
}

/* ---- GeneratorExit ---- */

/* yield 1; except GeneratorExit: what its argument says */
enum stubbornness { RETURNS, YIELDS, RAISES };

static enum turn stubborn(struct frame *f, enum resume how, borrowed argument,
                          struct object **result)
{
    if (f->at++ == 0)
        return turn_yield(result, 1);
    if (f->at > 2 || how != RESUME_THROW)
        return how == RESUME_THROW ? frame_raise(argument) : frame_return(result);
    note_exception("inner catches", argument);
    switch ((enum stubbornness)int_value(f->reference[0])) {
    case RETURNS:
        return frame_return(result);
    case YIELDS:
        return turn_yield(result, 2);
    default:
        exception_set(&value_error, "crash");
        return TURN_ERROR;
    }
}

static const struct body body_stubborn = { .name = "stubborn", .resume = stubborn,
                                           .references = 1 };

static struct object *stubborn_under(const struct body *body, enum stubbornness how)
{
    struct object *g = make_around(body, make_around(&body_stubborn, int_new(how)));

    ready(g);
    assert_yields(next_of(g), 1);
    return g;
}

static void test_generator_exit_thrown_closes_a_sub_that_returns(void **state)
{
    struct object *g = stubborn_under(&body_outer, RETURNS);
    struct object *exit = exception_new(&generator_exit, "mine");

    (void)state;
    assert_int_equal(generator_throw(g, incref(exit), &stepped), STEP_ERROR);
    assert_ptr_equal(exception_pending(), exit);
    assert_error(&generator_exit, "mine");
    assert_trace("inner catches GeneratorExit, outer raises GeneratorExit");
    decref(exit);
    decref(g);
}

static void test_generator_exit_thrown_closes_a_sub_that_yields(void **state)
{
    struct object *g = stubborn_under(&body_catches, YIELDS);

    (void)state;
    assert_yields(throw_into(g, &generator_exit, ""), 100);
    assert_trace("inner catches GeneratorExit, outer catches RuntimeError");
    assert_returns(next_of(g), 200);
    decref(g);
}

static void test_a_sub_that_ignores_generator_exit_is_left_alone(void **state)
{
    struct object *sub = make_around(&body_stubborn, int_new(YIELDS));
    struct object *g = ready(make_around(&body_outer, make_with(&body_outer, sub)));

    (void)state;
    assert_yields(next_of(g), 1);
    assert_int_equal(generator_close(g, NULL), -1);
    assert_error(&runtime_error, "generator ignored GeneratorExit");
    assert_trace("inner catches GeneratorExit, outer raises RuntimeError, "
                 "outer raises RuntimeError");
    assert_int_equal(generator_state(g), GENERATOR_CLOSED);
    assert_int_equal(generator_state(sub), GENERATOR_SUSPENDED);
    decref(g);
    assert_returns(next_of(sub), NOTHING);
    decref(sub);
}

static void test_generator_exit_thrown_closes_a_sub_that_raises(void **state)
{
    struct object *g = stubborn_under(&body_catches, RAISES);

    (void)state;
    assert_yields(throw_into(g, &generator_exit, ""), 100);
    assert_trace("inner catches GeneratorExit, outer catches ValueError");
    decref(g);
}

/* ---- what it returns ---- */

static enum turn returns_when_thrown(struct frame *f, enum resume how, borrowed argument,
                                     struct object **result)
{
    (void)argument;
    if (f->at++ == 0)
        return turn_yield(result, 1);
    return how == RESUME_THROW ? turn_return(result, 2) : frame_return(result);
}

static const struct body body_returns = { .name = "returns", .resume = returns_when_thrown };

static void test_a_value_returned_out_of_a_throw_is_that_of_the_yield_from(void **state)
{
    struct object *g = ready(make_around(&body_outer, make(&body_returns)));

    (void)state;
    assert_yields(next_of(g), 1);
    assert_returns(throw_into(g, &value_error, "x"), 2);
    assert_trace("outer got 2");
    decref(g);
}

/* yield from the second one when the first has raised */
static enum turn catches_and_delegates(struct frame *f, enum resume how, borrowed argument,
                                       struct object **result)
{
    switch (f->at++) {
    case 0:
        *result = iterate(f->reference[0]);
        return TURN_FROM;
    case 1:
        note_exception("outer catches", argument);
        *result = iterate(f->reference[1]);
        return TURN_FROM;
    default:
        if (how == RESUME_THROW)
            return frame_raise(argument);
        *result = incref(argument);
        return TURN_RETURN;
    }
}

static const struct body body_second = { .name = "second", .resume = catches_and_delegates,
                                         .references = 2 };

static struct object *first_and_second(struct object *first, struct object *second)
{
    struct object *g = generator_new(&body_second, (borrowed[]){ first, second }, 2);

    decref(first);
    decref(second);
    return ready(g);
}

static void test_one_sub_after_the_other(void **state)
{
    struct object *g = first_and_second(make(&body_breaks), make(&body_inner));

    (void)state;
    assert_yields(next_of(g), 1);
    assert_yields(next_of(g), 1);
    assert_yields(next_of(g), 2);
    assert_yields(next_of(g), 3);
    assert_returns(next_of(g), 9);
    trace[0] = '\0';
    decref(g);
}

/* A delegation that begins while GeneratorExit goes up: what it yields is what is ignored. */
static void test_a_delegation_within_close_is_ignored_generator_exit(void **state)
{
    struct object *deep = first_and_second(make(&body_inner), make(&body_inner));
    struct object *g = ready(make_with(&body_outer, deep));

    (void)state;
    assert_yields(next_of(g), 1);
    assert_int_equal(generator_close(g, NULL), -1);
    assert_error(&runtime_error, "generator ignored GeneratorExit");
    assert_trace("inner raises GeneratorExit, outer catches GeneratorExit, "
                 "outer raises RuntimeError");
    assert_int_equal(generator_state(deep), GENERATOR_SUSPENDED);
    assert_yields(next_of(deep), 2);
    decref(g);
    decref(deep);
    trace[0] = '\0';
}

static struct object *published_inner(void)
{
    struct object *g = make(&body_inner);

    publish(g);
    return g;
}

/* The same, and what is left alone delegates to what is shared. */
static void test_one_that_ignores_generator_exit_is_left_alone_above_a_shared_one(void **state)
{
    struct object *deep = first_and_second(published_inner(), published_inner());
    struct object *g = make_with(&body_catches, deep);

    (void)state;
    assert_yields(next_of(g), 1);
    assert_yields(throw_into(g, &generator_exit, ""), 100);
    assert_trace("inner raises GeneratorExit, outer catches GeneratorExit, "
                 "outer catches RuntimeError");
    assert_yields(next_of(deep), 2);
    assert_returns(next_of(g), 200);
    decref(g);
    assert_yields(next_of(deep), 3);
    decref(deep);
    settle_heap();
    trace[0] = '\0';
}

/* ---- who is running ---- */

static struct object *levels[LEVELS]; /* borrowed: the outermost first */

static enum turn looks_up(struct frame *f, enum resume how, borrowed argument,
                          struct object **result)
{
    if (how == RESUME_THROW)
        return frame_raise(argument);
    for (int i = 0; i < LEVELS; i++) {
        assert_int_equal(generator_state(levels[i]), GENERATOR_RUNNING);
        assert_ptr_equal(generator_delegate(levels[i]), none());
        assert_step_raises(next_of(levels[i]), &value_error, "generator already executing");
        assert_step_raises(throw_into(levels[i], &key_error, "x"), &value_error,
                           "generator already executing");
        assert_int_equal(generator_close(levels[i], NULL), -1);
        assert_error(&value_error, "generator already executing");
    }
    return f->at++ < 3 ? turn_yield(result, f->at) : frame_return(result);
}

static const struct body body_looks_up = { .name = "looks_up", .resume = looks_up };

static struct object *watched_chain(void)
{
    struct object *g = make(&body_looks_up);

    levels[LEVELS - 1] = g;
    for (int i = LEVELS - 2; i >= 0; i--)
        levels[i] = g = make_around(&body_outer, g);
    return ready(g);
}

static void test_all_of_a_chain_are_running_while_the_leaf_runs(void **state)
{
    struct object *g = watched_chain();

    (void)state;
    for (int i = 1; i <= 3; i++) {
        assert_yields(next_of(g), i);
        for (int level = 0; level < LEVELS; level++)
            assert_int_equal(generator_state(levels[level]), GENERATOR_SUSPENDED);
    }
    decref(g);
    trace[0] = '\0';
}

static struct object *target; /* borrowed; what `loops` delegates to at its second step */

static enum turn loops(struct frame *f, enum resume how, borrowed argument, struct object **result)
{
    if (how == RESUME_THROW)
        return frame_raise(argument);
    if (f->at++ == 0)
        return turn_yield(result, 1);
    *result = incref(target);
    return TURN_FROM;
}

static const struct body body_loops = { .name = "loops", .resume = loops };

static void test_a_yield_from_itself_is_refused(void **state)
{
    struct object *g = target = ready(make(&body_loops));

    (void)state;
    assert_yields(next_of(g), 1);
    assert_step_raises(next_of(g), &value_error, "generator already executing");
    assert_int_equal(generator_state(g), GENERATOR_CLOSED);
    decref(g);
}

/* The leaf delegates to one in the midst of its own chain. */
static void test_a_yield_from_ones_own_delegator_is_refused(void **state)
{
    struct object *leaf = make(&body_loops), *middle = make_with(&body_outer, leaf);
    struct object *g = ready(make_around(&body_outer, make_with(&body_outer, middle)));

    (void)state;
    target = middle;
    assert_yields(next_of(g), 1);
    assert_step_raises(next_of(g), &value_error, "generator already executing");
    assert_trace("outer raises ValueError, outer raises ValueError, outer raises ValueError");
    assert_int_equal(generator_state(leaf), GENERATOR_CLOSED);
    assert_int_equal(generator_state(middle), GENERATOR_CLOSED);
    decref(leaf);
    decref(middle);
    decref(g);
}

/* steps `target`, which delegates to it, while it was resumed by itself */
static enum turn steps_its_delegator(struct frame *f, enum resume how, borrowed argument,
                                     struct object **result)
{
    (void)how, (void)argument;
    if (f->at == 1) {
        assert_step_raises(next_of(target), &value_error, "generator already executing");
        assert_int_equal(generator_state(target), GENERATOR_CLOSED);
    }
    return turn_yield(result, ++f->at);
}

/* It is not of the chain that runs, so it is resumed, and raises what its sub answers. */
static void test_the_delegator_of_one_that_was_resumed_by_itself_gets_the_error(void **state)
{
    static const struct body body = { .name = "steps", .resume = steps_its_delegator };
    struct object *leaf = make(&body), *g = target = make_with(&body_outer, leaf);

    (void)state;
    ready(g);
    assert_yields(next_of(g), 1);
    assert_yields(next_of(leaf), 2);
    assert_trace("outer raises ValueError");
    decref(g);
    assert_yields(next_of(leaf), 3);
    decref(leaf);
}

/* ---- a chain that is changed from elsewhere ---- */

/* The middle one is stepped by itself until its sub has ended and it delegates to another: then
 * the leaf that the outermost remembers is no leaf of its chain. */
static void test_one_in_the_midst_may_be_stepped_by_itself(void **state)
{
    struct object *middle = first_and_second(make(&body_breaks), make(&body_inner));
    struct object *g = ready(make_around(&body_outer, make_with(&body_outer, middle)));

    (void)state;
    assert_yields(next_of(g), 1);
    assert_yields(next_of(middle), 1); /* breaks has raised: inner's first */
    assert_trace("outer catches ValueError");
    assert_yields(send_to(g, 5), 2);
    assert_yields(send_to(middle, 6), 3);
    assert_trace("inner got 5, inner got 6");
    assert_returns(next_of(middle), 9);
    assert_trace("inner got None, inner ends");
    assert_returns(next_of(g), NOTHING);
    assert_trace("outer got None, outer got None");
    decref(middle);
    decref(g);
}

static void test_the_leaf_may_be_stepped_and_closed_by_itself(void **state)
{
    struct object *leaf = make(&body_inner);
    struct object *g = ready(make_around(&body_outer, make_with(&body_outer, leaf)));

    (void)state;
    assert_yields(next_of(g), 1);
    assert_yields(next_of(leaf), 2);
    assert_yields(next_of(g), 3);
    assert_int_equal(generator_close(leaf, NULL), 0);
    trace[0] = '\0';
    assert_returns(next_of(g), NOTHING);
    assert_trace("outer got None, outer got None");
    decref(leaf);
    decref(g);
}

static void test_two_delegators_share_a_sub(void **state)
{
    struct object *sub = make_around(&body_outer, make(&body_inner));
    struct object *a = ready(make_around(&body_outer, make_with(&body_outer, sub)));
    struct object *b = ready(make_with(&body_outer, sub));

    (void)state;
    assert_yields(next_of(a), 1);
    assert_yields(next_of(b), 2);
    assert_yields(send_to(a, 7), 3);
    assert_trace("inner got None, inner got 7");
    assert_returns(next_of(b), 9);
    assert_trace("inner got None, inner ends, outer got 9, outer got 9");
    assert_int_equal(generator_state(sub), GENERATOR_CLOSED);
    assert_returns(next_of(a), NOTHING);
    assert_trace("outer got None, outer got None");
    decref(sub);
    decref(a);
    decref(b);
}

static void test_one_end_of_a_shared_chain_may_go_first(void **state)
{
    int64_t before = live_blocks();
    struct object *sub = make(&body_inner);
    struct object *a = ready(make_with(&body_outer, sub)), *b = ready(make_with(&body_outer, sub));

    (void)state;
    assert_yields(next_of(a), 1);
    assert_yields(next_of(b), 2);
    decref(a);
    settle_heap();
    assert_trace("inner got None, inner raises GeneratorExit, outer raises GeneratorExit");
    assert_returns(next_of(b), NOTHING);
    decref(b);
    decref(sub);
    assert_int_equal(live_blocks(), before);
    trace[0] = '\0';
}

/* The one that was in the midst is the root of what it is resumed with. */
static void test_a_chain_is_published_while_it_is_under_way(void **state)
{
    struct object *g = chain(LEVELS);

    (void)state;
    assert_yields(next_of(g), 1);
    assert_yields(next_of(g), 2);
    publish(g);
    assert_yields(next_of(g), 3);
    assert_returns(next_of(g), 9);
    trace[0] = '\0';
    decref(g);
}

/* Below, somebody else's: published. Above, one's own. */
static void test_the_lower_end_of_a_chain_is_published(void **state)
{
    struct object *low = make_around(&body_outer, make_around(&body_outer, make(&body_inner)));
    struct object *middle, *g;

    (void)state;
    publish(low);
    middle = make_around(&body_outer, make_with(&body_outer, low));
    g = make_around(&body_outer, make_with(&body_outer, middle));
    assert_yields(next_of(g), 1);
    assert_yields(next_of(middle), 2);
    assert_yields(next_of(g), 3);
    assert_int_equal(generator_state(middle), GENERATOR_SUSPENDED);
    assert_returns(next_of(low), 9);
    assert_returns(next_of(g), NOTHING);
    assert_int_equal(generator_state(middle), GENERATOR_CLOSED);
    trace[0] = '\0';
    decref(low);
    decref(middle);
    decref(g);
}

/* As above, and the leaf looks up through both parts. */
static void test_who_runs_is_known_across_both_parts_of_a_chain(void **state)
{
    struct object *g = make(&body_looks_up);

    (void)state;
    publish(g);
    levels[LEVELS - 1] = g;
    for (int i = LEVELS - 2; i >= 0; i--) {
        levels[i] = g = make_around(&body_outer, g);
        if (i == LEVELS - 2)
            publish(g);
    }
    for (int i = 1; i <= 3; i++)
        assert_yields(next_of(g), i);
    assert_returns(next_of(g), NOTHING);
    trace[0] = '\0';
    decref(g);
}

static struct object *exposed; /* borrowed */

/* Publishes `exposed`, and looks up, at its second step. */
static enum turn publishes(struct frame *f, enum resume how, borrowed argument,
                           struct object **result)
{
    if (how == RESUME_THROW)
        return frame_raise(argument);
    if (f->at == 1)
        publish(exposed);
    return looks_up(f, how, argument, result);
}

/* From there on it is of those that must be claimed, and is, by the drive that is under way. */
static void test_a_chain_is_published_while_it_runs_from_wherever(void **state)
{
    static const struct body body = { .name = "publishes", .resume = publishes };

    (void)state;
    for (int which = 0; which < LEVELS; which++) {
        struct object *g = levels[LEVELS - 1] = make(&body);

        for (int i = LEVELS - 2; i >= 0; i--)
            levels[i] = g = make_around(&body_outer, g);
        exposed = levels[which];
        for (int i = 1; i <= 3; i++) {
            assert_yields(next_of(g), i);
            for (int level = 0; level < LEVELS; level++)
                assert_int_equal(generator_state(levels[level]), GENERATOR_SUSPENDED);
        }
        assert_returns(next_of(g), NOTHING);
        trace[0] = '\0';
        decref(g);
    }
}

static enum turn sees_itself_published(struct frame *f, enum resume how, borrowed argument,
                                       struct object **result)
{
    (void)how, (void)argument;
    assert_true(published(target));
    return f->at++ ? frame_return(result) : turn_yield(result, 1);
}

/* What a published one delegates to is published before it runs. */
static enum turn makes_its_sub(struct frame *f, enum resume how, borrowed argument,
                               struct object **result)
{
    static const struct body sub = { .name = "sub", .resume = sees_itself_published };

    (void)argument;
    if (f->at++)
        return how == RESUME_THROW ? frame_raise(argument) : frame_return(result);
    *result = target = generator_new(&sub, NULL, 0);
    return *result ? TURN_FROM : TURN_ERROR;
}

static void test_a_sub_of_a_published_one_is_published_before_it_runs(void **state)
{
    static const struct body body = { .name = "makes", .resume = makes_its_sub };
    struct object *g = make(&body);

    (void)state;
    publish(g);
    assert_yields(next_of(g), 1);
    assert_returns(next_of(g), NOTHING);
    decref(g);
}

/* The root's memory of its leaf does not outlast that: another thread may end it. */
static void test_a_leaf_that_was_published_may_go_without_its_root(void **state)
{
    struct object *leaf = make(&body_inner), *middle = make_around(&body_outer, leaf);
    struct object *g = make_with(&body_outer, middle);

    (void)state;
    assert_yields(next_of(g), 1);
    publish(middle);
    assert_int_equal(generator_close(middle, NULL), 0);
    settle_heap();
    assert_returns(next_of(g), NOTHING);
    decref(middle);
    decref(g);
    trace[0] = '\0';
}

/* ---- what is handled on the way ---- */

/* except KeyError: yield from its argument */
static enum turn delegates_while_handling(struct frame *f, enum resume how, borrowed argument,
                                          struct object **result)
{
    struct handling *h = frame_locals(f);

    if (f->at++ == 0) {
        exception_handle_begin(h, exception_new(&key_error, "handled"));
        *result = iterate(f->reference[0]);
        return TURN_FROM;
    }
    assert_ptr_equal(type_of(exception_handled()), &key_error);
    exception_handle_end(h);
    if (how == RESUME_THROW)
        return frame_raise(argument);
    *result = incref(argument);
    return TURN_RETURN;
}

static const struct body body_delegates_handling = {
    .name = "delegates_handling", .resume = delegates_while_handling, .references = 1,
    .locals_bytes = sizeof(struct handling),
};

static enum turn sees_what_is_handled(struct frame *f, enum resume how, borrowed argument,
                                      struct object **result)
{
    if (how == RESUME_THROW)
        return frame_raise(argument);
    assert_ptr_equal(type_of(exception_handled()), &key_error);
    return f->at++ < 2 ? turn_yield(result, f->at) : frame_return(result);
}

static const struct body body_sees = { .name = "sees", .resume = sees_what_is_handled };

static void test_a_sub_sees_what_its_delegator_handles(void **state)
{
    struct object *g = make(&body_sees);
    struct handling outside;

    (void)state;
    g = make_around(&body_outer, make_around(&body_delegates_handling,
                                             make_around(&body_outer, g)));
    ready(g);
    assert_yields(next_of(g), 1);
    assert_null(exception_handled());
    exception_handle_begin(&outside, exception_new(&index_error, "outside"));
    assert_yields(next_of(g), 2);
    assert_ptr_equal(type_of(exception_handled()), &index_error);
    assert_returns(next_of(g), NOTHING);
    assert_ptr_equal(type_of(exception_handled()), &index_error);
    exception_handle_end(&outside);
    assert_null(exception_handled());
    trace[0] = '\0';
    decref(g);
}

/* while True: yield whether anything is handled */
static enum turn tells_if_handled(struct frame *f, enum resume how, borrowed argument,
                                  struct object **result)
{
    (void)f;
    return how == RESUME_THROW ? frame_raise(argument) : turn_yield(result, !!exception_handled());
}

/* The lower end is published, and one of those above is stepped by itself. Then the root, which has
 * reached the same leaf before, must go by way of that one again. */
static void test_a_sub_sees_what_is_handled_by_whoever_steps_the_chain(void **state)
{
    static const struct body body = { .name = "tells_if_handled", .resume = tells_if_handled };
    struct object *low = make_around(&body_outer, make(&body)), *middle, *g;
    struct handling outside;

    (void)state;
    publish(low);
    middle = make_around(&body_outer, make_around(&body_outer, low));
    g = make_with(&body_outer, middle);
    assert_yields(next_of(g), 0);
    exception_handle_begin(&outside, exception_new(&key_error, "outside"));
    assert_yields(next_of(middle), 1);
    exception_handle_end(&outside);
    outside.exception = none(); /* were it still reached, it would be seen */
    assert_yields(next_of(g), 0);
    trace[0] = '\0';
    decref(middle);
    decref(g);
}

/* CPython's test_exception_context_with_yield_from. */
static void test_what_is_thrown_at_a_sub_has_what_its_delegator_handles_as_context(void **state)
{
    struct object *g = ready(make_around(&body_delegates_handling, make(&body_sees)));
    struct object *context;

    (void)state;
    assert_yields(next_of(g), 1);
    assert_int_equal(throw_into(g, &value_error, "b"), STEP_ERROR);
    context = exception_context(exception_pending());
    assert_ptr_equal(type_of(context), &key_error);
    decref(context);
    assert_error(&value_error, "b");
    decref(g);
}

/* except its second argument: yield from the first */
static enum turn delegates_handling_that(struct frame *f, enum resume how, borrowed argument,
                                         struct object **result)
{
    struct handling *h = frame_locals(f);

    if (f->at++ == 0) {
        exception_handle_begin(h, incref(f->reference[1]));
        *result = iterate(f->reference[0]);
        return TURN_FROM;
    }
    exception_handle_end(h);
    assert_int_equal(how, RESUME_THROW);
    return frame_raise(argument);
}

/* CPython's test_exception_context_with_yield_from_with_context_cycle. */
static void test_what_is_handled_and_thrown_again_is_not_its_own_context(void **state)
{
    static const struct body body = { .name = "handling_that", .resume = delegates_handling_that,
                                      .references = 2, .locals_bytes = sizeof(struct handling) };
    struct object *e = exception_new(&key_error, "a"), *sub = make(&body_inner);
    struct object *g = ready(generator_new(&body, (borrowed[]){ sub, e }, 2));

    (void)state;
    assert_yields(next_of(g), 1);
    assert_int_equal(generator_throw(g, incref(e), &stepped), STEP_ERROR);
    assert_ptr_equal(exception_pending(), e);
    assert_null(pending_context());
    exception_restore(NULL);
    trace[0] = '\0';
    decref(e);
    decref(sub);
    decref(g);
}

/* ---- what it delegates to, from outside ---- */

static struct object *delegate_seen;

static enum turn shows_delegate(struct frame *f, enum resume how, borrowed argument,
                                struct object **result)
{
    (void)how, (void)argument;
    delegate_seen = generator_delegate(target);
    if (f->at++ == 0) {
        *result = iterate(f->reference[0]);
        return TURN_FROM;
    }
    return f->at == 2 ? turn_yield(result, 5) : frame_return(result);
}

/* gi_yieldfrom: None before, while it runs, and after. */
static void test_what_it_delegates_to_can_be_asked(void **state)
{
    static const struct body body = { .name = "shows", .resume = shows_delegate, .references = 1 };
    struct object *sub = make(&body_inner), *g = target = make_with(&body, sub), *from;

    (void)state;
    ready(g);
    assert_ptr_equal(generator_delegate(g), none());
    assert_yields(next_of(g), 1);
    assert_ptr_equal(delegate_seen, none());
    from = generator_delegate(g);
    assert_ptr_equal(from, sub);
    decref(from);
    assert_yields(next_of(g), 2);
    assert_yields(next_of(g), 3);
    assert_yields(next_of(g), 5);
    assert_ptr_equal(delegate_seen, none());
    assert_ptr_equal(generator_delegate(g), none());
    assert_returns(next_of(g), NOTHING);
    assert_ptr_equal(generator_delegate(g), none());
    trace[0] = '\0';
    decref(sub);
    decref(g);
}

/* ---- deep ---- */

static int ends;

/* yield from its argument; counts its ends */
static enum turn level(struct frame *f, enum resume how, borrowed argument, struct object **result)
{
    if (f->at++ == 0) {
        *result = f->reference[0];
        f->reference[0] = NULL;
        return TURN_FROM;
    }
    ends++;
    if (how == RESUME_THROW)
        return frame_raise(argument);
    *result = incref(argument);
    return TURN_RETURN;
}

static enum turn deep_inner(struct frame *f, enum resume how, borrowed argument,
                            struct object **result)
{
    if (how == RESUME_THROW)
        return exception_is(argument, &index_error) ? turn_yield(result, 70)
                                                    : frame_raise(argument);
    return f->at++ < 5 ? turn_yield(result, f->at) : turn_return(result, 9);
}

static const struct body body_level = { .name = "level", .resume = level, .references = 1 };
static const struct body body_deep_inner = { .name = "deep_inner", .resume = deep_inner };

static struct object *deep_chain(void)
{
    struct object *g = make(&body_deep_inner);

    for (int i = 0; i < DEEP; i++)
        g = make_around(&body_level, g);
    ends = 0;
    ready(g);
    assert_yields(next_of(g), 1);
    return g;
}

static void test_a_deep_chain_is_sent_to_without_stack(void **state)
{
    struct object *g = deep_chain();

    (void)state;
    for (int i = 2; i <= 5; i++)
        assert_yields(send_to(g, i), i);
    assert_returns(next_of(g), 9);
    assert_int_equal(ends, DEEP);
    decref(g);
}

static void test_a_deep_chain_is_thrown_at_without_stack(void **state)
{
    struct object *g = deep_chain();

    (void)state;
    assert_yields(throw_into(g, &index_error, "x"), 70);
    assert_step_raises(throw_into(g, &value_error, "x"), &value_error, "x");
    assert_int_equal(ends, DEEP);
    decref(g);
}

static void test_a_deep_chain_is_closed_without_stack(void **state)
{
    struct object *g = deep_chain();

    (void)state;
    assert_int_equal(generator_close(g, NULL), 0);
    assert_int_equal(ends, DEEP);
    decref(g);
}

static void test_a_deep_chain_is_dropped_without_stack(void **state)
{
    int64_t before = live_blocks();

    (void)state;
    decref(deep_chain());
    assert_int_equal(live_blocks(), before);
    assert_int_equal(ends, DEEP);
}

static void test_a_deep_chain_that_was_never_closed_is_freed_without_stack(void **state)
{
    int64_t before = live_blocks();
    struct object *g = make(&body_deep_inner);

    (void)state;
    ends = 0;
    for (int i = 0; i < DEEP; i++)
        g = make_around(&body_level, g);
    decref(g);
    assert_int_equal(live_blocks(), before);
    assert_int_equal(ends, 0);
}

/* Each is primed before the next is made around it: the chain grows at its upper end. */
static void test_a_deep_chain_may_grow_at_its_root(void **state)
{
    struct object *g = make(&body_deep_inner);

    (void)state;
    ends = 0;
    assert_yields(next_of(g), 1);
    for (int i = 0; i < 3; i++) {
        g = make_around(&body_level, g);
        assert_yields(next_of(g), i + 2);
    }
    assert_yields(next_of(g), 5);
    assert_returns(next_of(g), 9);
    assert_int_equal(ends, 3);
    decref(g);
}

/* ---- errors on every level of the end ---- */

/* try: yield from its argument; finally: raise ValueError */
static enum turn raises_in_finally(struct frame *f, enum resume how, borrowed argument,
                                   struct object **result)
{
    struct handling h;

    if (f->at++ == 0 && is_generator(f->reference[0], GENERATOR)) {
        *result = iterate(f->reference[0]);
        return TURN_FROM;
    }
    if (f->at == 1)
        return turn_yield(result, 1);
    if (how == RESUME_THROW)
        exception_handle_begin(&h, incref(argument));
    exception_set(&value_error, "level %d", ++ends);
    if (how == RESUME_THROW)
        exception_handle_end(&h);
    return TURN_ERROR;
}

static struct object *raising_chain(void)
{
    static const struct body body = { .name = "raises", .resume = raises_in_finally,
                                      .references = 1 };
    struct object *g = make_around(&body, int_new(0));

    for (int i = 1; i < LEVELS; i++)
        g = make_around(&body, g);
    ends = 0;
    ready(g);
    assert_yields(next_of(g), 1);
    return g;
}

/* Each in the context of the one below; the first in that of GeneratorExit. */
static void test_every_finally_of_a_chain_raises_and_it_is_dropped(void **state)
{
    int64_t before = live_blocks();

    (void)state;
    decref(raising_chain());
    assert_int_equal(live_blocks(), before);
    assert_int_equal(told.unraisable, 1);
    assert_ptr_equal(told.kind, &value_error);
    assert_string_equal(told.message, "level 5");
    assert_int_equal(told.contexts, LEVELS);
}

static void test_every_finally_of_a_chain_raises_and_it_is_closed(void **state)
{
    struct object *g = raising_chain();

    (void)state;
    assert_int_equal(generator_close(g, NULL), -1);
    assert_int_equal(count_contexts(exception_pending()), LEVELS);
    assert_error(&value_error, "level 5");
    assert_int_equal(generator_state(g), GENERATOR_CLOSED);
    decref(g);
}

/* Not to the collector's caller, nor to whoever drops the last of them. A collection finishes
 * those of a chain in no order, so each may be one that nobody handles. */
static void test_every_finally_of_garbage_raises(void **state)
{
    int64_t before = live_blocks();
    struct object *list = list_new(), *g;

    (void)state;
    assert_int_equal(list_append(list, list), 0);
    for (int i = 0; i < 3; i++) {
        g = raising_chain();
        assert_int_equal(list_append(list, g), 0);
        decref(g);
    }
    decref(list);
    exception_set(&index_error, "on its way");
    collect(GENERATION_ALL);
    assert_int_equal(live_blocks(), before + 1);
    assert_error(&index_error, "on its way");
    assert_in_range(told.unraisable, 3, 3 * LEVELS);
    assert_ptr_equal(told.kind, &value_error);
}

/* ---- cycles ---- */

/* The chain's innermost holds its outermost (CPython issue 17669). */
static void test_a_chain_in_a_cycle_is_closed_and_collected(void **state)
{
    int64_t before = live_blocks();
    struct object *list = list_new(), *g;

    (void)state;
    assert_int_equal(list_append(list, list), 0);
    g = generator_new(&body_second, (borrowed[]){ none(), list }, 2);
    decref(g);
    g = make_around(&body_outer, make_around(&body_outer, make(&body_inner)));
    assert_yields(next_of(g), 1);
    assert_int_equal(list_append(list, g), 0);
    decref(g);
    decref(list);
    assert_true(live_blocks() > before);
    collect(GENERATION_ALL);
    assert_int_equal(live_blocks(), before);
    assert_trace("inner raises GeneratorExit, outer raises GeneratorExit, "
                 "outer raises GeneratorExit");
    assert_int_equal(told.unraisable, 0);
}

static enum turn holds_its_outermost(struct frame *f, enum resume how, borrowed argument,
                                     struct object **result)
{
    if (how == RESUME_THROW) {
        note_exception("inner raises", argument);
        return frame_raise(argument);
    }
    if (f->at++ == 0)
        return turn_yield(result, 1);
    f->reference[0] = incref(argument);
    return turn_yield(result, 2);
}

static void test_a_chain_whose_leaf_holds_its_root_is_closed_and_collected(void **state)
{
    static const struct body body = { .name = "holds", .resume = holds_its_outermost,
                                      .references = 1 };
    int64_t before = live_blocks();
    struct object *g = make_around(&body_outer, make_around(&body_outer, make(&body)));

    (void)state;
    assert_yields(next_of(g), 1);
    assert_yields(generator_send(g, g, &stepped), 2);
    decref(g);
    collect(GENERATION_ALL);
    assert_int_equal(live_blocks(), before);
    assert_trace("inner raises GeneratorExit, outer raises GeneratorExit, "
                 "outer raises GeneratorExit");
}

/* ---- threads ---- */

static struct object *shared[2]; /* the root, and one in the midst */
static int shared_steps;
static _Atomic int64_t given, refused, wrong;

static enum turn counts(struct frame *f, enum resume how, borrowed argument,
                        struct object **result)
{
    int64_t *count = frame_locals(f);

    if (how == RESUME_THROW)
        return frame_raise(argument);
    safepoint(thread_self);
    return turn_yield(result, ++*count);
}

/* catches what is thrown because its sub is busy, and delegates to it again */
static enum turn delegates_again(struct frame *f, enum resume how, borrowed argument,
                                 struct object **result)
{
    if (how == RESUME_THROW && !exception_is(argument, &value_error))
        return frame_raise(argument);
    if (f->at++ % 2) {
        *result = none();
        return TURN_YIELD;
    }
    *result = iterate(f->reference[0]);
    return TURN_FROM;
}

static void step_shared(struct thread *t, int index)
{
    for (int i = 0; i < shared_steps; i++) {
        struct object *number;

        if (generator_send(shared[(index + i) % 2], none(), &number) == STEP_NEXT) {
            decref(number);
            atomic_fetch_add_explicit(&given, 1, memory_order_relaxed);
        } else {
            if (!exception_matches(&value_error))
                atomic_fetch_add_explicit(&wrong, 1, memory_order_relaxed);
            exception_restore(NULL);
            atomic_fetch_add_explicit(&refused, 1, memory_order_relaxed);
        }
        safepoint(t);
    }
}

static void test_threads_on_one_chain_get_a_value_or_are_refused(void **state)
{
    static const struct body body = { .name = "counts", .resume = counts,
                                      .locals_bytes = sizeof(int64_t) };
    static const struct body again = { .name = "again", .resume = delegates_again,
                                       .references = 1 };

    (void)state;
    shared_steps = getenv("SOAK_SECONDS") ? SHARED_STEPS_IN_SOAK : SHARED_STEPS;
    given = refused = wrong = 0;
    shared[1] = make_around(&again, make(&body));
    shared[0] = make_around(&again, make_with(&again, shared[1]));
    publish(shared[0]);
    run_threads(step_shared);
    assert_int_equal(wrong, 0);
    assert_int_equal(given + refused, (int64_t)shared_steps * TEST_THREADS);
    assert_true(given > 0);
    decref(shared[0]);
    decref(shared[1]);
}

/* return (yield from its argument) */
static enum turn quiet(struct frame *f, enum resume how, borrowed argument, struct object **result)
{
    if (f->at++ == 0) {
        *result = iterate(f->reference[0]);
        return TURN_FROM;
    }
    if (how == RESUME_THROW)
        return frame_raise(argument);
    *result = incref(argument);
    return TURN_RETURN;
}

static const struct body body_quiet = { .name = "quiet", .resume = quiet, .references = 1 };

/* A root is dropped, and this thread goes on with its leaf: wherever the root is closed, that is
 * decided between the two. */
static void step_or_not(struct object *g)
{
    struct object *number;

    if (generator_send(g, none(), &number) == STEP_ERROR)
        exception_restore(NULL);
    else
        decref(number);
}

static void drop_roots(struct thread *t, int index)
{
    static const struct body leaf_body = { .name = "leaf", .resume = counts,
                                           .locals_bytes = sizeof(int64_t) };

    (void)index;
    for (int i = 0; i < shared_steps; i++) {
        struct object *leaf = make(&leaf_body), *root = make_with(&body_quiet, leaf);

        step_or_not(root);
        decref(root);
        for (int step = 0; step < 30; step++) {
            step_or_not(leaf);
            safepoint(t);
            if (step % 10 == 0)
                sched_yield();
        }
        decref(leaf);
    }
}

static void test_a_leaf_goes_on_while_its_root_is_dropped(void **state)
{
    int64_t before = live_blocks();

    (void)state;
    shared_steps = SHARED_STEPS;
    run_threads(drop_roots);
    assert_int_equal(live_blocks(), before);
}

/* ---- memory ---- */

static int session(void)
{
    struct object *sub = generator_new(&body_inner, NULL, 0);
    struct object *g = sub ? generator_new(&body_outer, (borrowed[]){ sub }, 1) : NULL;
    struct object *e;
    int result = -1;

    if (g && generator_send(g, none(), &stepped) == STEP_NEXT) {
        decref(stepped);
        e = exception_new(&value_error, "x");
        if (e && generator_throw(g, e, &stepped) == STEP_ERROR && exception_matches(&value_error)) {
            exception_restore(NULL);
            result = 0;
        }
    }
    xdecref(g);
    xdecref(sub);
    return result;
}

static void test_no_memory_is_an_error_wherever_it_runs_out(void **state)
{
    (void)state;
    fail_everywhere(session);
    trace[0] = '\0';
}

/* ---- TestInterestingEdgeCases ---- */

/* What CPython's seven tests of that name ask, as a table: an inner generator that ends in one of
 * seven ways, under an outer one that is closed, or has one of four exceptions thrown into it.
 * What comes out is written with its contexts, the newest first; the second text is what the
 * next step gives. CPython 3.11 has printed the table. */
enum ending {
    PASSES, RAISES_EXIT, RAISES_STOP, RAISES_INTERRUPT, RAISES_VALUE, YIELDS_TWO, RETURNS_THREE
};

static const struct edge {
    enum ending ending;
    const struct type *thrown; /* NULL: it is closed */
    const char *outcome, *next;
} edges[] = {
    { PASSES, NULL, "None", "StopIteration" },
    { PASSES, &generator_exit, "thrown", "StopIteration" },
    { PASSES, &stop_iteration,
      "RuntimeError: generator raised StopIteration < thrown", "StopIteration" },
    { PASSES, &keyboard_interrupt, "thrown", "StopIteration" },
    { PASSES, &value_error, "thrown", "StopIteration" },
    { RAISES_EXIT, NULL, "None", "StopIteration" },
    { RAISES_EXIT, &generator_exit, "thrown", "StopIteration" },
    { RAISES_EXIT, &stop_iteration, "raised < thrown", "StopIteration" },
    { RAISES_EXIT, &keyboard_interrupt, "raised < thrown", "StopIteration" },
    { RAISES_EXIT, &value_error, "raised < thrown", "StopIteration" },
    { RAISES_STOP, NULL,
      "RuntimeError: generator raised StopIteration < raised < GeneratorExit", "StopIteration" },
    { RAISES_STOP, &generator_exit,
      "RuntimeError: generator raised StopIteration < raised < GeneratorExit", "StopIteration" },
    { RAISES_STOP, &stop_iteration,
      "RuntimeError: generator raised StopIteration < raised < thrown", "StopIteration" },
    { RAISES_STOP, &keyboard_interrupt,
      "RuntimeError: generator raised StopIteration < raised < thrown", "StopIteration" },
    { RAISES_STOP, &value_error,
      "RuntimeError: generator raised StopIteration < raised < thrown", "StopIteration" },
    { RAISES_INTERRUPT, NULL, "raised < GeneratorExit", "StopIteration" },
    { RAISES_INTERRUPT, &generator_exit, "raised < GeneratorExit", "StopIteration" },
    { RAISES_INTERRUPT, &stop_iteration, "raised < thrown", "StopIteration" },
    { RAISES_INTERRUPT, &keyboard_interrupt, "raised < thrown", "StopIteration" },
    { RAISES_INTERRUPT, &value_error, "raised < thrown", "StopIteration" },
    { RAISES_VALUE, NULL, "raised < GeneratorExit", "StopIteration" },
    { RAISES_VALUE, &generator_exit, "raised < GeneratorExit", "StopIteration" },
    { RAISES_VALUE, &stop_iteration, "raised < thrown", "StopIteration" },
    { RAISES_VALUE, &keyboard_interrupt, "raised < thrown", "StopIteration" },
    { RAISES_VALUE, &value_error, "raised < thrown", "StopIteration" },
    { YIELDS_TWO, NULL, "RuntimeError: generator ignored GeneratorExit", "StopIteration" },
    { YIELDS_TWO, &generator_exit,
      "RuntimeError: generator ignored GeneratorExit", "StopIteration" },
    { YIELDS_TWO, &stop_iteration,
      "yields 2", "RuntimeError: generator raised StopIteration < thrown" },
    { YIELDS_TWO, &keyboard_interrupt, "yields 2", "thrown" },
    { YIELDS_TWO, &value_error, "yields 2", "thrown" },
    { RETURNS_THREE, NULL, "None", "StopIteration" },
    { RETURNS_THREE, &generator_exit, "thrown", "StopIteration" },
    { RETURNS_THREE, &stop_iteration, "StopIteration 3", "StopIteration" },
    { RETURNS_THREE, &keyboard_interrupt, "StopIteration 3", "StopIteration" },
    { RETURNS_THREE, &value_error, "StopIteration 3", "StopIteration" },
};

static const struct type *const raised_kinds[] = {
    [RAISES_EXIT] = &generator_exit, [RAISES_STOP] = &stop_iteration,
    [RAISES_INTERRUPT] = &keyboard_interrupt, [RAISES_VALUE] = &value_error,
    [RETURNS_THREE] = NULL,
};

static struct object *thrown, *raised; /* owned, or NULL */

static enum turn end_as_told(struct frame *f, enum ending ending, struct object **result)
{
    struct handling *h = frame_locals(f);

    switch (ending) {
    case PASSES:
        return frame_raise(h->exception);
    case YIELDS_TWO:
        return turn_yield(result, 2);
    case RETURNS_THREE:
        return turn_return(result, 3);
    default:
        exception_raise(incref(raised));
        return TURN_ERROR;
    }
}

static enum turn edge_inner(struct frame *f, enum resume how, borrowed argument,
                            struct object **result)
{
    struct handling *h = frame_locals(f);

    (void)how;
    switch (f->at++) {
    case 0:
        return turn_yield(result, 1);
    case 1:
        exception_handle_begin(h, incref(argument));
        return end_as_told(f, (enum ending)int_value(f->reference[0]), result);
    default:
        return frame_raise(h->exception);
    }
}

static const struct body body_edge = { .name = "edge", .resume = edge_inner, .references = 1,
                                       .locals_bytes = sizeof(struct handling) };

static void describe_one(borrowed e)
{
    const char *message = exception_message(e);
    size_t used = strlen(trace);
    char *text = trace + used;
    size_t room = sizeof trace - used;

    if (e == thrown || e == raised)
        snprintf(text, room, "%s", e == thrown ? "thrown" : "raised");
    else if (exception_value(e) != none())
        snprintf(text, room, "StopIteration %d", (int)int_value(exception_value(e)));
    else
        snprintf(text, room, "%s%s%s", type_of(e)->name, *message ? ": " : "", message);
}

/* The pending one and its contexts; it is taken away. */
static void describe(void)
{
    struct object *e = exception_take(), *context;

    for (; e; e = context) {
        describe_one(e);
        context = exception_context(e);
        if (context)
            strcat(trace, " < ");
        decref(e);
    }
}

static void describe_step(enum step step)
{
    if (step == STEP_NEXT)
        snprintf(trace, sizeof trace, "yields %d", (int)int_value(stepped));
    else if (step == STEP_RETURN)
        exception_set_stop(incref(stepped));
    if (step != STEP_ERROR)
        decref(stepped);
    describe();
}

static void act(const struct edge *edge, struct object *g)
{
    if (edge->thrown)
        describe_step(generator_throw(g, incref(thrown), &stepped));
    else if (generator_close(g, NULL) == 0)
        note("None");
    else
        describe();
}

static void try_edge(const struct edge *edge)
{
    const struct type *kind = raised_kinds[edge->ending];
    struct object *ending = int_new(edge->ending), *g;

    thrown = edge->thrown ? exception_new(edge->thrown, "%s", "") : NULL;
    raised = kind ? exception_new(kind, "%s", "") : NULL;
    g = make_around(&body_quiet, make_around(&body_edge, ending));
    ready(g);
    assert_yields(next_of(g), 1);
    act(edge, g);
    assert_trace(edge->outcome);
    describe_step(next_of(g));
    assert_trace(edge->next);
    decref(g);
    xdecref(thrown);
    xdecref(raised);
}

static void test_close_and_throw_at_every_kind_of_end(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof edges / sizeof *edges; i++)
        try_edge(&edges[i]);
}

/* ---- the program ---- */

static int alone(void **state)
{
    listen_to_hooks(state);
    publishing = false;
    trace[0] = '\0';
    return 0;
}

static int in_public(void **state)
{
    alone(state);
    publishing = true;
    return 0;
}

int main(void)
{
#define ALONE(name) cmocka_unit_test_setup(name, alone)
#define TWICE(name) \
    cmocka_unit_test_setup(name, alone), \
    { #name "_in_public", name, in_public, NULL, NULL }
    const struct CMUnitTest tests[] = {
        TWICE(test_next_is_passed_on),
        TWICE(test_send_is_passed_on),
        TWICE(test_throw_is_passed_on),
        TWICE(test_close_is_passed_on_from_within_to_without),
        TWICE(test_dropping_closes_from_within_to_without),
        TWICE(test_an_exception_of_the_sub_is_raised_at_the_yield_from),
        TWICE(test_a_sub_that_is_closed_ends_at_once),
        TWICE(test_stop_iteration_thrown_at_a_sub_that_was_closed_is_its_end),
        TWICE(test_what_is_no_iterator_cannot_be_delegated_to),
        TWICE(test_turn_from_of_what_is_no_iterator_raises_in_the_body),
        TWICE(test_a_plain_iterator_is_stepped),
        TWICE(test_a_plain_iterator_cannot_be_sent_to),
        TWICE(test_what_is_thrown_at_a_plain_iterator_is_raised_in_the_delegator),
        TWICE(test_a_plain_iterator_need_not_be_closed),
        TWICE(test_what_is_sent_goes_to_a_send_of_another_type),
        TWICE(test_stop_iteration_of_another_type_is_its_return),
        TWICE(test_a_throw_of_another_type_may_yield_return_or_raise),
        TWICE(test_a_broken_throw_or_close_is_raised_in_the_delegator),
        TWICE(test_the_delegator_is_running_while_the_sub_is_closed_or_thrown_at),
        TWICE(test_generator_exit_thrown_closes_a_sub_that_returns),
        TWICE(test_generator_exit_thrown_closes_a_sub_that_yields),
        TWICE(test_a_sub_that_ignores_generator_exit_is_left_alone),
        TWICE(test_generator_exit_thrown_closes_a_sub_that_raises),
        TWICE(test_a_value_returned_out_of_a_throw_is_that_of_the_yield_from),
        TWICE(test_one_sub_after_the_other),
        TWICE(test_a_delegation_within_close_is_ignored_generator_exit),
        ALONE(test_one_that_ignores_generator_exit_is_left_alone_above_a_shared_one),
        TWICE(test_all_of_a_chain_are_running_while_the_leaf_runs),
        TWICE(test_a_yield_from_itself_is_refused),
        TWICE(test_a_yield_from_ones_own_delegator_is_refused),
        TWICE(test_the_delegator_of_one_that_was_resumed_by_itself_gets_the_error),
        TWICE(test_one_in_the_midst_may_be_stepped_by_itself),
        TWICE(test_the_leaf_may_be_stepped_and_closed_by_itself),
        TWICE(test_two_delegators_share_a_sub),
        TWICE(test_one_end_of_a_shared_chain_may_go_first),
        ALONE(test_a_chain_is_published_while_it_is_under_way),
        ALONE(test_the_lower_end_of_a_chain_is_published),
        ALONE(test_who_runs_is_known_across_both_parts_of_a_chain),
        ALONE(test_a_chain_is_published_while_it_runs_from_wherever),
        ALONE(test_a_leaf_that_was_published_may_go_without_its_root),
        ALONE(test_a_sub_of_a_published_one_is_published_before_it_runs),
        TWICE(test_a_sub_sees_what_its_delegator_handles),
        ALONE(test_a_sub_sees_what_is_handled_by_whoever_steps_the_chain),
        TWICE(test_what_is_handled_and_thrown_again_is_not_its_own_context),
        TWICE(test_what_is_thrown_at_a_sub_has_what_its_delegator_handles_as_context),
        TWICE(test_what_it_delegates_to_can_be_asked),
        TWICE(test_a_deep_chain_is_sent_to_without_stack),
        TWICE(test_a_deep_chain_is_thrown_at_without_stack),
        TWICE(test_a_deep_chain_is_closed_without_stack),
        TWICE(test_a_deep_chain_is_dropped_without_stack),
        ALONE(test_a_deep_chain_that_was_never_closed_is_freed_without_stack),
        TWICE(test_a_deep_chain_may_grow_at_its_root),
        TWICE(test_every_finally_of_a_chain_raises_and_it_is_dropped),
        TWICE(test_every_finally_of_a_chain_raises_and_it_is_closed),
        TWICE(test_every_finally_of_garbage_raises),
        ALONE(test_a_chain_in_a_cycle_is_closed_and_collected),
        ALONE(test_a_chain_whose_leaf_holds_its_root_is_closed_and_collected),
        ALONE(test_threads_on_one_chain_get_a_value_or_are_refused),
        ALONE(test_a_leaf_goes_on_while_its_root_is_dropped),
        ALONE(test_no_memory_is_an_error_wherever_it_runs_out),
        TWICE(test_close_and_throw_at_every_kind_of_end),
    };

    collector_enable(false);
    return run_attached(tests);
}
