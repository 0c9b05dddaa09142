/* test_coroutine.c - PEP 492: coroutines, what can be awaited, async with and async for.
 *
 * What CPython's test_coroutines.py and test_inspect.py define, checked against CPython 3.11.
 */
#include "coroutines/tests/generators.h"

#include "objects/bool.h"
#include "objects/collector.h"
#include "objects/weakref.h"

/* ---- bodies ---- */

/* return 7 */
static enum turn at_once(struct frame *f, enum resume how, borrowed argument,
                         struct object **result)
{
    (void)f, (void)how, (void)argument;
    return turn_return(result, 7);
}

/* Python's types.coroutine: a = yield 1; return a */
static enum turn waits(struct frame *f, enum resume how, borrowed argument, struct object **result)
{
    if (how == RESUME_THROW)
        return frame_raise(argument);
    if (f->at++ == 0)
        return turn_yield(result, 1);
    *result = incref(argument);
    return TURN_RETURN;
}

/* return await its argument */
static enum turn awaits(struct frame *f, enum resume how, borrowed argument, struct object **result)
{
    if (f->at++ == 0) {
        *result = await_iterator(f->reference[0]);
        return *result ? TURN_FROM : TURN_ERROR;
    }
    if (how == RESUME_THROW)
        return frame_raise(argument);
    *result = incref(argument);
    return TURN_RETURN;
}

/* except GeneratorExit: yield 2 */
static enum turn ignores(struct frame *f, enum resume how, borrowed argument,
                         struct object **result)
{
    (void)argument;
    if (f->at > 1)
        return how == RESUME_THROW ? frame_raise(argument) : frame_return(result);
    return turn_yield(result, ++f->at);
}

static enum turn raises_stop(struct frame *f, enum resume how, borrowed argument,
                             struct object **result)
{
    (void)f, (void)how, (void)argument, (void)result;
    exception_set_stop(none());
    return TURN_ERROR;
}

static const struct body body_at_once = { .name = "at_once", .kind = COROUTINE,
                                          .resume = at_once };
static const struct body body_waits = { .name = "waits", .resume = waits, .awaitable = true };
static const struct body body_plain = { .name = "plain", .resume = waits };
static const struct body body_awaits = { .name = "awaits", .kind = COROUTINE, .resume = awaits,
                                         .references = 1 };
static const struct body body_delegates = { .name = "delegates", .resume = awaits,
                                            .references = 1 };
static const struct body body_ignores = { .name = "ignores", .kind = COROUTINE,
                                          .resume = ignores };
static const struct body body_stops = { .name = "stops", .kind = COROUTINE,
                                        .resume = raises_stop };

/* await waits() */
static struct object *waiting(void)
{
    return make_around(&body_awaits, make(&body_waits));
}

/* ---- what it is ---- */

static void test_a_coroutine_is_awaited_and_returns(void **state)
{
    struct object *c = make_around(&body_awaits, make(&body_at_once));

    (void)state;
    assert_returns(next_of(c), 7);
    assert_repr(c, "<coroutine object awaits>");
    decref(c);
}

static void test_what_the_innermost_yields_goes_to_the_driver(void **state)
{
    struct object *c = make_around(&body_awaits, waiting());

    (void)state;
    assert_yields(next_of(c), 1);
    assert_returns(send_to(c, 5), 5);
    decref(c);
}

static void test_a_coroutine_is_not_iterable(void **state)
{
    struct object *c = make(&body_at_once);

    (void)state;
    assert_null(iterate(c));
    assert_error(&type_error, "'coroutine' object is not iterable");
    assert_null(iterator_next(c));
    assert_error(&type_error, "'coroutine' object is not an iterator");
    assert_null(list_from(c));
    assert_error(&type_error, "'coroutine' object is not iterable");
    assert_int_equal(generator_close(c, NULL), 0);
    decref(c);
}

static void test_states_have_their_own_names(void **state)
{
    struct object *c = waiting();

    (void)state;
    assert_string_equal(generator_state_name(c), "CORO_CREATED");
    assert_yields(next_of(c), 1);
    assert_string_equal(generator_state_name(c), "CORO_SUSPENDED");
    assert_returns(next_of(c), NOTHING);
    assert_string_equal(generator_state_name(c), "CORO_CLOSED");
    decref(c);
}

/* ---- what can be awaited ---- */

static void assert_cannot_await(struct object *o /* steals */, const char *message)
{
    struct object *c = make_around(&body_awaits, o);

    assert_step_raises(next_of(c), &type_error, message);
    decref(c);
}

/* The other slot of such a type gives what the test says. */
static struct object *given; /* borrowed */

static struct object *gives(borrowed o)
{
    (void)o;
    return incref(given);
}

static struct object *fails(borrowed o)
{
    (void)o;
    exception_set(&zero_division_error, "in __await__");
    return NULL;
}

static const struct type awaitable_type = { .name = "Awaitable",
                                            .size_bytes = sizeof(struct object), .await = gives };
static const struct type broken_type = { .name = "Broken", .size_bytes = sizeof(struct object),
                                         .await = fails };

static struct object *bare(const struct type *type)
{
    return object_new(type, sizeof(struct object));
}

static void test_what_is_not_awaitable_says_so(void **state)
{
    (void)state;
    assert_cannot_await(int_new(1), "object int can't be used in 'await' expression");
    assert_cannot_await(list_new(), "object list can't be used in 'await' expression");
    assert_cannot_await(make(&body_plain),
                        "object generator can't be used in 'await' expression");
    assert_cannot_await(none(), "object NoneType can't be used in 'await' expression");
}

static void test_an_object_with_the_slot_is_awaited(void **state)
{
    struct object *it = make(&body_plain), *c = make_around(&body_awaits, bare(&awaitable_type));

    (void)state;
    given = it;
    assert_yields(next_of(c), 1);
    assert_returns(send_to(c, 3), 3);
    decref(c);
    decref(it);
}

static void test_a_slot_that_gives_no_iterator_says_so(void **state)
{
    struct object *number = int_new(1), *c = make(&body_at_once), *list = list_new();

    (void)state;
    given = number;
    assert_cannot_await(bare(&awaitable_type), "__await__() returned non-iterator of type 'int'");
    given = list;
    assert_cannot_await(bare(&awaitable_type), "__await__() returned non-iterator of type 'list'");
    given = c;
    assert_cannot_await(bare(&awaitable_type), "__await__() returned a coroutine");
    assert_int_equal(generator_close(c, NULL), 0);
    decref(list);
    decref(c);
    decref(number);
}

static void test_what_the_slot_raises_is_raised(void **state)
{
    struct object *c = make_around(&body_awaits, bare(&broken_type));

    (void)state;
    assert_step_raises(next_of(c), &zero_division_error, "in __await__");
    decref(c);
}

/* ---- generators among coroutines ---- */

static enum turn delegates_as_it_is(struct frame *f, enum resume how, borrowed argument,
                                    struct object **result)
{
    if (f->at++)
        return how == RESUME_THROW ? frame_raise(argument) : turn_return(result, 8);
    *result = incref(f->reference[0]);
    return TURN_FROM;
}

static void test_a_plain_generator_cannot_yield_from_a_coroutine(void **state)
{
    static const struct body body = { .name = "mixes", .resume = delegates_as_it_is,
                                      .references = 1 };
    struct object *c = make(&body_at_once), *g = make_with(&body, c);

    (void)state;
    assert_step_raises(next_of(g), &type_error,
                       "cannot 'yield from' a coroutine object in a non-coroutine generator");
    decref(g);
    assert_int_equal(generator_state(c), GENERATOR_CREATED);
    assert_int_equal(generator_close(c, NULL), 0);
    decref(c);
}

static void test_an_awaitable_generator_may_yield_from_a_coroutine(void **state)
{
    static const struct body body = { .name = "bridges", .resume = delegates_as_it_is,
                                      .references = 1, .awaitable = true };
    struct object *c = make_around(&body_awaits, make_around(&body, make(&body_at_once)));

    (void)state;
    assert_returns(next_of(c), 8);
    decref(c);
    assert_int_equal(told.warnings, 0);
}

static void test_await_iterator_serves_a_generator_too(void **state)
{
    struct object *g = make_around(&body_delegates, make(&body_waits));

    (void)state;
    assert_yields(next_of(g), 1);
    assert_returns(send_to(g, 4), 4);
    decref(g);
}

/* ---- never awaited ---- */

static void test_one_that_was_never_awaited_warns_at_its_end(void **state)
{
    struct object *c = make(&body_at_once);

    (void)state;
    exception_set(&index_error, "on its way");
    decref(c);
    settle_heap();
    assert_error(&index_error, "on its way");
    assert_int_equal(told.warnings, 1);
    assert_ptr_equal(told.kind, &runtime_warning);
    assert_string_equal(told.message, "coroutine 'at_once' was never awaited");
}

static void raise_warning(const struct type *kind, const char *message)
{
    exception_set(kind, "%s", message);
}

/* CPython's test_fatal_coro_warning: warnings are errors. */
static void test_a_fatal_warning_is_told_as_an_error_and_does_no_harm(void **state)
{
    static const struct warning_hooks fatal = { raise_warning, tell_unraisable };
    struct object *c = make(&body_at_once);

    (void)state;
    warning_set_hooks(&fatal);
    exception_set(&index_error, "on its way");
    decref(c);
    settle_heap();
    assert_error(&index_error, "on its way");
    assert_int_equal(told.unraisable, 1);
    assert_ptr_equal(told.kind, &runtime_warning);
    assert_string_equal(told.message, "coroutine 'at_once' was never awaited");
}

static void test_closed_before_it_does_not_warn(void **state)
{
    struct object *c = make(&body_at_once);

    (void)state;
    assert_int_equal(generator_close(c, NULL), 0);
    decref(c);
    settle_heap();
    assert_int_equal(told.warnings, 0);
}

static void test_one_that_began_does_not_warn(void **state)
{
    struct object *c = waiting();

    (void)state;
    assert_yields(next_of(c), 1);
    decref(c);
    settle_heap();
    assert_int_equal(told.warnings + told.unraisable, 0);
}

static void test_a_generator_that_never_started_does_not_warn(void **state)
{
    (void)state;
    decref(make(&body_waits));
    settle_heap();
    assert_int_equal(told.warnings, 0);
}

static __attribute__((noinline)) struct object *make_unawaited(void)
{
    struct object *c = make(&body_at_once);

    __asm__ volatile("" : : : "memory"); /* no tail call: it is to be seen among the calls */
    return c;
}

/* CPython's OriginTrackingTest: nothing unless it is asked for, and then the calls that made it. */
static void test_where_one_was_made_is_said_if_that_was_asked_for(void **state)
{
    const void *address[COROUTINE_ORIGIN_MOST];
    struct object *untold = make_unawaited(), *told_of;

    (void)state;
    assert_int_equal(coroutine_track_origins(3), 0);
    told_of = make_unawaited();
    assert_int_equal(coroutine_origin(told_of, address, COROUTINE_ORIGIN_MOST), 3);
    assert_int_equal(coroutine_track_origins(0), 3);
    assert_int_equal(coroutine_origin(untold, address, COROUTINE_ORIGIN_MOST), 0);
    decref(untold);
    settle_heap();
    assert_string_equal(told.message, "coroutine 'at_once' was never awaited");
    decref(told_of);
    settle_heap();
    assert_int_equal(told.warnings, 2);
    assert_non_null(strstr(told.message, "coroutine 'at_once' was never awaited\n"
                                         "Coroutine created at (most recent call last)\n"
                                         "  test_coroutine"));
}

/* CPython's test_origin_tracking_warning: as many calls as were asked for, no more. */
static void test_an_origin_is_as_deep_as_was_asked_for(void **state)
{
    const void *one[COROUTINE_ORIGIN_MOST], *two[COROUTINE_ORIGIN_MOST];
    struct object *c[3];

    (void)state;
    for (int depth = 1; depth < 3; depth++) {
        coroutine_track_origins(depth);
        c[depth] = make_unawaited();
    }
    coroutine_track_origins(0);
    assert_int_equal(coroutine_origin(c[1], one, COROUTINE_ORIGIN_MOST), 1);
    assert_int_equal(coroutine_origin(c[2], two, COROUTINE_ORIGIN_MOST), 2);
    assert_ptr_equal(one[0], two[0]);
    assert_int_equal(generator_close(c[1], NULL), 0);
    assert_int_equal(generator_close(c[2], NULL), 0);
    decref(c[1]);
    decref(c[2]);
    assert_int_equal(told.warnings, 0);
}

static _Atomic int warned;

static void count_warning(const struct type *kind, const char *message)
{
    (void)kind, (void)message;
    atomic_fetch_add_explicit(&warned, 1, memory_order_relaxed);
}

/* Its last act is to drop one: so the end of the thread may be what destroys it. */
static void drop_one_unawaited(struct thread *t, int index)
{
    struct object *c = make(&body_at_once);

    (void)t, (void)index;
    publish(c);
    decref(c);
}

/* CPython's UnawaitedWarningDuringShutdownTest, of a thread, and of a program that has no
 * hooks any more. */
static void test_one_that_goes_with_its_thread_warns_and_without_hooks_nothing_happens(void **state)
{
    static const struct warning_hooks counting = { .warn = count_warning };
    int64_t before = live_blocks();

    (void)state;
    warned = 0;
    warning_set_hooks(&counting);
    run_threads(drop_one_unawaited);
    settle_heap();
    assert_int_equal(warned, TEST_THREADS);
    warning_set_hooks(NULL);
    decref(make(&body_at_once));
    assert_int_equal(live_blocks(), before);
    assert_null(exception_pending());
    assert_int_equal(warned, TEST_THREADS);
}

static void test_one_that_was_never_awaited_warns_in_a_cycle_too(void **state)
{
    struct object *list = list_new(), *c = make_with(&body_awaits, list);
    int64_t before = live_blocks();

    (void)state;
    assert_int_equal(list_append(list, c), 0);
    decref(list);
    decref(c);
    collect(GENERATION_ALL);
    assert_int_equal(told.warnings, 1);
    assert_true(live_blocks() < before);
}

/* ---- once, and one at a time ---- */

static void test_a_finished_one_cannot_be_used_again_but_closed(void **state)
{
    struct object *c = make(&body_at_once);

    (void)state;
    assert_returns(next_of(c), 7);
    assert_step_raises(next_of(c), &runtime_error, "cannot reuse already awaited coroutine");
    assert_step_raises(throw_into(c, &value_error, "x"), &runtime_error,
                       "cannot reuse already awaited coroutine");
    for (int i = 0; i < 3; i++)
        assert_int_equal(generator_close(c, NULL), 0);
    decref(c);
}

static void test_a_closed_one_cannot_be_awaited(void **state)
{
    struct object *c = make(&body_at_once), *outer;

    (void)state;
    assert_int_equal(generator_close(c, NULL), 0);
    outer = make_around(&body_awaits, c);
    assert_step_raises(next_of(outer), &runtime_error, "cannot reuse already awaited coroutine");
    decref(outer);
}

static void test_one_that_is_closed_under_its_awaiter_is_an_error_to_that(void **state)
{
    struct object *c = waiting(), *sent = make_with(&body_awaits, c);
    struct object *thrown = make_with(&body_awaits, c);

    (void)state;
    assert_yields(next_of(sent), 1);
    assert_int_equal(generator_close(c, NULL), 0);
    assert_step_raises(next_of(sent), &runtime_error, "cannot reuse already awaited coroutine");
    decref(sent);
    decref(c);
    assert_int_equal(generator_close(thrown, NULL), 0);
    decref(thrown);
}

static void test_a_second_awaiter_is_refused(void **state)
{
    struct object *c = waiting(), *first = make_with(&body_awaits, c);
    struct object *second = make_with(&body_awaits, c);

    (void)state;
    assert_yields(next_of(first), 1);
    assert_step_raises(next_of(second), &runtime_error, "coroutine is being awaited already");
    assert_returns(send_to(first, 2), 2);
    decref(first);
    decref(second);
    decref(c);
}

static struct object *itself; /* borrowed */

static enum turn awaits_itself(struct frame *f, enum resume how, borrowed argument,
                               struct object **result)
{
    if (f->at++ == 0) {
        assert_step_raises(next_of(itself), &value_error, "coroutine already executing");
        assert_step_raises(throw_into(itself, &key_error, "x"), &value_error,
                           "coroutine already executing");
        assert_int_equal(generator_close(itself, NULL), -1);
        assert_error(&value_error, "coroutine already executing");
        *result = await_iterator(itself);
        return TURN_FROM;
    }
    (void)result;
    return how == RESUME_THROW ? frame_raise(argument) : frame_return(result);
}

static void test_a_running_one_says_already_executing(void **state)
{
    static const struct body body = { .name = "selfish", .kind = COROUTINE,
                                      .resume = awaits_itself };
    struct object *c = itself = make(&body);

    (void)state;
    assert_step_raises(next_of(c), &value_error, "coroutine already executing");
    assert_int_equal(generator_state(c), GENERATOR_CLOSED);
    decref(c);
}

static void test_a_value_sent_to_a_new_one_is_refused(void **state)
{
    struct object *c = make(&body_at_once);

    (void)state;
    assert_step_raises(send_to(c, 1), &type_error,
                       "can't send non-None value to a just-started coroutine");
    assert_returns(next_of(c), 7);
    decref(c);
}

static void test_yielding_in_close_is_an_error(void **state)
{
    struct object *c = make(&body_ignores);

    (void)state;
    assert_yields(next_of(c), 1);
    assert_int_equal(generator_close(c, NULL), -1);
    assert_error(&runtime_error, "coroutine ignored GeneratorExit");
    assert_returns(next_of(c), NOTHING);
    decref(c);
}

static void test_stop_iteration_that_escapes_becomes_runtime_error(void **state)
{
    struct object *c = make(&body_stops), *cause;

    (void)state;
    assert_int_equal(next_of(c), STEP_ERROR);
    cause = exception_cause(exception_pending());
    assert_ptr_equal(type_of(cause), &stop_iteration);
    decref(cause);
    assert_error(&runtime_error, "coroutine raised StopIteration");
    decref(c);
}

/* ---- cr_await ---- */

static struct object *awaited_seen;

static enum turn looks(struct frame *f, enum resume how, borrowed argument, struct object **result)
{
    (void)how, (void)argument;
    awaited_seen = generator_delegate(itself);
    return f->at++ ? frame_return(result) : turn_yield(result, 1);
}

static void test_what_it_awaits_can_be_asked_down_the_chain(void **state)
{
    static const struct body body = { .name = "looks", .resume = looks, .awaitable = true };
    struct object *leaf = make(&body), *middle = make_with(&body_awaits, leaf);
    struct object *c = itself = make_with(&body_awaits, middle), *from;

    (void)state;
    assert_ptr_equal(generator_delegate(c), none());
    assert_yields(next_of(c), 1);
    assert_ptr_equal(awaited_seen, none());
    from = generator_delegate(c);
    assert_ptr_equal(from, middle);
    decref(from);
    from = generator_delegate(middle);
    assert_ptr_equal(from, leaf);
    decref(from);
    assert_ptr_equal(generator_delegate(leaf), none());
    assert_returns(next_of(c), NOTHING);
    assert_ptr_equal(generator_delegate(c), none());
    decref(leaf);
    decref(middle);
    decref(c);
}

/* ---- async with ---- */

static struct {
    struct object *enter, *exit, *iterator, *next; /* borrowed; what the slots give */
    struct object *passed; /* what exit was told; owned */
} manager;

static struct object *or_fail(struct object *o)
{
    if (o)
        return incref(o);
    exception_set(&zero_division_error, "in the slot");
    return NULL;
}

static struct object *manager_enter(borrowed o)
{
    (void)o;
    return or_fail(manager.enter);
}

static struct object *manager_exit(borrowed o, borrowed e)
{
    (void)o;
    xdecref(manager.passed);
    manager.passed = incref(e);
    return or_fail(manager.exit);
}

static struct object *manager_iterate(borrowed o)
{
    (void)o;
    return or_fail(manager.iterator);
}

static struct object *manager_next(borrowed o)
{
    (void)o;
    return or_fail(manager.next);
}

static const struct async_slots whole = { manager_iterate, manager_next, manager_enter,
                                          manager_exit };
static const struct async_slots no_exit = { .enter = manager_enter };
static const struct async_slots no_enter = { .exit = manager_exit };
static const struct type manager_type = { .name = "CM", .size_bytes = sizeof(struct object),
                                          .async = &whole };
static const struct type exitless_type = { .name = "CM", .size_bytes = sizeof(struct object),
                                           .async = &no_exit };
static const struct type enterless_type = { .name = "CM", .size_bytes = sizeof(struct object),
                                            .async = &no_enter };

/* async with its argument as y: yield y or raise what is thrown; return "swallowed" as 1 */
enum { ENTERING = 1, INSIDE, LEAVING, LEAVING_BY_ERROR };

static enum turn leave(struct frame *f, borrowed e, uint16_t at, struct object **result)
{
    f->at = at;
    *result = async_exit(f->reference[0], e);
    return *result ? TURN_FROM : TURN_ERROR;
}

static enum turn uses_with(struct frame *f, enum resume how, borrowed argument,
                           struct object **result)
{
    struct handling *h = frame_locals(f);

    switch (f->at) {
    case 0:
        f->at = ENTERING;
        *result = async_enter(f->reference[0]);
        return *result ? TURN_FROM : TURN_ERROR;
    case ENTERING:
        if (how == RESUME_THROW)
            return frame_raise(argument);
        f->at = INSIDE;
        *result = incref(argument);
        return TURN_YIELD;
    case INSIDE:
        if (how == RESUME_SEND)
            return leave(f, none(), LEAVING, result);
        exception_handle_begin(h, incref(argument));
        return leave(f, argument, LEAVING_BY_ERROR, result);
    default:
        if (how == RESUME_THROW)
            return frame_raise(argument);
        if (f->at == LEAVING_BY_ERROR && argument != truth(true))
            return frame_raise(h->exception);
        return turn_return(result, f->at == LEAVING_BY_ERROR);
    }
}

static const struct body body_with = { .name = "with", .kind = COROUTINE, .resume = uses_with,
                                       .references = 1,
                                       .locals_bytes = sizeof(struct handling) };

/* An awaitable that is over at once, with this value. */
static enum turn returns_argument(struct frame *f, enum resume how, borrowed argument,
                                  struct object **result)
{
    (void)how, (void)argument;
    *result = incref(f->reference[0]);
    return TURN_RETURN;
}

static const struct body body_value = { .name = "value", .kind = COROUTINE,
                                        .resume = returns_argument, .references = 1 };

static struct object *begin_with(const struct type *type)
{
    return make_around(&body_with, bare(type));
}

static void test_async_with_enters_and_leaves(void **state)
{
    struct object *five = int_new(5), *enter = make_around(&body_value, five);
    struct object *leave_by = make_around(&body_value, none()), *c = begin_with(&manager_type);

    (void)state;
    manager.enter = enter;
    manager.exit = leave_by;
    assert_yields(next_of(c), 5);
    assert_returns(next_of(c), 0);
    assert_ptr_equal(manager.passed, none());
    decref(c);
    decref(enter);
    decref(leave_by);
}

/* Begins one, and raises ValueError in it; __aexit__ returns `answer`. */
static enum step raise_within(struct object *answer)
{
    struct object *enter = make_around(&body_value, none());
    struct object *leave_by = make_around(&body_value, answer), *c = begin_with(&manager_type);
    enum step step;

    manager.enter = enter;
    manager.exit = leave_by;
    assert_yields(next_of(c), NOTHING);
    step = throw_into(c, &value_error, "within");
    assert_ptr_equal(type_of(manager.passed), &value_error);
    decref(c);
    decref(enter);
    decref(leave_by);
    return step;
}

static void test_async_with_swallows_what_exit_says_yes_to(void **state)
{
    (void)state;
    assert_returns(raise_within(truth(true)), 1);
    assert_step_raises(raise_within(truth(false)), &value_error, "within");
}

static void test_what_exit_raises_has_what_was_raised_within_as_context(void **state)
{
    struct object *enter = make_around(&body_value, none()), *c = begin_with(&manager_type);

    (void)state;
    manager.enter = enter;
    manager.exit = NULL;
    assert_yields(next_of(c), NOTHING);
    assert_int_equal(throw_into(c, &value_error, "within"), STEP_ERROR);
    assert_ptr_equal(pending_context(), &value_error);
    assert_error(&zero_division_error, "in the slot");
    decref(c);
    decref(enter);
}

static void assert_with_raises(const struct type *type, const struct type *kind,
                               const char *message)
{
    struct object *c = begin_with(type);

    assert_step_raises(next_of(c), kind, message);
    decref(c);
}

static void test_async_with_needs_both_methods(void **state)
{
    (void)state;
    assert_with_raises(&exitless_type, &type_error,
                       "'CM' object does not support the asynchronous context manager protocol "
                       "(missed __aexit__ method)");
    assert_with_raises(&enterless_type, &type_error,
                       "'CM' object does not support the asynchronous context manager protocol");
    assert_with_raises(&broken_type, &type_error, "'Broken' object does not support the "
                                                  "asynchronous context manager protocol");
    manager.enter = NULL;
    assert_with_raises(&manager_type, &zero_division_error, "in the slot");
}

static void test_async_with_needs_awaitables(void **state)
{
    struct object *number = int_new(1), *enter = make_around(&body_value, none()), *c;

    (void)state;
    manager.enter = number;
    assert_with_raises(&manager_type, &type_error,
                       "'async with' received an object from __aenter__ that does not implement "
                       "__await__: int");
    manager.enter = enter;
    manager.exit = number;
    c = begin_with(&manager_type);
    assert_yields(next_of(c), NOTHING);
    assert_step_raises(next_of(c), &type_error,
                       "'async with' received an object from __aexit__ that does not implement "
                       "__await__: int");
    decref(c);
    decref(enter);
    decref(number);
}

/* ---- async for ---- */

/* async for x in its argument: yield x */
static enum turn iterates(struct frame *f, enum resume how, borrowed argument,
                          struct object **result)
{
    switch (f->at) {
    case 0:
        f->reference[1] = async_iterate(f->reference[0]);
        if (!f->reference[1])
            return TURN_ERROR;
        break;
    case 1:
        if (how == RESUME_THROW)
            return async_ended(argument) ? turn_return(result, 99) : frame_raise(argument);
        f->at = 2;
        *result = incref(argument);
        return TURN_YIELD;
    default:
        if (how == RESUME_THROW)
            return frame_raise(argument);
    }
    f->at = 1;
    *result = async_next(f->reference[1]);
    return *result ? TURN_FROM : TURN_ERROR;
}

static const struct body body_for = { .name = "for", .kind = COROUTINE, .resume = iterates,
                                      .references = 2 };

static enum turn raises_end(struct frame *f, enum resume how, borrowed argument,
                            struct object **result)
{
    (void)f, (void)how, (void)argument, (void)result;
    exception_set(&stop_async_iteration, "%s", "");
    return TURN_ERROR;
}

static void assert_for_raises(struct object *o /* steals */, const char *message)
{
    struct object *c = make_around(&body_for, o);

    assert_step_raises(next_of(c), &type_error, message);
    decref(c);
}

static void test_async_for_takes_items_until_the_end(void **state)
{
    static const struct body body = { .name = "end", .kind = COROUTINE, .resume = raises_end };
    struct object *it = bare(&manager_type), *c = make_with(&body_for, it);
    struct object *item = make_around(&body_value, int_new(3)), *end = make(&body);

    (void)state;
    manager.iterator = it;
    manager.next = item;
    assert_yields(next_of(c), 3);
    manager.next = end;
    assert_returns(next_of(c), 99);
    decref(c);
    decref(item);
    decref(end);
    decref(it);
}

static void test_async_for_needs_an_async_iterable(void **state)
{
    struct object *number = int_new(1);

    (void)state;
    assert_for_raises(int_new(1),
                      "'async for' requires an object with __aiter__ method, got int");
    assert_for_raises(bare(&exitless_type),
                      "'async for' requires an object with __aiter__ method, got CM");
    manager.iterator = number;
    assert_for_raises(bare(&manager_type), "'async for' received an object from __aiter__ that "
                                           "does not implement __anext__: int");
    decref(number);
    assert_null(async_next(none()));
    assert_error(&type_error,
                 "'async for' requires an iterator with __anext__ method, got NoneType");
}

static void check_bad_item(struct object *item /* steals */, const char *message,
                           const struct type *kind)
{
    struct object *it = bare(&manager_type), *c = make_with(&body_for, it), *cause;

    manager.iterator = it;
    manager.next = item;
    assert_int_equal(next_of(c), STEP_ERROR);
    cause = exception_cause(exception_pending());
    assert_ptr_equal(type_of(cause), kind);
    decref(cause);
    assert_error(&type_error, message);
    decref(c);
    decref(item);
    decref(it);
}

static void test_async_for_needs_awaitable_items_and_tells_why_they_are_not(void **state)
{
    (void)state;
    check_bad_item(int_new(1), "'async for' received an invalid object from __anext__: int",
                   &type_error);
    check_bad_item(bare(&broken_type),
                   "'async for' received an invalid object from __anext__: Broken",
                   &zero_division_error);
}

static void test_what_the_slot_of_next_raises_is_raised(void **state)
{
    struct object *it = bare(&manager_type), *c = make_with(&body_for, it);

    (void)state;
    manager.iterator = it;
    manager.next = NULL;
    assert_step_raises(next_of(c), &zero_division_error, "in the slot");
    decref(c);
    decref(it);
}

/* ---- memory ---- */

static int session(void)
{
    struct object *sub = generator_new(&body_waits, NULL, 0);
    struct object *c = sub ? generator_new(&body_awaits, (borrowed[]){ sub }, 1) : NULL;
    int result = -1;

    if (c && generator_send(c, none(), &stepped) == STEP_NEXT) {
        decref(stepped);
        if (generator_send(c, none(), &stepped) == STEP_RETURN) {
            decref(stepped);
            result = 0;
        }
    }
    if (c && generator_state(c) == GENERATOR_CREATED)
        result = -1;
    xdecref(c);
    xdecref(sub);
    return result;
}

static void test_no_memory_is_an_error_wherever_it_runs_out(void **state)
{
    (void)state;
    fail_everywhere(session);
}

static int fresh(void **state)
{
    memset(&manager, 0, sizeof manager);
    return listen_to_hooks(state);
}

static int tidy(void **state)
{
    (void)state;
    xdecref(manager.passed);
    return 0;
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, fresh, tidy)
    const struct CMUnitTest tests[] = {
        TEST(test_a_coroutine_is_awaited_and_returns),
        TEST(test_what_the_innermost_yields_goes_to_the_driver),
        TEST(test_a_coroutine_is_not_iterable),
        TEST(test_states_have_their_own_names),
        TEST(test_what_is_not_awaitable_says_so),
        TEST(test_an_object_with_the_slot_is_awaited),
        TEST(test_a_slot_that_gives_no_iterator_says_so),
        TEST(test_what_the_slot_raises_is_raised),
        TEST(test_a_plain_generator_cannot_yield_from_a_coroutine),
        TEST(test_an_awaitable_generator_may_yield_from_a_coroutine),
        TEST(test_await_iterator_serves_a_generator_too),
        TEST(test_one_that_was_never_awaited_warns_at_its_end),
        TEST(test_a_fatal_warning_is_told_as_an_error_and_does_no_harm),
        TEST(test_closed_before_it_does_not_warn),
        TEST(test_one_that_began_does_not_warn),
        TEST(test_a_generator_that_never_started_does_not_warn),
        TEST(test_where_one_was_made_is_said_if_that_was_asked_for),
        TEST(test_an_origin_is_as_deep_as_was_asked_for),
        TEST(test_one_that_goes_with_its_thread_warns_and_without_hooks_nothing_happens),
        TEST(test_one_that_was_never_awaited_warns_in_a_cycle_too),
        TEST(test_a_finished_one_cannot_be_used_again_but_closed),
        TEST(test_a_closed_one_cannot_be_awaited),
        TEST(test_one_that_is_closed_under_its_awaiter_is_an_error_to_that),
        TEST(test_a_second_awaiter_is_refused),
        TEST(test_a_running_one_says_already_executing),
        TEST(test_a_value_sent_to_a_new_one_is_refused),
        TEST(test_yielding_in_close_is_an_error),
        TEST(test_stop_iteration_that_escapes_becomes_runtime_error),
        TEST(test_what_it_awaits_can_be_asked_down_the_chain),
        TEST(test_async_with_enters_and_leaves),
        TEST(test_async_with_swallows_what_exit_says_yes_to),
        TEST(test_what_exit_raises_has_what_was_raised_within_as_context),
        TEST(test_async_with_needs_both_methods),
        TEST(test_async_with_needs_awaitables),
        TEST(test_async_for_takes_items_until_the_end),
        TEST(test_async_for_needs_an_async_iterable),
        TEST(test_async_for_needs_awaitable_items_and_tells_why_they_are_not),
        TEST(test_what_the_slot_of_next_raises_is_raised),
        TEST(test_no_memory_is_an_error_wherever_it_runs_out),
    };

    collector_enable(false);
    return run_attached(tests);
}
