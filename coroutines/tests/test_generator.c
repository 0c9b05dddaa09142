/* test_generator.c - PEP 342 and 479: states, send, throw, close, exceptions, the end.
 *
 * What CPython's test_generators.py, test_generator_stop.py and test_inspect.py define,
 * checked against CPython 3.11.
 */
#include "coroutines/tests/generators.h"

#include "coroutines/io.h"
#include "objects/collector.h"
#include "objects/str.h"
#include "objects/tuple.h"
#include "objects/weakref.h"

#include <sched.h>

enum { SHARED_STEPS = 4000, SHARED_STEPS_IN_SOAK = 200000 };

/* ---- bodies ---- */

/* for i in range(3): yield i */
static enum turn three(struct frame *f, enum resume how, borrowed argument, struct object **result)
{
    if (how == RESUME_THROW)
        return frame_raise(argument);
    return f->at == 3 ? frame_return(result) : turn_yield(result, f->at++);
}

/* x = yield 0; while True: x = yield x */
static enum turn echo(struct frame *f, enum resume how, borrowed argument, struct object **result)
{
    if (how == RESUME_THROW)
        return frame_raise(argument);
    if (f->at++ == 0)
        return turn_yield(result, 0);
    *result = incref(argument);
    return TURN_YIELD;
}

/* return x, which is its argument */
static enum turn gives_back(struct frame *f, enum resume how, borrowed argument,
                            struct object **result)
{
    (void)how, (void)argument;
    *result = incref(f->reference[0]);
    return TURN_RETURN;
}

/* yield 1; and then whatever it is that CLOSINGS names, in a `finally` or `except`. */
enum closing { PASS, RAISE_VALUE, RAISE_STOP, RAISE_EXIT, YIELD_AGAIN, RETURN_SEVEN };

static enum turn raise_while(borrowed handled, const struct type *kind)
{
    struct handling h;

    exception_handle_begin(&h, incref(handled));
    exception_set(kind, "in the end");
    exception_handle_end(&h);
    return TURN_ERROR;
}

static enum turn ends(enum closing closing, borrowed argument, struct object **result)
{
    switch (closing) {
    case RAISE_VALUE:
        return raise_while(argument, &value_error);
    case RAISE_STOP:
        return raise_while(argument, &stop_iteration);
    case RAISE_EXIT:
        return raise_while(argument, &generator_exit);
    case YIELD_AGAIN:
        return turn_yield(result, 2);
    case RETURN_SEVEN:
        return turn_return(result, 7);
    default:
        return frame_raise(argument);
    }
}

static enum turn closes(struct frame *f, enum resume how, borrowed argument, struct object **result)
{
    if (f->at++ == 0)
        return turn_yield(result, 1);
    if (how == RESUME_SEND)
        return frame_return(result);
    return ends(f->at == 2 ? (enum closing)int_value(f->reference[0]) : PASS, argument, result);
}

static const struct body body_three = { .name = "three", .resume = three };
static const struct body body_echo = { .name = "echo", .resume = echo };
static const struct body body_gives_back = { .name = "gives_back", .resume = gives_back,
                                             .references = 1 };
static const struct body body_closes = { .name = "closes", .resume = closes, .references = 1 };

static struct object *closing_by(enum closing closing)
{
    struct object *g = make_around(&body_closes, int_new(closing));

    assert_yields(next_of(g), 1);
    return g;
}

/* ---- send, and the states ---- */

static void test_next_yields_and_then_stops_for_good(void **state)
{
    struct object *g = make(&body_three);

    (void)state;
    for (int i = 0; i < 3; i++)
        assert_yields(next_of(g), i);
    for (int i = 0; i < 3; i++)
        assert_returns(next_of(g), NOTHING);
    decref(g);
}

static void test_what_is_sent_is_the_value_of_the_yield(void **state)
{
    struct object *g = make(&body_echo);

    (void)state;
    assert_yields(next_of(g), 0);
    assert_yields(send_to(g, 41), 41);
    assert_yields(next_of(g), NOTHING);
    decref(g);
}

static void test_a_generator_is_an_iterator_and_gives_itself(void **state)
{
    struct object *g = make(&body_three), *it = iterate(g), *list;

    (void)state;
    assert_ptr_equal(it, g);
    decref(it);
    list = list_from(g);
    assert_int_equal(list_length(list), 3);
    assert_repr(g, "<generator object three>");
    decref(list);
    decref(g);
}

static enum generator_state seen_inside;
static struct object *itself; /* borrowed */

static enum turn looks_at_itself(struct frame *f, enum resume how, borrowed argument,
                                 struct object **result)
{
    (void)how, (void)argument;
    seen_inside = generator_state(itself);
    return f->at++ ? frame_return(result) : turn_yield(result, 0);
}

static void test_four_states_and_running_is_seen_from_inside(void **state)
{
    static const struct body body = { .name = "looks", .resume = looks_at_itself };
    struct object *g = itself = make(&body);

    (void)state;
    assert_int_equal(generator_state(g), GENERATOR_CREATED);
    assert_string_equal(generator_state_name(g), "GEN_CREATED");
    assert_yields(next_of(g), 0);
    assert_int_equal(seen_inside, GENERATOR_RUNNING);
    assert_int_equal(generator_state(g), GENERATOR_SUSPENDED);
    assert_string_equal(generator_state_name(g), "GEN_SUSPENDED");
    assert_returns(next_of(g), NOTHING);
    assert_int_equal(generator_state(g), GENERATOR_CLOSED);
    assert_string_equal(generator_state_name(g), "GEN_CLOSED");
    decref(g);
}

static void test_closed_after_an_immediate_exception(void **state)
{
    struct object *g = make(&body_three);

    (void)state;
    assert_step_raises(throw_into(g, &value_error, "x"), &value_error, "x");
    assert_int_equal(generator_state(g), GENERATOR_CLOSED);
    decref(g);
}

static void test_a_value_sent_to_a_new_one_is_refused_and_it_stays_new(void **state)
{
    struct object *g = make(&body_echo);

    (void)state;
    assert_step_raises(send_to(g, 1), &type_error,
                       "can't send non-None value to a just-started generator");
    assert_int_equal(generator_state(g), GENERATOR_CREATED);
    assert_yields(next_of(g), 0);
    decref(g);
}

static void test_primed_stands_at_its_first_yield(void **state)
{
    struct object *seven = int_new(7), *g = generator_primed(&body_echo, NULL, 0);

    (void)state;
    assert_int_equal(generator_state(g), GENERATOR_SUSPENDED);
    assert_yields(send_to(g, 5), 5);
    decref(g);
    assert_null(generator_primed(&body_gives_back, (borrowed[]){ seven }, 1));
    assert_ptr_equal(exception_value(exception_pending()), seven);
    assert_raises(&stop_iteration);
    decref(seven);
}

/* ---- throw ---- */

static void test_throw_into_a_new_one_runs_nothing_and_closes_it(void **state)
{
    int64_t before = live_blocks();
    struct object *g = make_around(&body_gives_back, int_new(1));

    (void)state;
    assert_step_raises(throw_into(g, &zero_division_error, "x"), &zero_division_error, "x");
    assert_int_equal(generator_state(g), GENERATOR_CLOSED);
    assert_int_equal(live_blocks(), before + 1); /* its argument is gone */
    assert_returns(next_of(g), NOTHING);
    decref(g);
}

static void test_throw_into_a_closed_one_comes_straight_back(void **state)
{
    struct object *g = make(&body_three), *e = exception_new(&value_error, "back");

    (void)state;
    assert_int_equal(generator_close(g, NULL), 0);
    assert_int_equal(generator_throw(g, incref(e), &stepped), STEP_ERROR);
    assert_ptr_equal(exception_pending(), e);
    assert_error(&value_error, "back");
    assert_step_raises(throw_into(g, &stop_iteration, ""), &stop_iteration, "");
    decref(e);
    decref(g);
}

static void test_throw_raises_at_the_yield_the_very_same_object(void **state)
{
    struct object *g = make(&body_three), *e = exception_new(&value_error, "same");

    (void)state;
    assert_yields(next_of(g), 0);
    assert_int_equal(generator_throw(g, incref(e), &stepped), STEP_ERROR);
    assert_ptr_equal(exception_pending(), e);
    assert_null(pending_context());
    exception_restore(NULL);
    assert_int_equal(exact_count(e), 1);
    decref(e);
    decref(g);
}

static void test_what_was_thrown_may_be_handled_and_the_generator_goes_on(void **state)
{
    struct object *g = closing_by(YIELD_AGAIN);

    (void)state;
    assert_yields(throw_into(g, &value_error, "x"), 2);
    assert_returns(next_of(g), NOTHING);
    decref(g);
}

/* Python's throw(ValueError, "text"), throw(ValueError), throw(LookupError, a KeyError) and so on. */
static void check_throw_new(const struct type *kind, struct object *value /* steals */,
                            const struct type *raised, const char *message)
{
    struct object *g = make(&body_three);

    assert_yields(next_of(g), 0);
    assert_int_equal(generator_throw_new(g, kind, value, &stepped), STEP_ERROR);
    assert_int_equal(exception_pending() == value, raised != kind);
    if (raised == kind)
        assert_ptr_equal(exception_value(exception_pending()), value ? value : none());
    assert_error(raised, message);
    assert_int_equal(generator_state(g), GENERATOR_CLOSED);
    decref(g);
    xdecref(value);
}

static void test_throw_by_kind_and_value(void **state)
{
    (void)state;
    check_throw_new(&value_error, NULL, &value_error, "");
    check_throw_new(&value_error, none(), &value_error, "");
    check_throw_new(&value_error, str_new("text"), &value_error, "text");
    check_throw_new(&value_error, int_new(7), &value_error, "7");
    check_throw_new(&exception, exception_new(&value_error, "one of them"), &value_error,
                    "one of them");
    check_throw_new(&value_error, exception_new(&key_error, "another"), &value_error,
                    "<KeyError object>");
}

/* throw("abc"), throw(0), throw(list): test_throw_bad in CPython's words. */
static void test_what_is_no_exception_cannot_be_thrown(void **state)
{
    struct object *g = make(&body_three);

    (void)state;
    assert_step_raises(generator_throw(g, int_new(1), &stepped), &type_error,
                       "exceptions must be classes or instances deriving from BaseException, "
                       "not int");
    assert_int_equal(generator_state(g), GENERATOR_CREATED);
    assert_yields(next_of(g), 0);
    assert_step_raises(generator_throw(g, none(), &stepped), &type_error,
                       "exceptions must be classes or instances deriving from BaseException, "
                       "not NoneType");
    assert_step_raises(generator_throw_new(g, &list_type, NULL, &stepped), &type_error,
                       "exceptions must be classes or instances deriving from BaseException, "
                       "not type");
    assert_yields(next_of(g), 1);
    decref(g);
}

/* ---- exceptions that are handled ---- */

/* except KeyError: yield 1, and then 2, within the block; then it ends. */
static enum turn yields_while_handling(struct frame *f, enum resume how, borrowed argument,
                                       struct object **result)
{
    struct handling *h = frame_locals(f);

    if (f->at++ == 0) {
        exception_handle_begin(h, exception_new(&key_error, "a"));
        return turn_yield(result, 1);
    }
    if (how == RESUME_THROW)
        return frame_raise(argument);
    exception_handle_end(h);
    assert_null(exception_handled());
    return turn_yield(result, 2);
}

static const struct body body_handling = { .name = "handling", .resume = yields_while_handling,
                                           .locals_bytes = sizeof(struct handling) };

static void test_what_is_thrown_has_what_the_generator_handles_as_context(void **state)
{
    struct object *g = make(&body_handling);

    (void)state;
    assert_yields(next_of(g), 1);
    assert_int_equal(throw_into(g, &value_error, "x"), STEP_ERROR);
    assert_ptr_equal(pending_context(), &key_error);
    exception_restore(NULL);
    decref(g);
}

static void test_what_a_generator_handles_is_its_own(void **state)
{
    struct object *g = make(&body_handling), *other = make(&body_handling);
    struct handling outside;

    (void)state;
    assert_yields(next_of(g), 1);
    assert_null(exception_handled());
    assert_yields(next_of(other), 1);
    exception_handle_begin(&outside, exception_new(&index_error, "outside"));
    assert_ptr_equal(type_of(exception_handled()), &index_error);
    exception_handle_end(&outside);
    assert_yields(next_of(g), 2);
    assert_null(exception_handled());
    decref(other); /* its block is ended with it */
    decref(g);
    assert_null(exception_handled());
}

/* It sees what its caller handles, each time another, and raises in that context. */
static enum turn raises_in_its_callers_context(struct frame *f, enum resume how,
                                               borrowed argument, struct object **result)
{
    (void)how, (void)argument;
    if (f->at++ == 0) {
        assert_ptr_equal(type_of(exception_handled()), &index_error);
        return turn_yield(result, 1);
    }
    assert_ptr_equal(type_of(exception_handled()), &key_error);
    exception_set(&value_error, "raised");
    return TURN_ERROR;
}

static void test_what_the_caller_handles_is_seen_inside(void **state)
{
    static const struct body body = { .name = "raises", .resume = raises_in_its_callers_context };
    struct object *g = make(&body);
    struct handling h;

    (void)state;
    exception_handle_begin(&h, exception_new(&index_error, "first"));
    assert_yields(next_of(g), 1);
    exception_handle_end(&h);
    exception_handle_begin(&h, exception_new(&key_error, "second"));
    assert_int_equal(next_of(g), STEP_ERROR);
    assert_ptr_equal(pending_context(), &key_error);
    exception_restore(NULL);
    exception_handle_end(&h);
    decref(g);
}

/* ---- close ---- */

static void test_close_of_a_new_one_is_silent_and_runs_nothing(void **state)
{
    struct object *g = make_around(&body_closes, int_new(RAISE_VALUE)), *returned;

    (void)state;
    assert_int_equal(generator_close(g, &returned), 0);
    assert_ptr_equal(returned, none());
    assert_int_equal(generator_state(g), GENERATOR_CLOSED);
    assert_returns(next_of(g), NOTHING);
    decref(g);
}

static void test_close_swallows_generator_exit_and_twice_is_once(void **state)
{
    static const enum closing swallowed[] = { PASS, RAISE_EXIT };

    (void)state;
    for (size_t i = 0; i < sizeof swallowed / sizeof *swallowed; i++) {
        struct object *g = closing_by(swallowed[i]);

        assert_int_equal(generator_close(g, NULL), 0);
        assert_null(exception_pending());
        assert_int_equal(generator_state(g), GENERATOR_CLOSED);
        assert_int_equal(generator_close(g, NULL), 0);
        decref(g);
    }
}

static void test_close_lets_other_exceptions_out_in_the_context_of_generator_exit(void **state)
{
    struct object *g = closing_by(RAISE_VALUE);

    (void)state;
    assert_int_equal(generator_close(g, NULL), -1);
    assert_ptr_equal(pending_context(), &generator_exit);
    assert_error(&value_error, "in the end");
    assert_int_equal(generator_state(g), GENERATOR_CLOSED);
    decref(g);
}

/* Each led to the next. */
static void test_generator_exit_has_what_the_caller_handles_as_context(void **state)
{
    struct object *g = closing_by(RAISE_VALUE), *exit, *handled;
    struct handling h;

    (void)state;
    exception_handle_begin(&h, exception_new(&key_error, "outside"));
    assert_int_equal(generator_close(g, NULL), -1);
    exception_handle_end(&h);
    exit = exception_context(exception_pending());
    assert_ptr_equal(type_of(exit), &generator_exit);
    handled = exception_context(exit);
    assert_ptr_equal(type_of(handled), &key_error);
    exception_restore(NULL);
    decref(handled);
    decref(exit);
    decref(g);
}

/* What is thrown is not raised by the caller, and has no such context. */
static void test_what_is_thrown_does_not_get_what_the_caller_handles_as_context(void **state)
{
    struct object *g = make(&body_three);
    struct handling h;

    (void)state;
    assert_yields(next_of(g), 0);
    exception_handle_begin(&h, exception_new(&key_error, "outside"));
    assert_int_equal(throw_into(g, &value_error, "x"), STEP_ERROR);
    assert_null(pending_context());
    exception_restore(NULL);
    exception_handle_end(&h);
    decref(g);
}

static void test_close_drops_what_the_frame_holds(void **state)
{
    int64_t before = live_blocks();
    struct object *g = closing_by(PASS);

    (void)state;
    assert_int_equal(generator_close(g, NULL), 0);
    assert_int_equal(live_blocks(), before + 1);
    decref(g);
    assert_int_equal(live_blocks(), before);
}

static void test_yielding_in_close_is_an_error_and_it_stays_usable(void **state)
{
    struct object *g = closing_by(YIELD_AGAIN);

    (void)state;
    assert_int_equal(generator_close(g, NULL), -1);
    assert_null(pending_context());
    assert_error(&runtime_error, "generator ignored GeneratorExit");
    assert_int_equal(generator_state(g), GENERATOR_SUSPENDED);
    assert_returns(next_of(g), NOTHING);
    decref(g);
}

static void test_close_returns_what_the_generator_returned(void **state)
{
    struct object *g = closing_by(RETURN_SEVEN), *returned;

    (void)state;
    assert_int_equal(generator_close(g, &returned), 0);
    assert_int_equal(int_value(returned), 7);
    decref(returned);
    decref(g);
}

/* ---- StopIteration ---- */

static void check_wrapped_stop(const char *message)
{
    struct object *cause = exception_cause(exception_pending());

    assert_ptr_equal(type_of(cause), &stop_iteration);
    assert_ptr_equal(pending_context(), &stop_iteration);
    decref(cause);
    assert_error(&runtime_error, message);
}

static void test_stop_iteration_that_escapes_becomes_runtime_error(void **state)
{
    struct object *g = closing_by(RAISE_STOP);

    (void)state;
    assert_int_equal(throw_into(g, &value_error, "x"), STEP_ERROR);
    check_wrapped_stop("generator raised StopIteration");
    decref(g);
    g = closing_by(RAISE_STOP);
    assert_int_equal(generator_close(g, NULL), -1);
    check_wrapped_stop("generator raised StopIteration");
    decref(g);
}

static void test_stop_iteration_that_is_thrown_becomes_runtime_error(void **state)
{
    struct object *g = make(&body_three), *fresh = make(&body_three);

    (void)state;
    assert_yields(next_of(g), 0);
    assert_int_equal(throw_into(g, &stop_iteration, ""), STEP_ERROR);
    check_wrapped_stop("generator raised StopIteration");
    assert_int_equal(throw_into(fresh, &stop_iteration, ""), STEP_ERROR);
    check_wrapped_stop("generator raised StopIteration");
    decref(fresh);
    decref(g);
}

/* yield next(its argument) */
static enum turn leaks_next(struct frame *f, enum resume how, borrowed argument,
                            struct object **result)
{
    (void)how, (void)argument;
    *result = iterator_next(f->reference[0]);
    return *result ? TURN_YIELD : TURN_ERROR;
}

static void test_stop_iteration_of_a_next_inside_becomes_runtime_error(void **state)
{
    static const struct body body = { .name = "leaks", .resume = leaks_next, .references = 1 };
    struct object *g = make_around(&body, make(&body_three));

    (void)state;
    for (int i = 0; i < 3; i++)
        assert_yields(next_of(g), i);
    assert_int_equal(next_of(g), STEP_ERROR);
    check_wrapped_stop("generator raised StopIteration");
    decref(g);
}

/* ---- what is returned ---- */

static void check_returned(struct object *value /* steals */)
{
    struct object *g = make_with(&body_gives_back, value);

    assert_null(iterator_next(g));
    assert_ptr_equal(exception_value(exception_pending()), value);
    assert_raises(&stop_iteration);
    assert_null(iterator_next(g)); /* and then no more */
    assert_ptr_equal(exception_value(exception_pending()), none());
    assert_raises(&stop_iteration);
    decref(g);
    decref(value);
}

static void test_a_returned_value_travels_in_stop_iteration(void **state)
{
    struct object *pair[] = { none(), none() };

    (void)state;
    check_returned(int_new(7));
    check_returned(tuple_new(2, pair));
    exception_set_stop(int_new(3));
    check_returned(exception_take());
}

/* ---- while it runs ---- */

static enum step steps_seen[3];
static int close_seen;

static enum turn steps_itself(struct frame *f, enum resume how, borrowed argument,
                              struct object **result)
{
    (void)how, (void)argument;
    if (f->at++)
        return frame_return(result);
    steps_seen[0] = next_of(itself);
    assert_error(&value_error, "generator already executing");
    steps_seen[1] = send_to(itself, 3);
    assert_error(&value_error, "generator already executing");
    steps_seen[2] = throw_into(itself, &key_error, "x");
    assert_error(&value_error, "generator already executing");
    close_seen = generator_close(itself, NULL);
    assert_error(&value_error, "generator already executing");
    return turn_yield(result, 1);
}

static void test_a_running_one_refuses_and_is_unharmed(void **state)
{
    static const struct body body = { .name = "steps_itself", .resume = steps_itself };
    struct object *g = itself = make(&body);

    (void)state;
    assert_yields(next_of(g), 1);
    for (int i = 0; i < 3; i++)
        assert_int_equal(steps_seen[i], STEP_ERROR);
    assert_int_equal(close_seen, -1);
    assert_returns(next_of(g), NOTHING);
    decref(g);
}

/* ---- the end ---- */

static int finally_ran;

/* try: yield 1; finally: the body's argument says what */
static enum turn ends_loudly(struct frame *f, enum resume how, borrowed argument,
                             struct object **result)
{
    if (f->at++ == 0)
        return turn_yield(result, 1);
    finally_ran++;
    return how == RESUME_THROW && f->at == 2
               ? ends((enum closing)int_value(f->reference[0]), argument, result)
               : frame_return(result);
}

static const struct body body_loud = { .name = "loud", .resume = ends_loudly, .references = 1 };

static struct object *loud(enum closing closing)
{
    struct object *g = make_around(&body_loud, int_new(closing));

    finally_ran = 0;
    assert_yields(next_of(g), 1);
    return g;
}

/* Drops it; what the policy does late is done. */
static void drop(struct object *g)
{
    decref(g);
    settle_heap();
}

static void test_dropping_the_last_reference_runs_finally(void **state)
{
    int64_t before = live_blocks();

    (void)state;
    drop(loud(PASS));
    assert_int_equal(finally_ran, 1);
    assert_int_equal(told.unraisable, 0);
    assert_int_equal(live_blocks(), before);
}

static void test_errors_of_an_end_go_to_the_hook_and_not_to_the_caller(void **state)
{
    (void)state;
    exception_set(&index_error, "of the caller");
    drop(loud(RAISE_VALUE));
    assert_error(&index_error, "of the caller");
    assert_int_equal(told.unraisable, 1);
    assert_ptr_equal(told.kind, &value_error);
    assert_string_equal(told.message, "in the end");
    assert_string_equal(told.where, "loud");
    drop(loud(YIELD_AGAIN));
    assert_int_equal(told.unraisable, 2);
    assert_string_equal(told.message, "generator ignored GeneratorExit");
    drop(loud(RAISE_STOP));
    assert_string_equal(told.message, "generator raised StopIteration");
    drop(loud(RETURN_SEVEN));
    assert_int_equal(told.unraisable, 3);
    assert_null(exception_pending());
}

static void test_of_one_that_never_started_nothing_runs(void **state)
{
    int64_t before = live_blocks();

    (void)state;
    finally_ran = 0;
    drop(make_around(&body_loud, int_new(RAISE_VALUE)));
    assert_int_equal(finally_ran, 0);
    assert_int_equal(told.unraisable + told.warnings, 0);
    assert_int_equal(live_blocks(), before);
}

static struct object *saved; /* what a finally block has kept; owned */

static enum turn saves_in_the_end(struct frame *f, enum resume how, borrowed argument,
                                  struct object **result)
{
    if (f->at++ == 0)
        return turn_yield(result, 1);
    (void)how;
    saved = incref(f->reference[0]);
    return frame_raise(argument);
}

static const struct body body_saving = { .name = "saving", .resume = saves_in_the_end,
                                         .references = 1 };

/* CPython's test_frame_resurrect: the generator is gone, what its end kept is not. */
static void test_what_an_end_keeps_lives_and_the_generator_does_not(void **state)
{
    struct object *g = make_around(&body_saving, list_new()), *weak;

    (void)state;
    assert_yields(next_of(g), 1);
    weak = weakref_new(g, NULL);
    drop(g);
    assert_null(weakref_get(weak));
    assert_int_equal(exact_count(saved), 1);
    assert_int_equal(list_length(saved), 0);
    decref(saved);
    saved = NULL;
    decref(weak);
}

/* A list that holds a generator whose frame holds the list. */
static struct object *cycle(const struct body *body, bool started)
{
    struct object *list = list_new(), *g = make_with(body, list);

    assert_int_equal(list_append(list, g), 0);
    if (started)
        assert_yields(next_of(g), 1);
    decref(list);
    return g;
}

static void test_a_cycle_through_the_frame_is_closed_and_collected(void **state)
{
    int64_t before = live_blocks();

    (void)state;
    drop(cycle(&body_saving, true));
    assert_true(live_blocks() > before);
    collect(GENERATION_ALL);
    assert_non_null(saved); /* its end has brought the list back, and with it nothing more */
    assert_int_equal(list_length(saved), 1);
    decref(saved);
    saved = NULL;
    collect(GENERATION_ALL);
    assert_int_equal(live_blocks(), before);
}

static void test_a_cycle_through_one_that_never_started_is_collected(void **state)
{
    int64_t before = live_blocks();

    (void)state;
    drop(cycle(&body_saving, false));
    assert_int_equal(collect(GENERATION_ALL), 2);
    assert_null(saved);
    assert_int_equal(live_blocks(), before);
}

static enum turn handles_forever(struct frame *f, enum resume how, borrowed argument,
                                 struct object **result)
{
    struct handling *h = frame_locals(f);

    if (how == RESUME_THROW)
        return frame_raise(argument);
    exception_set_stop(incref(f->reference[0]));
    exception_handle_begin(h, exception_take());
    decref(f->reference[0]);
    f->reference[0] = NULL;
    return turn_yield(result, 1);
}

/* The list is held by the exception, that by the block, that by the generator, and that by
 * the list. */
static void test_a_cycle_through_a_handled_exception_is_collected(void **state)
{
    static const struct body body = { .name = "handles", .resume = handles_forever,
                                      .references = 1,
                                      .locals_bytes = sizeof(struct handling) };
    int64_t before = live_blocks();

    (void)state;
    drop(cycle(&body, true));
    assert_true(live_blocks() > before);
    collect(GENERATION_ALL);
    assert_int_equal(live_blocks(), before);
}

static enum turn counts_its_end(struct frame *f, enum resume how, borrowed argument,
                                struct object **result)
{
    (void)how;
    if (f->at++ == 0)
        return turn_yield(result, 1);
    finally_ran++;
    return frame_raise(argument);
}

/* Each holds the next, suspended: their ends take no stack. */
static void test_a_long_row_of_suspended_ones_ends_without_stack(void **state)
{
    static const struct body body = { .name = "row", .resume = counts_its_end, .references = 1 };
    int64_t before = live_blocks();
    struct object *g = int_new(0);

    (void)state;
    finally_ran = 0;
    for (int i = 0; i < DEEP; i++) {
        g = make_around(&body, g);
        assert_yields(next_of(g), 1);
    }
    drop(g);
    assert_int_equal(finally_ran, DEEP);
    assert_int_equal(live_blocks(), before);
}

/* ---- threads ---- */

static struct object *shared;
static int shared_steps;
static _Atomic int64_t given, refused, wrong;
static _Atomic int arrived;
static _Atomic uint8_t seen[SHARED_STEPS_IN_SOAK * TEST_THREADS];

/* Counts, with a word that only who has it may touch, and gives way amid its turn. */
static enum turn counts(struct frame *f, enum resume how, borrowed argument,
                        struct object **result)
{
    int64_t *count = frame_locals(f), number = *count;

    (void)how, (void)argument;
    safepoint(thread_self);
    sched_yield();
    *count = number + 1;
    xdecref(f->reference[0]);
    f->reference[0] = int_new(number);
    *result = incref(f->reference[0]);
    return TURN_YIELD;
}

static void look_at(struct object *number /* steals */)
{
    int64_t value = int_value(number);

    if (atomic_fetch_add_explicit(&seen[value], 1, memory_order_relaxed))
        atomic_fetch_add_explicit(&wrong, 1, memory_order_relaxed);
    atomic_fetch_add_explicit(&given, 1, memory_order_relaxed);
    decref(number);
}

/* So that none has done its part before the others begin. */
static void wait_for_all(struct thread *t)
{
    atomic_fetch_add_explicit(&arrived, 1, memory_order_relaxed);
    while (atomic_load_explicit(&arrived, memory_order_relaxed) < TEST_THREADS) {
        safepoint(t);
        sched_yield();
    }
}

static void step_shared(struct thread *t, int index)
{
    (void)index;
    wait_for_all(t);
    for (int i = 0; i < shared_steps; i++) {
        struct object *number;

        if (generator_send(shared, none(), &number) == STEP_NEXT) {
            look_at(number);
        } else {
            if (!exception_matches(&value_error) ||
                strcmp(exception_message(exception_pending()), "generator already executing") != 0)
                atomic_fetch_add_explicit(&wrong, 1, memory_order_relaxed);
            exception_restore(NULL);
            atomic_fetch_add_explicit(&refused, 1, memory_order_relaxed);
        }
        safepoint(t);
    }
}

/* CPython gh-120321: a value each, or "already executing", and nothing else. */
static void test_threads_on_one_generator_get_a_value_or_are_refused(void **state)
{
    static const struct body body = { .name = "counts", .resume = counts, .references = 1,
                                      .locals_bytes = sizeof(int64_t) };

    (void)state;
    shared_steps = getenv("SOAK_SECONDS") ? SHARED_STEPS_IN_SOAK : SHARED_STEPS;
    given = refused = wrong = 0;
    arrived = 0;
    memset((void *)seen, 0, sizeof seen);
    shared = make(&body);
    publish(shared);
    run_threads(step_shared);
    assert_int_equal(wrong, 0);
    assert_int_equal(given + refused, (int64_t)shared_steps * TEST_THREADS);
    for (int64_t i = 0; i < given; i++)
        assert_int_equal(seen[i], 1);
    decref(shared);
}

/* keeps a new list, and what it handles */
static enum turn keeps_a_list(struct frame *f, enum resume how, borrowed argument,
                              struct object **result)
{
    struct handling *h = frame_locals(f);

    if (how == RESUME_THROW)
        return frame_raise(argument);
    if (f->at++ == 1) {
        f->reference[0] = list_new();
        exception_handle_begin(h, exception_new(&key_error, "handled"));
    }
    if (f->at == 3) {
        assert_true(published(f->reference[0]));
        assert_true(published(h->exception));
    }
    return turn_yield(result, f->at);
}

/* Others will find it in there. */
static void test_what_a_published_one_keeps_is_published_when_it_yields(void **state)
{
    static const struct body body = { .name = "keeps", .resume = keeps_a_list, .references = 1,
                                      .locals_bytes = sizeof(struct handling) };
    struct object *g = make(&body);

    (void)state;
    assert_yields(next_of(g), 1);
    publish(g);
    assert_yields(next_of(g), 2);
    assert_yields(next_of(g), 3);
    decref(g);
}

static _Atomic(struct thread *) ended_in;
static struct object *handed;

static enum turn notes_its_thread(struct frame *f, enum resume how, borrowed argument,
                                  struct object **result)
{
    (void)how;
    if (f->at++ == 0)
        return turn_yield(result, 1);
    ended_in = thread_self;
    return frame_raise(argument);
}

static void drop_in_thread(struct thread *t, int index)
{
    struct object *mine = index == 0 ? handed : NULL;

    xdecref(mine);
    for (int i = 0; i < 1000; i++)
        safepoint(t);
    if (mine && ended_in && ended_in != t && !RC_HAS_LATE)
        atomic_fetch_add_explicit(&wrong, 1, memory_order_relaxed);
}

static void test_it_ends_in_the_thread_that_dropped_it(void **state)
{
    static const struct body body = { .name = "notes", .resume = notes_its_thread };
    int64_t before = live_blocks();

    (void)state;
    wrong = 0;
    ended_in = NULL;
    handed = make(&body);
    assert_yields(next_of(handed), 1);
    publish(handed);
    run_threads(drop_in_thread);
    assert_int_equal(live_blocks(), before);
    assert_int_equal(wrong, 0);
    assert_non_null(ended_in);
}

static _Atomic int waited;

/* try: yield 1; finally: wait, and pass safe points */
static enum turn waits_in_the_end(struct frame *f, enum resume how, borrowed argument,
                                  struct object **result)
{
    (void)how;
    if (f->at++ == 0)
        return turn_yield(result, 1);
    io_sleep_ns(1000);
    for (int i = 0; i < 10; i++)
        safepoint(thread_self);
    atomic_fetch_add_explicit(&waited, 1, memory_order_relaxed);
    return frame_raise(argument);
}

static const struct body body_waiting = { .name = "waiting", .resume = waits_in_the_end };

static struct object *handed_over[TEST_THREADS];

/* Drops what another has made, and makes and drops some of its own. */
static void drop_and_make(struct thread *t, int index)
{
    struct object *result;

    decref(handed_over[index]);
    for (int i = 0; i < 20; i++) {
        struct object *g = generator_new(&body_waiting, NULL, 0);

        if (generator_send(g, none(), &result) == STEP_NEXT)
            decref(result);
        decref(g);
        safepoint(t);
    }
}

/* Wherever it comes: in the one who drops, or at a safe point, or before a wait, of its maker. */
static void test_an_end_may_wait_and_pass_safe_points(void **state)
{
    int64_t before = live_blocks();

    (void)state;
    waited = 0;
    for (int i = 0; i < TEST_THREADS; i++) {
        handed_over[i] = make(&body_waiting);
        assert_yields(next_of(handed_over[i]), 1);
        publish(handed_over[i]);
    }
    run_threads(drop_and_make);
    assert_int_equal(live_blocks(), before);
    assert_int_equal(waited, TEST_THREADS * 21);
}

/* ---- memory ---- */

static int throwing_session(void)
{
    struct object *g = generator_primed(&body_echo, NULL, 0), *text = str_new("text");
    int result = -1;

    if (g && text && generator_throw_new(g, &value_error, text, &stepped) == STEP_ERROR &&
        exception_matches(&value_error)) {
        exception_restore(NULL);
        result = 0;
    }
    xdecref(text);
    xdecref(g);
    return result;
}

static int session(void)
{
    struct object *two = int_new(YIELD_AGAIN), *g = NULL, *thrown;
    int result = -1;

    if (two)
        g = generator_primed(&body_closes, (borrowed[]){ two }, 1);
    thrown = g ? exception_new(&value_error, "x") : NULL;
    if (thrown && generator_throw(g, thrown, &stepped) == STEP_NEXT) {
        decref(stepped);
        result = generator_send(g, two, &stepped) == STEP_RETURN ? 0 : -1;
    }
    xdecref(g);
    xdecref(two);
    return result;
}

static void test_no_memory_is_an_error_wherever_it_runs_out(void **state)
{
    (void)state;
    fail_everywhere(session);
    fail_everywhere(throwing_session);
}

/* Not even to be closed does one need memory: the exception that closes it is there. */
static void test_without_memory_it_is_closed_all_the_same(void **state)
{
    struct object *g = closing_by(PASS);

    (void)state;
    fail_allocation(1);
    assert_int_equal(generator_close(g, NULL), 0);
    fail_allocation(0);
    assert_null(exception_pending());
    assert_int_equal(generator_state(g), GENERATOR_CLOSED);
    decref(g);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup(name, listen_to_hooks)
    const struct CMUnitTest tests[] = {
        TEST(test_next_yields_and_then_stops_for_good),
        TEST(test_what_is_sent_is_the_value_of_the_yield),
        TEST(test_a_generator_is_an_iterator_and_gives_itself),
        TEST(test_four_states_and_running_is_seen_from_inside),
        TEST(test_closed_after_an_immediate_exception),
        TEST(test_a_value_sent_to_a_new_one_is_refused_and_it_stays_new),
        TEST(test_primed_stands_at_its_first_yield),
        TEST(test_throw_into_a_new_one_runs_nothing_and_closes_it),
        TEST(test_throw_into_a_closed_one_comes_straight_back),
        TEST(test_throw_raises_at_the_yield_the_very_same_object),
        TEST(test_throw_by_kind_and_value),
        TEST(test_what_is_no_exception_cannot_be_thrown),
        TEST(test_what_was_thrown_may_be_handled_and_the_generator_goes_on),
        TEST(test_what_is_thrown_has_what_the_generator_handles_as_context),
        TEST(test_what_a_generator_handles_is_its_own),
        TEST(test_what_the_caller_handles_is_seen_inside),
        TEST(test_close_of_a_new_one_is_silent_and_runs_nothing),
        TEST(test_close_swallows_generator_exit_and_twice_is_once),
        TEST(test_close_lets_other_exceptions_out_in_the_context_of_generator_exit),
        TEST(test_generator_exit_has_what_the_caller_handles_as_context),
        TEST(test_what_is_thrown_does_not_get_what_the_caller_handles_as_context),
        TEST(test_close_drops_what_the_frame_holds),
        TEST(test_yielding_in_close_is_an_error_and_it_stays_usable),
        TEST(test_close_returns_what_the_generator_returned),
        TEST(test_stop_iteration_that_escapes_becomes_runtime_error),
        TEST(test_stop_iteration_that_is_thrown_becomes_runtime_error),
        TEST(test_stop_iteration_of_a_next_inside_becomes_runtime_error),
        TEST(test_a_returned_value_travels_in_stop_iteration),
        TEST(test_a_running_one_refuses_and_is_unharmed),
        TEST(test_dropping_the_last_reference_runs_finally),
        TEST(test_errors_of_an_end_go_to_the_hook_and_not_to_the_caller),
        TEST(test_of_one_that_never_started_nothing_runs),
        TEST(test_what_an_end_keeps_lives_and_the_generator_does_not),
        TEST(test_a_cycle_through_the_frame_is_closed_and_collected),
        TEST(test_a_cycle_through_one_that_never_started_is_collected),
        TEST(test_a_cycle_through_a_handled_exception_is_collected),
        TEST(test_a_long_row_of_suspended_ones_ends_without_stack),
        TEST(test_threads_on_one_generator_get_a_value_or_are_refused),
        TEST(test_what_a_published_one_keeps_is_published_when_it_yields),
        TEST(test_it_ends_in_the_thread_that_dropped_it),
        TEST(test_an_end_may_wait_and_pass_safe_points),
        TEST(test_no_memory_is_an_error_wherever_it_runs_out),
        TEST(test_without_memory_it_is_closed_all_the_same),
    };

    collector_enable(false);
    return run_attached(tests);
}
