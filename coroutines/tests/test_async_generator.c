/* test_async_generator.c - PEP 525: asynchronous generators, their awaitables, hooks, and ends.
 *
 * What CPython's test_asyncgen.py defines, checked against CPython 3.11.
 */
#include "coroutines/async_generator.h"
#include "coroutines/tests/generators.h"

#include "objects/collector.h"

/* ---- bodies ---- */

/* yield 1, 2; return */
static enum turn two(struct frame *f, enum resume how, borrowed argument, struct object **result)
{
    if (how == RESUME_THROW)
        return frame_raise(argument);
    return f->at == 2 ? frame_return(result) : turn_yield(result, ++f->at);
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

/* Awaitable: what it yields goes to the driver. a = yield 1000; return a */
static enum turn pauses(struct frame *f, enum resume how, borrowed argument, struct object **result)
{
    if (how == RESUME_THROW)
        return frame_raise(argument);
    if (f->at++ == 0)
        return turn_yield(result, 1000);
    *result = incref(argument);
    return TURN_RETURN;
}

static const struct body body_pauses = { .name = "pauses", .resume = pauses, .awaitable = true };

static enum turn pause(struct object **result)
{
    *result = generator_new(&body_pauses, NULL, 0);
    return *result ? TURN_FROM : TURN_ERROR;
}

/* x = await pauses(); yield x; return */
static enum turn waits(struct frame *f, enum resume how, borrowed argument, struct object **result)
{
    if (how == RESUME_THROW)
        return frame_raise(argument);
    switch (f->at++) {
    case 0:
        return pause(result);
    case 1:
        *result = incref(argument);
        return TURN_YIELD;
    default:
        return frame_return(result);
    }
}

/* try: yield 1; finally, or except: what its argument says */
enum ending {
    PASSES, AWAITS, YIELDS, YIELDS_AFTER_AWAIT, RETURNS, RAISES_VALUE, RAISES_STOP,
    RAISES_STOP_ASYNC
};

static int ends;

static enum turn raise_while(borrowed handled, const struct type *kind)
{
    struct handling h;

    exception_handle_begin(&h, incref(handled));
    exception_set(kind, "%s", "");
    exception_handle_end(&h);
    return TURN_ERROR;
}

static enum turn end_as_told(struct frame *f, enum ending ending, borrowed argument,
                             struct object **result)
{
    struct handling *h = frame_locals(f);

    switch (ending) {
    case AWAITS:
    case YIELDS_AFTER_AWAIT:
        exception_handle_begin(h, incref(argument));
        return pause(result);
    case YIELDS:
        return turn_yield(result, 2);
    case RETURNS:
        return frame_return(result);
    case RAISES_VALUE:
        return raise_while(argument, &value_error);
    case RAISES_STOP:
        return raise_while(argument, &stop_iteration);
    case RAISES_STOP_ASYNC:
        return raise_while(argument, &stop_async_iteration);
    default:
        return frame_raise(argument);
    }
}

static enum turn ends_so(struct frame *f, enum resume how, borrowed argument,
                         struct object **result)
{
    struct handling *h = frame_locals(f);
    enum ending ending = (enum ending)int_value(f->reference[0]);

    switch (f->at++) {
    case 0:
        return turn_yield(result, 1);
    case 1:
        ends++;
        return how == RESUME_SEND ? frame_return(result) : end_as_told(f, ending, argument, result);
    default:
        if (how == RESUME_THROW || ending == YIELDS || f->at > 3)
            return how == RESUME_THROW ? frame_raise(argument) : frame_return(result);
        return ending == YIELDS_AFTER_AWAIT ? turn_yield(result, 3) : frame_raise(h->exception);
    }
}

static const struct body body_two = { .name = "two", .kind = ASYNC_GENERATOR, .resume = two };
static const struct body body_echo = { .name = "echo", .kind = ASYNC_GENERATOR, .resume = echo };
static const struct body body_waits = { .name = "waits", .kind = ASYNC_GENERATOR,
                                        .resume = waits };
static const struct body body_ends = { .name = "ends", .kind = ASYNC_GENERATOR,
                                       .resume = ends_so, .references = 1,
                                       .locals_bytes = sizeof(struct handling) };

static struct object *agen(const struct body *body)
{
    struct object *g = async_generator_new(body, NULL, 0);

    assert_non_null(g);
    return g;
}

static struct object *ending_by(enum ending ending)
{
    struct object *argument = int_new(ending);
    struct object *g = async_generator_new(&body_ends, (borrowed[]){ argument }, 1);

    decref(argument);
    ends = 0;
    return g;
}

/* ---- awaiting to the end ---- */

static int paused; /* how often the driver was given something */

/* Steps it until it has an answer. */
static enum step await_all(struct object *awaitable /* steals */)
{
    enum step step;

    paused = 0;
    while ((step = type_of(awaitable)->send(awaitable, none(), &stepped)) == STEP_NEXT) {
        assert_int_equal(int_value(stepped), 1000);
        decref(stepped);
        paused++;
    }
    decref(awaitable);
    return step;
}

static enum step next_item(struct object *g)
{
    return await_all(async_generator_next(g));
}

static enum step send_item(struct object *g, int64_t value)
{
    struct object *sent = int_new(value);
    enum step step = await_all(async_generator_send(g, sent));

    decref(sent);
    return step;
}

static enum step throw_item(struct object *g, const struct type *kind)
{
    struct object *e = exception_new(kind, "%s", "thrown");
    enum step step = await_all(async_generator_throw(g, e));

    decref(e);
    return step;
}

static enum step close_all(struct object *g)
{
    return await_all(async_generator_close(g));
}

#define assert_gives(step, number) assert_returns(step, number)
#define assert_ended(step) assert_step_raises(step, &stop_async_iteration, "")

/* ---- items ---- */

static void test_items_and_then_the_end_for_good(void **state)
{
    struct object *g = agen(&body_two);

    (void)state;
    assert_gives(next_item(g), 1);
    assert_gives(next_item(g), 2);
    for (int i = 0; i < 3; i++)
        assert_ended(next_item(g));
    assert_repr(g, "<async_generator object two>");
    decref(g);
}

static void test_what_is_awaited_goes_to_the_driver_and_what_is_yielded_is_the_item(void **state)
{
    struct object *g = agen(&body_waits), *a = async_generator_next(g), *five = int_new(5);

    (void)state;
    assert_yields(type_of(a)->next(a, &stepped), 1000);
    assert_true(async_generator_running(g));
    assert_gives(type_of(a)->send(a, five, &stepped), 5);
    assert_false(async_generator_running(g));
    decref(a);
    decref(five);
    assert_ended(next_item(g));
    decref(g);
}

static void test_what_is_sent_is_the_value_of_the_yield(void **state)
{
    struct object *g = agen(&body_echo);

    (void)state;
    assert_step_raises(send_item(g, 1), &type_error,
                       "can't send non-None value to a just-started async generator");
    assert_gives(next_item(g), 0);
    assert_gives(send_item(g, 4), 4);
    assert_gives(next_item(g), NOTHING);
    decref(g);
}

/* async for x in its argument: sum; return the sum */
static enum turn sums(struct frame *f, enum resume how, borrowed argument, struct object **result)
{
    int64_t *sum = frame_locals(f);

    if (f->at++ == 0) {
        f->reference[1] = async_iterate(f->reference[0]);
        if (!f->reference[1])
            return TURN_ERROR;
    } else if (how == RESUME_THROW) {
        return async_ended(argument) ? turn_return(result, *sum) : frame_raise(argument);
    } else {
        *sum += int_value(argument);
    }
    *result = async_next(f->reference[1]);
    return *result ? TURN_FROM : TURN_ERROR;
}

static const struct body body_sums = { .name = "sums", .kind = COROUTINE, .resume = sums,
                                       .references = 2, .locals_bytes = sizeof(int64_t) };

static void test_async_for_goes_through_it(void **state)
{
    struct object *c = make_around(&body_sums, agen(&body_two)), *five = int_new(5);

    (void)state;
    assert_returns(next_of(c), 3);
    decref(c);
    c = make_around(&body_sums, agen(&body_waits));
    assert_yields(next_of(c), 1000);
    assert_returns(generator_send(c, five, &stepped), 5);
    decref(c);
    decref(five);
}

static void test_it_is_neither_iterable_nor_awaitable(void **state)
{
    struct object *g = agen(&body_two);

    (void)state;
    assert_null(iterate(g));
    assert_error(&type_error, "'async_generator' object is not iterable");
    assert_null(await_iterator(g));
    assert_error(&type_error, "object async_generator can't be used in 'await' expression");
    decref(g);
}

/* ---- each like the same generator that is not asynchronous ---- */

static char told_by[2][400];

static void tell(int which, const char *text)
{
    size_t used = strlen(told_by[which]);

    snprintf(told_by[which] + used, sizeof told_by[0] - used, "%s,", text);
}

static void tell_step(int which, enum step step, bool ended)
{
    char text[80];

    if (step == STEP_ERROR)
        snprintf(text, sizeof text, "%s", type_of(exception_pending())->name);
    else if (ended)
        snprintf(text, sizeof text, "end");
    else
        snprintf(text, sizeof text, "%d",
                 type_of(stepped) == &int_type ? (int)int_value(stepped) : -1);
    tell(which, text);
    if (step == STEP_ERROR)
        exception_restore(NULL);
    else
        decref(stepped);
}

static enum step step_either(struct object *sync, struct object *async, const struct type *thrown)
{
    if (sync && thrown)
        return throw_into(sync, thrown, "thrown");
    if (sync)
        return next_of(sync);
    return thrown ? throw_item(async, thrown) : next_item(async);
}

static void run_either(int which, struct object *sync, struct object *async,
                       const struct type *thrown)
{
    enum step step;
    bool ended;

    for (int i = 0; i < 5; i++) {
        step = step_either(sync, async, i == 1 ? thrown : NULL);
        ended = sync ? step == STEP_RETURN : step == STEP_ERROR && async_ended(exception_pending());
        if (ended && async) {
            exception_restore(NULL);
            stepped = none();
            step = STEP_RETURN;
        }
        tell_step(which, step, ended);
    }
}

/* CPython's compare_generators, of test_async_gen_exception_04 and _07 to _11. */
static void test_each_behaves_as_the_same_generator_that_is_not_asynchronous(void **state)
{
    static const struct type *const thrown[] = { NULL, &value_error, &zero_division_error };
    static struct body sync_body;

    (void)state;
    sync_body = body_ends;
    sync_body.kind = GENERATOR;
    for (enum ending ending = PASSES; ending <= RAISES_VALUE; ending++)
        for (size_t i = 0; i < sizeof thrown / sizeof *thrown; i++) {
            struct object *sync = make_around(&sync_body, int_new(ending));
            struct object *async = ending_by(ending);

            memset(told_by, 0, sizeof told_by);
            if (ending != AWAITS && ending != YIELDS_AFTER_AWAIT) {
                run_either(0, sync, NULL, thrown[i]);
                run_either(1, NULL, async, thrown[i]);
                assert_string_equal(told_by[0], told_by[1]);
            }
            decref(sync);
            decref(async);
        }
}

/* ---- what leaks ---- */

static void test_stop_iteration_that_escapes_becomes_runtime_error(void **state)
{
    struct object *g = ending_by(RAISES_STOP);

    (void)state;
    assert_gives(next_item(g), 1);
    assert_step_raises(throw_item(g, &value_error), &runtime_error,
                       "async generator raised StopIteration");
    decref(g);
}

static void test_stop_async_iteration_that_escapes_becomes_runtime_error(void **state)
{
    struct object *g = ending_by(RAISES_STOP_ASYNC), *cause;

    (void)state;
    assert_gives(next_item(g), 1);
    assert_int_equal(throw_item(g, &value_error), STEP_ERROR);
    cause = exception_cause(exception_pending());
    assert_ptr_equal(type_of(cause), &stop_async_iteration);
    decref(cause);
    assert_error(&runtime_error, "async generator raised StopAsyncIteration");
    decref(g);
}

/* ---- one at a time, and each once ---- */

static void test_a_second_awaitable_is_refused_while_one_is_under_way(void **state)
{
    struct object *g = agen(&body_waits), *first = async_generator_next(g), *e;

    (void)state;
    assert_yields(type_of(first)->next(first, &stepped), 1000);
    assert_step_raises(next_item(g), &runtime_error,
                       "anext(): asynchronous generator is already running");
    assert_step_raises(send_item(g, 1), &runtime_error,
                       "anext(): asynchronous generator is already running");
    assert_step_raises(close_all(g), &runtime_error,
                       "aclose(): asynchronous generator is already running");
    e = exception_new(&value_error, "%s", "");
    assert_step_raises(await_all(async_generator_throw(g, e)), &runtime_error,
                       "athrow(): asynchronous generator is already running");
    decref(e);
    assert_gives(type_of(first)->next(first, &stepped), NOTHING);
    decref(first);
    decref(g);
}

static void test_each_awaitable_is_awaited_once(void **state)
{
    struct object *g = agen(&body_two), *item = async_generator_next(g);
    struct object *end = async_generator_close(g);

    (void)state;
    assert_gives(type_of(item)->next(item, &stepped), 1);
    assert_step_raises(type_of(item)->next(item, &stepped), &runtime_error,
                       "cannot reuse already awaited __anext__()/asend()");
    assert_step_raises(type_of(item)->throw(item, exception_new(&value_error, "x"), &stepped),
                       &runtime_error, "cannot reuse already awaited __anext__()/asend()");
    assert_gives(type_of(end)->next(end, &stepped), NOTHING);
    assert_step_raises(type_of(end)->next(end, &stepped), &runtime_error,
                       "cannot reuse already awaited aclose()/athrow()");
    decref(item);
    decref(end);
    decref(g);
}

static void test_an_awaitable_is_told_by_a_coroutine_what_it_is_sent_and_thrown(void **state)
{
    struct object *c = make_around(&body_sums, agen(&body_waits));

    (void)state;
    assert_yields(next_of(c), 1000);
    assert_step_raises(throw_into(c, &value_error, "x"), &value_error, "x");
    decref(c);
}

/* As of 3.13: it is not said to be running for ever after. */
static void test_closing_who_awaits_ends_what_is_under_way(void **state)
{
    struct object *g = ending_by(AWAITS), *c = make_with(&body_sums, g), *a;

    (void)state;
    assert_gives(next_item(g), 1);
    a = async_generator_next(g);
    assert_int_equal(type_of(a)->close(a), 0); /* not begun: nothing happens */
    assert_step_raises(type_of(a)->next(a, &stepped), &runtime_error,
                       "cannot reuse already awaited __anext__()/asend()");
    decref(a);
    decref(g);
    decref(c);
    settle_heap();
    told.warnings = 0; /* the coroutine was never awaited */
    g = agen(&body_waits);
    c = make_with(&body_sums, g);
    assert_yields(next_of(c), 1000);
    assert_int_equal(generator_close(c, NULL), 0);
    assert_false(async_generator_running(g));
    assert_ended(next_item(g));
    decref(c);
    decref(g);
}

/* ---- athrow and aclose ---- */

static void test_athrow_raises_at_the_yield(void **state)
{
    struct object *g = ending_by(YIELDS);

    (void)state;
    assert_gives(next_item(g), 1);
    assert_gives(throw_item(g, &value_error), 2);
    assert_ended(next_item(g));
    decref(g);
}

static void test_athrow_into_a_new_one_closes_it(void **state)
{
    struct object *g = ending_by(PASSES);

    (void)state;
    assert_step_raises(throw_item(g, &value_error), &value_error, "thrown");
    assert_ended(next_item(g));
    assert_int_equal(ends, 0);
    assert_returns(throw_item(g, &value_error), NOTHING); /* it has ended: nothing is raised */
    decref(g);
}

static void test_aclose_ends_it_and_twice_is_once(void **state)
{
    struct object *g = ending_by(PASSES);

    (void)state;
    assert_gives(next_item(g), 1);
    assert_returns(close_all(g), NOTHING);
    assert_int_equal(ends, 1);
    assert_returns(close_all(g), NOTHING);
    assert_int_equal(ends, 1);
    assert_ended(next_item(g));
    decref(g);
}

static void test_aclose_of_a_new_one_runs_nothing(void **state)
{
    struct object *g = ending_by(PASSES);

    (void)state;
    assert_returns(close_all(g), NOTHING);
    assert_int_equal(ends, 0);
    assert_ended(next_item(g));
    decref(g);
}

static void test_awaiting_in_the_end_is_allowed(void **state)
{
    struct object *g = ending_by(AWAITS);

    (void)state;
    assert_gives(next_item(g), 1);
    assert_returns(close_all(g), NOTHING);
    assert_int_equal(paused, 1);
    decref(g);
}

static void test_yielding_in_the_end_is_an_error(void **state)
{
    static const enum ending yielding[] = { YIELDS, YIELDS_AFTER_AWAIT };

    (void)state;
    for (int i = 0; i < 2; i++) {
        struct object *g = ending_by(yielding[i]);

        assert_gives(next_item(g), 1);
        assert_step_raises(close_all(g), &runtime_error, "async generator ignored GeneratorExit");
        assert_int_equal(paused, i);
        assert_false(async_generator_running(g));
        decref(g);
    }
}

static void test_what_aclose_lets_pass_and_what_not(void **state)
{
    struct object *g = ending_by(RAISES_VALUE);

    (void)state;
    assert_gives(next_item(g), 1);
    assert_step_raises(close_all(g), &value_error, "");
    decref(g);
    g = ending_by(RETURNS);
    assert_gives(next_item(g), 1);
    assert_returns(close_all(g), NOTHING);
    decref(g);
}

static void test_an_awaitable_of_the_end_wants_none_at_first(void **state)
{
    struct object *g = ending_by(PASSES), *a = async_generator_close(g), *one = int_new(1);

    (void)state;
    assert_step_raises(type_of(a)->send(a, one, &stepped), &runtime_error,
                       "can't send non-None value to a just-started coroutine");
    assert_returns(await_all(a), NOTHING);
    decref(one);
    decref(g);
}

/* ---- hooks and the end ---- */

static struct {
    int first, final;
    bool refuse;
    struct object *kept; /* owned; what the finalizer was given */
} hooked;

static int note_first(borrowed g, void *argument)
{
    (void)g;
    assert_ptr_equal(argument, &hooked);
    hooked.first++;
    if (!hooked.refuse)
        return 0;
    exception_set(&zero_division_error, "firstiter");
    return -1;
}

static void note_final(borrowed g, void *argument)
{
    (void)argument;
    hooked.final++;
    hooked.kept = incref(g);
    if (hooked.refuse)
        exception_set(&zero_division_error, "finalizer");
}

static void set_hooks(void)
{
    memset(&hooked, 0, sizeof hooked);
    async_generator_set_hooks((struct async_generator_hooks){ note_first, note_final, &hooked });
}

static void test_the_first_use_is_told_once(void **state)
{
    struct object *g = ending_by(PASSES);

    (void)state;
    set_hooks();
    assert_int_equal(hooked.first, 0);
    assert_gives(next_item(g), 1);
    assert_gives(close_all(g), NOTHING);
    assert_int_equal(hooked.first, 1);
    decref(g);
    settle_heap();
    assert_int_equal(hooked.final, 0);
}

static void test_what_the_first_hook_raises_is_raised(void **state)
{
    struct object *g = ending_by(PASSES);

    (void)state;
    set_hooks();
    hooked.refuse = true;
    assert_null(async_generator_next(g));
    assert_error(&zero_division_error, "firstiter");
    assert_gives(next_item(g), 1);
    hooked.refuse = false;
    decref(g);
    settle_heap();
    xdecref(hooked.kept);
}

/* A task of the loop may await its end: even there it is what it was. */
static void test_one_that_is_dropped_is_given_to_the_finalizer(void **state)
{
    struct object *g = ending_by(AWAITS);
    int64_t before = live_blocks();

    (void)state;
    set_hooks();
    assert_gives(next_item(g), 1);
    decref(g);
    settle_heap();
    assert_int_equal(hooked.final, 1);
    assert_int_equal(ends, 0);
    assert_returns(close_all(hooked.kept), NOTHING);
    assert_int_equal(paused, 1);
    assert_int_equal(ends, 1);
    decref(hooked.kept);
    assert_true(live_blocks() < before);
    assert_int_equal(hooked.final, 1);
    assert_int_equal(told.unraisable, 0);
}

static void test_what_the_finalizer_raises_goes_to_the_hook_of_errors(void **state)
{
    struct object *g = ending_by(PASSES);

    (void)state;
    set_hooks();
    assert_gives(next_item(g), 1);
    hooked.refuse = true;
    exception_set(&index_error, "on its way");
    decref(g);
    settle_heap();
    assert_error(&index_error, "on its way");
    assert_int_equal(told.unraisable, 1);
    assert_string_equal(told.message, "finalizer");
    decref(hooked.kept); /* dropped twice: it is closed */
    settle_heap();
    assert_int_equal(ends, 1);
}

static void test_without_hooks_it_is_closed_where_it_is_dropped(void **state)
{
    struct object *g = ending_by(PASSES);
    int64_t before = live_blocks();

    (void)state;
    assert_gives(next_item(g), 1);
    decref(g);
    settle_heap();
    assert_int_equal(ends, 1);
    assert_int_equal(told.unraisable, 0);
    g = ending_by(AWAITS);
    assert_gives(next_item(g), 1);
    decref(g);
    assert_true(live_blocks() < before);
    assert_int_equal(ends, 1);
    assert_int_equal(told.unraisable, 1);
    assert_string_equal(told.message, "async generator ignored GeneratorExit");
}

static void test_one_in_a_cycle_is_given_to_the_finalizer(void **state)
{
    int64_t before = live_blocks();
    struct object *list = list_new(), *g = ending_by(AWAITS);

    (void)state;
    set_hooks();
    assert_gives(next_item(g), 1);
    assert_int_equal(list_append(list, list), 0);
    assert_int_equal(list_append(list, g), 0);
    decref(g);
    decref(list);
    collect(GENERATION_ALL);
    assert_int_equal(hooked.final, 1);
    assert_int_equal(ends, 0);
    assert_returns(close_all(hooked.kept), NOTHING);
    assert_int_equal(paused, 1);
    decref(hooked.kept);
    collect(GENERATION_ALL);
    assert_int_equal(live_blocks(), before);
}

static void test_one_in_a_cycle_without_hooks_is_closed(void **state)
{
    int64_t before = live_blocks();
    struct object *list = list_new(), *g = ending_by(PASSES);

    (void)state;
    assert_gives(next_item(g), 1);
    assert_int_equal(list_append(list, list), 0);
    assert_int_equal(list_append(list, g), 0);
    decref(g);
    decref(list);
    collect(GENERATION_ALL);
    assert_int_equal(live_blocks(), before);
    assert_int_equal(ends, 1);
    assert_int_equal(told.unraisable, 0);
}

static struct object *handed;

static void drop_in_thread(struct thread *t, int index)
{
    if (index == 0)
        decref(handed);
    for (int i = 0; i < 1000; i++)
        safepoint(t);
}

static void test_the_finalizer_is_that_of_the_first_use_wherever_it_is_dropped(void **state)
{
    (void)state;
    set_hooks();
    handed = ending_by(AWAITS);
    assert_gives(next_item(handed), 1);
    publish(handed);
    run_threads(drop_in_thread);
    settle_heap();
    assert_int_equal(hooked.final, 1);
    assert_returns(close_all(hooked.kept), NOTHING);
    decref(hooked.kept);
}

static void step_shared(struct thread *t, int index)
{
    (void)index;
    for (int i = 0; i < 1000; i++) {
        struct object *a = async_generator_next(handed), *result;
        enum step step = type_of(a)->next(a, &result);

        if (step == STEP_ERROR)
            exception_restore(NULL);
        else
            decref(result);
        decref(a);
        safepoint(t);
    }
}

static void test_threads_on_one_get_an_item_or_are_refused(void **state)
{
    int64_t before = live_blocks();

    (void)state;
    handed = agen(&body_echo);
    publish(handed);
    run_threads(step_shared);
    decref(handed);
    assert_int_equal(live_blocks(), before);
}

/* ---- memory ---- */

static int session(void)
{
    struct object *g = async_generator_new(&body_two, NULL, 0);
    struct object *a;
    bool goes_on = g;

    while (goes_on && (a = async_generator_next(g))) {
        goes_on = type_of(a)->next(a, &stepped) == STEP_RETURN;
        if (goes_on)
            decref(stepped);
        decref(a);
    }
    xdecref(g);
    if (!exception_matches(&stop_async_iteration))
        return -1;
    exception_restore(NULL);
    return 0;
}

static void test_no_memory_is_an_error_wherever_it_runs_out(void **state)
{
    (void)state;
    fail_everywhere(session);
}

static int begin(void **state)
{
    async_generator_set_hooks((struct async_generator_hooks){ 0 });
    return listen_to_hooks(state);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup(name, begin)
    const struct CMUnitTest tests[] = {
        TEST(test_items_and_then_the_end_for_good),
        TEST(test_what_is_awaited_goes_to_the_driver_and_what_is_yielded_is_the_item),
        TEST(test_what_is_sent_is_the_value_of_the_yield),
        TEST(test_async_for_goes_through_it),
        TEST(test_it_is_neither_iterable_nor_awaitable),
        TEST(test_each_behaves_as_the_same_generator_that_is_not_asynchronous),
        TEST(test_stop_iteration_that_escapes_becomes_runtime_error),
        TEST(test_stop_async_iteration_that_escapes_becomes_runtime_error),
        TEST(test_a_second_awaitable_is_refused_while_one_is_under_way),
        TEST(test_each_awaitable_is_awaited_once),
        TEST(test_an_awaitable_is_told_by_a_coroutine_what_it_is_sent_and_thrown),
        TEST(test_closing_who_awaits_ends_what_is_under_way),
        TEST(test_athrow_raises_at_the_yield),
        TEST(test_athrow_into_a_new_one_closes_it),
        TEST(test_aclose_ends_it_and_twice_is_once),
        TEST(test_aclose_of_a_new_one_runs_nothing),
        TEST(test_awaiting_in_the_end_is_allowed),
        TEST(test_yielding_in_the_end_is_an_error),
        TEST(test_what_aclose_lets_pass_and_what_not),
        TEST(test_an_awaitable_of_the_end_wants_none_at_first),
        TEST(test_the_first_use_is_told_once),
        TEST(test_what_the_first_hook_raises_is_raised),
        TEST(test_one_that_is_dropped_is_given_to_the_finalizer),
        TEST(test_what_the_finalizer_raises_goes_to_the_hook_of_errors),
        TEST(test_without_hooks_it_is_closed_where_it_is_dropped),
        TEST(test_one_in_a_cycle_is_given_to_the_finalizer),
        TEST(test_one_in_a_cycle_without_hooks_is_closed),
        TEST(test_the_finalizer_is_that_of_the_first_use_wherever_it_is_dropped),
        TEST(test_threads_on_one_get_an_item_or_are_refused),
        TEST(test_no_memory_is_an_error_wherever_it_runs_out),
    };

    collector_enable(false);
    return run_attached(tests);
}
