/* test_stackful.c - what generators with a stack of their own have beyond others: depth, what
 * stands on the stack, and its end. All else of them is tested in test_*_stackful.c.
 */
#include "coroutines/tests/generators.h"

#include "coroutines/async_generator.h"
#include "coroutines/stackful.h"
#include "coroutines/switch/carriers.h"
#include "coroutines/switch/stack.h"
#include "objects/collector.h"
#include "objects/function.h"
#include "objects/section.h"
#include "objects/tuple.h"

#include <sched.h>
#include <sys/resource.h>

enum { LEVELS = 40, MANY_TURNS = 2000 };

/* Yields a number, and drops what is sent. 0, or -1: it was told to raise. */
static __attribute__((noinline)) int yield_number(struct stackful *self, int64_t number)
{
    struct object *sent = stackful_yield(self, int_new(number));

    xdecref(sent);
    return sent ? 0 : -1;
}

static __attribute__((noinline)) struct thread *this_thread(void)
{
    return thread_self;
}

/* ---- depth ---- */

/* The numbers of a tree, in order: yields from every depth. */
static int walk(struct stackful *self, int level, int64_t *number)
{
    if (level == 0)
        return yield_number(self, (*number)++);
    return walk(self, level - 1, number) < 0 || walk(self, level - 1, number) < 0 ? -1 : 0;
}

static struct object *walks(struct stackful *self)
{
    int64_t number = 0;

    return walk(self, 5, &number) < 0 ? NULL : int_new(number);
}

static const struct body body_walks = { .name = "walks", .resume = stackful_turn,
                                        .stackful = walks };

static void test_it_yields_from_any_depth(void **state)
{
    struct object *g = make(&body_walks);

    (void)state;
    for (int i = 0; i < 32; i++)
        assert_yields(next_of(g), i);
    assert_returns(next_of(g), 32);
    assert_int_equal(generator_state(g), GENERATOR_CLOSED);
    assert_repr(g, "<generator object walks>");
    decref(g);
}

static void test_what_is_thrown_comes_through_all_of_the_calls(void **state)
{
    struct object *g = make(&body_walks);

    (void)state;
    assert_yields(next_of(g), 0);
    assert_yields(next_of(g), 1);
    assert_step_raises(throw_into(g, &value_error, "down"), &value_error, "down");
    assert_returns(next_of(g), NOTHING);
    decref(g);
}

/* Called by the runtime, with nobody to tell it for whom it yields. */
static struct object *yields_its_argument(borrowed unused, borrowed const *arguments, size_t count)
{
    (void)unused, (void)count;
    return stackful_yield(stackful_self(), incref(arguments[0]));
}

static struct object *calls_back(struct stackful *self)
{
    struct object *callback = function_new("callback", yields_its_argument, 1, NULL);
    struct object *got = call(callback, (borrowed[]){ stackful_frame(self)->reference[0] }, 1);

    decref(callback);
    return got;
}

static void test_what_is_called_finds_for_whom_it_yields(void **state)
{
    static const struct body body = { .name = "calls_back", .resume = stackful_turn,
                                      .stackful = calls_back, .references = 1 };
    struct object *g = make_around(&body, int_new(7));

    (void)state;
    assert_null(stackful_self());
    assert_yields(next_of(g), 7);
    assert_null(stackful_self());
    assert_returns(send_to(g, 8), 8);
    decref(g);
}

/* The tree again, by a generator for each of its parts, which resumes those below it. */
static struct object *walk_parts(struct stackful *self);

static const struct body body_parts = { .name = "parts", .resume = stackful_turn,
                                        .stackful = walk_parts, .references = 2 };

static struct object *part(int64_t level)
{
    return make_around(&body_parts, int_new(level));
}

static struct object *walk_parts(struct stackful *self)
{
    int64_t level = int_value(stackful_frame(self)->reference[0]);
    struct object *number;

    for (int i = 0; level > 0 && i < 2; i++) {
        struct object *below = part(level - 1);

        stackful_frame(self)->reference[1] = below;
        while (generator_send(below, none(), &number) == STEP_NEXT)
            decref(stackful_yield(self, number));
        stackful_frame(self)->reference[1] = NULL;
        decref(number);
        decref(below);
    }
    return level == 0 && yield_number(self, 1) < 0 ? NULL : none();
}

static void test_one_runs_others_amid_its_turn(void **state)
{
    struct object *g = part(5);

    (void)state;
    for (int i = 0; i < 32; i++)
        assert_yields(next_of(g), 1);
    assert_returns(next_of(g), NOTHING);
    decref(g);
}

/* ---- delegation ---- */

static int middle_turns;

/* return (yield from its argument) + 1, amid calls */
static __attribute__((noinline)) struct object *delegate_below(struct stackful *self, int level)
{
    struct object *returned;

    if (level > 0)
        return delegate_below(self, level - 1);
    returned = stackful_from_iterable(self, stackful_frame(self)->reference[0]);
    middle_turns++;
    return returned;
}

static struct object *delegates(struct stackful *self)
{
    return delegate_below(self, 10);
}

static const struct body body_delegates = { .name = "delegates", .resume = stackful_turn,
                                            .stackful = delegates, .references = 1 };

/* return (yield from its argument) */
static enum turn also_delegates(struct frame *f, enum resume how, borrowed argument,
                                struct object **result)
{
    if (f->at++ == 0) {
        *result = iterate(f->reference[0]);
        return *result ? TURN_FROM : TURN_ERROR;
    }
    if (how == RESUME_THROW)
        return frame_raise(argument);
    *result = incref(argument);
    return TURN_RETURN;
}

static const struct body body_also = { .name = "also", .resume = also_delegates, .references = 1 };

/* A row of both kinds, at whose end stands `leaf`. */
static struct object *mixed_chain(struct object *leaf /* steals */)
{
    for (int i = 0; i < LEVELS; i++)
        leaf = make_around(i % 2 ? &body_also : &body_delegates, leaf);
    return leaf;
}

static void test_both_kinds_delegate_to_each_other_and_only_the_leaf_is_resumed(void **state)
{
    struct object *g = mixed_chain(make(&body_walks));

    (void)state;
    middle_turns = 0;
    for (int i = 0; i < 32; i++)
        assert_yields(next_of(g), i);
    assert_int_equal(middle_turns, 0);
    assert_returns(next_of(g), 32);
    assert_int_equal(middle_turns, LEVELS / 2);
    decref(g);
}

static void test_what_is_thrown_goes_through_a_mixed_chain(void **state)
{
    struct object *g = mixed_chain(make(&body_walks));

    (void)state;
    assert_yields(next_of(g), 0);
    assert_step_raises(throw_into(g, &key_error, "x"), &key_error, "x");
    decref(g);
    g = mixed_chain(make(&body_walks));
    assert_yields(next_of(g), 0);
    assert_int_equal(generator_close(g, NULL), 0);
    assert_int_equal(generator_state(g), GENERATOR_CLOSED);
    decref(g);
}

static void test_it_delegates_to_a_plain_iterator(void **state)
{
    struct object *list = list_new(), *g;

    (void)state;
    for (int i = 0; i < 3; i++)
        assert_int_equal(list_append(list, none()), 0);
    g = make_around(&body_delegates, list);
    for (int i = 0; i < 3; i++)
        assert_yields(next_of(g), NOTHING);
    assert_returns(next_of(g), NOTHING);
    decref(g);
    g = make_around(&body_delegates, int_new(1));
    assert_step_raises(next_of(g), &type_error, "'int' object is not iterable");
    decref(g);
}

/* ---- coroutines ---- */

static struct object *awaits(struct stackful *self)
{
    struct object *sum = stackful_await(self, stackful_frame(self)->reference[0]);
    int64_t number = sum ? int_value(sum) : 0;

    xdecref(sum);
    return sum ? int_new(number + 1) : NULL;
}

static const struct body body_awaits = { .name = "awaits", .kind = COROUTINE,
                                         .resume = stackful_turn, .stackful = awaits,
                                         .references = 1 };
static const struct body body_walks_awaited = { .name = "walks", .kind = COROUTINE,
                                                .resume = stackful_turn, .stackful = walks };

static void test_a_coroutine_awaits_amid_its_calls(void **state)
{
    struct object *inner = make(&body_walks_awaited), *c = make_with(&body_awaits, inner);
    struct object *awaited;

    (void)state;
    assert_yields(next_of(c), 0);
    assert_string_equal(generator_state_name(c), "CORO_SUSPENDED");
    awaited = generator_delegate(c);
    assert_ptr_equal(awaited, inner);
    decref(awaited);
    for (int i = 1; i < 32; i++)
        assert_yields(next_of(c), i);
    assert_returns(next_of(c), 33);
    decref(inner);
    decref(c);
    assert_int_equal(told.warnings, 0);
}

static void test_what_is_not_awaitable_raises_at_the_await(void **state)
{
    struct object *c = make_around(&body_awaits, int_new(1));

    (void)state;
    assert_step_raises(next_of(c), &type_error, "object int can't be used in 'await' expression");
    decref(c);
}

/* ---- what stands on the stack ---- */

/* try: raise KeyError; except: yield, and then raise ValueError */
static struct object *handles_over_a_yield(struct stackful *self)
{
    struct object *handled = exception_new(&key_error, "handled");
    struct handling h;
    int status;

    if (!handled)
        return NULL;
    exception_handle_begin(&h, handled);
    status = yield_number(self, 1);
    if (status == 0)
        exception_set(&value_error, "then");
    exception_handle_end(&h);
    return NULL;
}

static const struct body body_handles = { .name = "handles", .resume = stackful_turn,
                                          .stackful = handles_over_a_yield };

static void test_what_it_handles_is_its_own_though_it_stands_on_the_stack(void **state)
{
    struct object *g = make(&body_handles);

    (void)state;
    assert_yields(next_of(g), 1);
    assert_null(exception_handled());
    exception_set(&type_error, "outside");
    assert_null(pending_context());
    exception_restore(NULL);
    assert_int_equal(next_of(g), STEP_ERROR);
    assert_ptr_equal(pending_context(), &key_error);
    assert_error(&value_error, "then");
    decref(g);
}

static void test_a_cycle_through_what_it_handles_is_seen(void **state)
{
    struct object *g = make(&body_handles);

    (void)state;
    assert_int_equal(held_by(g), 0);
    assert_yields(next_of(g), 1);
    assert_int_equal(held_by(g), 1);
    decref(g);
}

static __attribute__((noinline)) void begin_section(struct section *s, borrowed o) NO_LOCK_ANALYSIS
{
    section_begin(s, o);
}

static __attribute__((noinline)) void end_section(struct section *s) NO_LOCK_ANALYSIS
{
    section_end(s);
}

static bool is_locked(struct object *o)
{
    if (!bytelock_try(&o->lock))
        return true;
    bytelock_unlock(&o->lock);
    return false;
}

/* with its argument locked: yield whether it is, twice */
static struct object *yields_in_a_section(struct stackful *self)
{
    struct object *list = stackful_frame(self)->reference[0];
    struct section s;
    int status;

    begin_section(&s, list);
    status = yield_number(self, is_locked(list));
    if (status == 0)
        status = yield_number(self, is_locked(list));
    end_section(&s);
    return status < 0 ? NULL : none();
}

static const struct body body_in_section = { .name = "in_section", .resume = stackful_turn,
                                             .stackful = yields_in_a_section, .references = 1 };

static void test_a_section_gives_up_its_lock_over_a_yield(void **state)
{
    struct object *list = list_new(), *g = make_with(&body_in_section, list);
    bool locks = thread_self->locks_containers;

    (void)state;
    assert_yields(next_of(g), locks);
    assert_false(is_locked(list));
    assert_null(thread_self->sections);
    assert_int_equal(list_append(list, none()), 0);
    assert_yields(next_of(g), locks);
    assert_false(is_locked(list));
    assert_returns(next_of(g), NOTHING);
    assert_false(is_locked(list));
    decref(g);
    decref(list);
}

static void test_who_resumes_in_a_section_has_its_lock_again(void **state)
{
    struct object *list = list_new(), *g = make_with(&body_in_section, list);
    bool locks = thread_self->locks_containers;
    struct section s;

    (void)state;
    begin_section(&s, list);
    for (int i = 0; i < 2; i++) {
        assert_yields(next_of(g), locks);
        assert_int_equal(is_locked(list), locks);
    }
    assert_returns(next_of(g), NOTHING);
    assert_int_equal(is_locked(list), locks);
    end_section(&s);
    assert_false(is_locked(list));
    decref(g);
    decref(list);
}

static void test_a_section_of_one_that_is_dropped_ends(void **state)
{
    struct object *list = list_new(), *g = make_with(&body_in_section, list);

    (void)state;
    assert_yields(next_of(g), thread_self->locks_containers);
    decref(g);
    settle_heap();
    assert_null(thread_self->sections);
    assert_false(is_locked(list));
    decref(list);
}

/* ---- destructors ---- */

static void yields_at_its_end(void *self)
{
    yield_number(self, 1);
}

/* Drops a list in a list with something that yields when it goes. */
static struct object *drops(struct stackful *self)
{
    struct object *outer = list_new(), *inner = list_new();
    struct object *probe = probe_new(yields_at_its_end, self);

    if (list_append(inner, probe) < 0 || list_append(outer, inner) < 0)
        abort();
    decref(probe);
    decref(inner);
    decref(outer);
    return none();
}

static struct object *nest_lists(int depth)
{
    struct object *list = list_new();

    for (int i = 0; i < depth; i++) {
        struct object *outer = list_new();

        if (list_append(outer, list) < 0)
            abort();
        decref(list);
        list = outer;
    }
    return list;
}

/* Whoever is elsewhere in a destructor holds up nobody's. */
static void test_destructors_under_way_belong_to_the_stack(void **state)
{
    static const struct body body = { .name = "drops", .resume = stackful_turn,
                                      .stackful = drops };
    struct object *g = make(&body);
    int64_t before;

    (void)state;
    if (RC_LATE_HERE)
        skip();
    assert_yields(next_of(g), 1);
    before = live_blocks();
    decref(nest_lists(LEVELS));
    assert_int_equal(live_blocks(), before);
    assert_returns(next_of(g), NOTHING);
    decref(g);
}

/* ---- the stack ---- */

static const void *stood_at;

static struct object *notes_its_stack(struct stackful *self)
{
    stood_at = self;
    return yield_number(self, 1) < 0 ? NULL : none();
}

static const struct body body_notes = { .name = "notes", .resume = stackful_turn,
                                        .stackful = notes_its_stack };

static const void *stack_of_next(void)
{
    struct object *g = make(&body_notes);

    assert_yields(next_of(g), 1);
    decref(g);
    settle_heap();
    return stood_at;
}

static void test_the_stack_is_given_back_at_the_end(void **state)
{
    const void *stack = stack_of_next();
    struct object *g = make(&body_notes);

    (void)state;
    stood_at = NULL;
    assert_yields(next_of(g), 1);
    assert_ptr_equal(stood_at, stack);
    assert_returns(next_of(g), NOTHING);
    assert_ptr_equal(stack_of_next(), stack); /* though the first one is still there */
    decref(g);
}

static void test_steps_take_no_memory(void **state)
{
    struct object *list = list_new(), *g;

    (void)state;
    for (int i = 0; i < 100; i++)
        assert_int_equal(list_append(list, none()), 0);
    g = mixed_chain(list);
    assert_yields(next_of(g), NOTHING);
    fail_allocation(1);
    for (int i = 1; i < 100; i++)
        assert_yields(next_of(g), NOTHING);
    assert_true(failure_waits());
    fail_allocation(0);
    assert_returns(next_of(g), NOTHING);
    decref(g);
}

static void test_without_a_stack_the_first_step_says_why(void **state)
{
    static const struct body body = { .name = "huge", .resume = stackful_turn, .stackful = walks,
                                      .references = 1, .stack_bytes = STACK_MOST_BYTES + 1 };
    int64_t before = live_blocks();
    struct object *g = make_around(&body, int_new(1));

    (void)state;
    assert_int_equal(next_of(g), STEP_ERROR);
    assert_true(exception_matches(&memory_error));
    assert_non_null(strstr(exception_message(exception_pending()), "stack"));
    exception_restore(NULL);
    assert_int_equal(generator_state(g), GENERATOR_CLOSED);
    decref(g);
    assert_int_equal(live_blocks(), before);
}

/* The kernel gives no more: those that stand go on, and when one ends there is room again. */
static void test_when_the_kernel_gives_no_more_those_that_stand_go_on(void **state)
{
    static const struct body body = { .name = "large", .resume = stackful_turn,
                                      .stackful = notes_its_stack,
                                      .stack_bytes = STACK_MOST_BYTES };
    struct rlimit was, least = { .rlim_cur = 1 << 20 };
    struct object *first = make(&body), *second = make(&body);

    (void)state;
    if (SANITIZED)
        skip();
    assert_yields(next_of(first), 1);
    assert_int_equal(getrlimit(RLIMIT_AS, &was), 0);
    least.rlim_max = was.rlim_max;
    assert_int_equal(setrlimit(RLIMIT_AS, &least), 0);
    assert_int_equal(next_of(second), STEP_ERROR);
    assert_int_equal(setrlimit(RLIMIT_AS, &was), 0);
    assert_true(exception_matches(&memory_error));
    print_message("# %s\n", exception_message(exception_pending()));
    exception_restore(NULL);
    assert_returns(next_of(first), NOTHING);
    decref(first);
    decref(second);
}

/* ---- the end ---- */

static int cleaned;

static int clean_up_below(struct stackful *self, int level)
{
    int status = level == 0 ? yield_number(self, 1) : clean_up_below(self, level - 1);

    cleaned++;
    return status;
}

static struct object *cleans_up(struct stackful *self)
{
    return clean_up_below(self, LEVELS - 1) < 0 ? NULL : none();
}

static const struct body body_cleans_up = { .name = "cleans_up", .resume = stackful_turn,
                                            .stackful = cleans_up };

static void test_one_that_is_dropped_returns_through_all_of_its_calls(void **state)
{
    int64_t before = live_blocks();
    struct object *g = make(&body_cleans_up);

    (void)state;
    cleaned = 0;
    assert_yields(next_of(g), 1);
    decref(g);
    assert_int_equal(live_blocks(), before);
    assert_int_equal(cleaned, LEVELS);
    assert_int_equal(told.unraisable, 0);
    assert_int_equal(told.warnings, 0);
}

/* while True: try: yield 1; except: pass, with a list in its slot and an exception on its stack */
static struct object *never_ends(struct stackful *self)
{
    struct handling h;

    stackful_frame(self)->reference[1] = list_new();
    exception_handle_begin(&h, exception_new(&key_error, "handled"));
    while (stackful_frame(self)->reference[1])
        if (yield_number(self, 1) < 0)
            exception_restore(NULL);
    return NULL;
}

static const struct body body_never_ends = { .name = "never_ends", .resume = stackful_turn,
                                             .stackful = never_ends, .references = 2 };

static void test_one_that_does_not_end_loses_its_stack_and_that_is_counted(void **state)
{
    const void *stack = stack_of_next();
    uint64_t lost = stackful_lost();
    int64_t before = live_blocks();
    struct object *g = make(&body_never_ends);

    (void)state;
    assert_yields(next_of(g), 1);
    decref(g);
    assert_int_equal(live_blocks(), before);
    assert_int_equal(stackful_lost(), lost + 1);
    assert_int_equal(told.warnings, 1);
    assert_int_equal(told.unraisable, 1);
    assert_string_equal(told.message, "generator ignored GeneratorExit");
    assert_ptr_equal(stack_of_next(), stack);
}

static const struct body body_never_ends_awaited = { .name = "never_ends", .kind = ASYNC_GENERATOR,
                                                     .resume = stackful_turn, .references = 2,
                                                     .stackful = never_ends };

static void test_an_asynchronous_one_that_does_not_end_is_told_of(void **state)
{
    uint64_t lost = stackful_lost();
    struct object *g = async_generator_new(&body_never_ends_awaited, NULL, 0);
    struct object *first = async_generator_next(g);

    (void)state;
    assert_returns(iterator_step(first, &stepped), 1);
    decref(first);
    decref(g);
    settle_heap();
    assert_int_equal(stackful_lost(), lost + 1);
    assert_int_equal(told.warnings, 1);
    assert_int_equal(told.unraisable, 1);
}

static struct object *loud(struct stackful *self)
{
    if (yield_number(self, 1) < 0)
        exception_wrap(&value_error, "in the end");
    return NULL;
}

static void test_errors_of_an_end_go_to_the_hook(void **state)
{
    static const struct body body = { .name = "loud", .resume = stackful_turn, .stackful = loud };
    struct object *g = make(&body);

    (void)state;
    assert_yields(next_of(g), 1);
    exception_set(&key_error, "the caller's");
    decref(g);
    assert_error(&key_error, "the caller's");
    settle_heap();
    assert_int_equal(told.unraisable, 1);
    assert_string_equal(told.message, "in the end");
    assert_string_equal(told.where, "loud");
    assert_int_equal(told.warnings, 0);
}

static void test_a_cycle_through_its_slots_is_closed_and_collected(void **state)
{
    static const struct body keeps = { .name = "keeps", .resume = stackful_turn,
                                       .stackful = cleans_up, .references = 1 };
    static const struct body *const bodies[] = { &keeps, &body_never_ends };

    (void)state;
    for (int i = 0; i < 2; i++) {
        int64_t before = live_blocks();
        struct object *list = list_new(), *g = make_with(bodies[i], list);

        cleaned = 0;
        assert_int_equal(list_append(list, g), 0);
        assert_yields(next_of(g), 1);
        decref(list);
        decref(g);
        settle_heap();
        collect(GENERATION_ALL);
        assert_int_equal(live_blocks(), before);
        assert_int_equal(cleaned, i == 0 ? LEVELS : 0);
        assert_int_equal(told.warnings, i);
    }
}

/* ---- threads ---- */

static struct object *shared, *handed;
static _Atomic int64_t sum;
static _Atomic int wrong;
static _Atomic(struct thread *) ended_in;

/* Adds up what is sent, amid calls, with an exception that it handles, and counts in its slot. */
static __attribute__((noinline)) void add_to_slot(struct stackful *self,
                                                  struct object *sent /* steals */)
{
    struct object **slot = &stackful_frame(self)->reference[0], *was = *slot;

    if (type_of(sent) == &int_type)
        *slot = int_new(int_value(was) + int_value(sent));
    else
        *slot = incref(was);
    decref(was);
    decref(sent);
}

static __attribute__((noinline)) struct object *slot_of(struct stackful *self)
{
    return incref(stackful_frame(self)->reference[0]);
}

static int add_up_below(struct stackful *self, int level)
{
    if (level > 0)
        return add_up_below(self, level - 1);
    for (;;) {
        struct object *sent = stackful_yield(self, slot_of(self));

        if (!sent)
            return -1;
        safepoint(this_thread());
        add_to_slot(self, sent);
    }
}

static struct object *adds_up(struct stackful *self)
{
    add_up_below(self, 5);
    return NULL;
}

static const struct body body_adds_up = { .name = "adds_up", .resume = stackful_turn,
                                          .stackful = adds_up, .references = 1 };

static void send_to_shared(struct thread *t, int index)
{
    for (int i = 1; i <= MANY_TURNS; i++) {
        struct object *number = int_new(index + i), *total;

        if (generator_send(shared, number, &total) == STEP_NEXT) {
            atomic_fetch_add_explicit(&sum, index + i, memory_order_relaxed);
            decref(total);
        } else {
            if (!exception_matches(&value_error))
                atomic_fetch_add_explicit(&wrong, 1, memory_order_relaxed);
            exception_restore(NULL);
        }
        decref(number);
        safepoint(t);
    }
}

static void test_threads_take_turns_on_one_stack(void **state)
{
    int64_t before = live_blocks();

    (void)state;
    sum = wrong = 0;
    shared = make_around(&body_adds_up, int_new(0));
    assert_yields(next_of(shared), 0);
    publish(shared);
    run_threads(send_to_shared);
    assert_int_equal(wrong, 0);
    assert_true(sum > 0);
    assert_yields(send_to(shared, 0), sum);
    decref(shared);
    assert_int_equal(live_blocks(), before);
}

static struct object *notes_where_it_ends(struct stackful *self)
{
    if (yield_number(self, 1) < 0)
        ended_in = this_thread();
    return NULL;
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

static void test_it_returns_in_the_thread_that_dropped_it(void **state)
{
    static const struct body body = { .name = "notes", .resume = stackful_turn,
                                      .stackful = notes_where_it_ends };
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

static struct object *kept[TEST_THREADS];

static void begin_one(struct thread *t, int index)
{
    struct object *number;

    (void)t;
    if (generator_send(kept[index], none(), &number) == STEP_NEXT)
        decref(number);
    else
        atomic_fetch_add_explicit(&wrong, 1, memory_order_relaxed);
}

/* What a thread has begun goes on when the thread is gone. */
static void test_it_outlives_the_thread_that_began_it(void **state)
{
    (void)state;
    wrong = 0;
    for (int i = 0; i < TEST_THREADS; i++) {
        kept[i] = make(&body_walks);
        publish(kept[i]);
    }
    run_threads(begin_one);
    assert_int_equal(wrong, 0);
    for (int i = 0; i < TEST_THREADS; i++) {
        for (int step = 1; step < 32; step++)
            assert_yields(next_of(kept[i]), step);
        assert_returns(next_of(kept[i]), 32);
        decref(kept[i]);
    }
}

static _Atomic int waiting_in_section;

/* Two threads resume ones that lock the same list, over their yields. */
static void step_in_sections(struct thread *t, int index)
{
    struct object *g = make_with(&body_in_section, handed), *number;

    (void)index;
    for (int i = 0; i < MANY_TURNS / 10; i++) {
        struct object *next = make_with(&body_in_section, handed);

        for (int step = 0; step < 2; step++)
            if (generator_send(i % 2 ? g : next, none(), &number) != STEP_ERROR)
                decref(number);
        decref(g);
        g = next;
        safepoint(t);
    }
    decref(g);
    atomic_fetch_add_explicit(&waiting_in_section, 1, memory_order_relaxed);
}

static void test_sections_over_yields_do_not_lock_threads_out(void **state)
{
    (void)state;
    waiting_in_section = 0;
    handed = list_new();
    publish(handed);
    run_threads(step_in_sections);
    assert_int_equal(waiting_in_section, TEST_THREADS);
    assert_false(is_locked(handed));
    decref(handed);
}

/* ---- memory ---- */

static struct object *run_to_end(struct object *g, int *status)
{
    struct object *item;
    enum step step;

    while ((step = generator_send(g, none(), &item)) == STEP_NEXT)
        decref(item);
    *status = step == STEP_RETURN ? 0 : -1;
    return step == STEP_RETURN ? item : NULL;
}

static int session(void)
{
    struct object *leaf = generator_new(&body_walks, NULL, 0), *below = NULL, *g = NULL;
    int status = -1;

    if (leaf)
        below = generator_new(&body_also, (borrowed[]){ leaf }, 1);
    if (below)
        g = generator_new(&body_delegates, (borrowed[]){ below }, 1);
    if (g)
        xdecref(run_to_end(g, &status));
    xdecref(g);
    xdecref(below);
    xdecref(leaf);
    return status;
}

static int coroutine_session(void)
{
    struct object *inner = generator_new(&body_walks_awaited, NULL, 0), *c = NULL, *thrown, *item;
    int status = -1;

    if (inner)
        c = generator_new(&body_awaits, (borrowed[]){ inner }, 1);
    if (c)
        xdecref(run_to_end(c, &status));
    xdecref(c);
    xdecref(inner);
    if (status < 0)
        return -1;
    c = generator_new(&body_handles, NULL, 0);
    status = -1;
    if (c && generator_send(c, none(), &item) == STEP_NEXT) {
        decref(item);
        thrown = exception_new(&value_error, "x");
        if (thrown && generator_throw(c, thrown, &item) == STEP_ERROR &&
            exception_matches(&value_error)) {
            exception_restore(NULL);
            status = 0;
        }
    }
    xdecref(c);
    return status;
}

static void test_no_memory_is_an_error_wherever_it_runs_out(void **state)
{
    (void)state;
    fail_everywhere(session);
    fail_everywhere(coroutine_session);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup(name, listen_to_hooks)
    const struct CMUnitTest tests[] = {
        TEST(test_it_yields_from_any_depth),
        TEST(test_what_is_thrown_comes_through_all_of_the_calls),
        TEST(test_what_is_called_finds_for_whom_it_yields),
        TEST(test_one_runs_others_amid_its_turn),
        TEST(test_both_kinds_delegate_to_each_other_and_only_the_leaf_is_resumed),
        TEST(test_what_is_thrown_goes_through_a_mixed_chain),
        TEST(test_it_delegates_to_a_plain_iterator),
        TEST(test_a_coroutine_awaits_amid_its_calls),
        TEST(test_what_is_not_awaitable_raises_at_the_await),
        TEST(test_what_it_handles_is_its_own_though_it_stands_on_the_stack),
        TEST(test_a_cycle_through_what_it_handles_is_seen),
        TEST(test_a_section_gives_up_its_lock_over_a_yield),
        TEST(test_who_resumes_in_a_section_has_its_lock_again),
        TEST(test_a_section_of_one_that_is_dropped_ends),
        TEST(test_destructors_under_way_belong_to_the_stack),
        TEST(test_the_stack_is_given_back_at_the_end),
        TEST(test_steps_take_no_memory),
        TEST(test_without_a_stack_the_first_step_says_why),
        TEST(test_when_the_kernel_gives_no_more_those_that_stand_go_on),
        TEST(test_one_that_is_dropped_returns_through_all_of_its_calls),
        TEST(test_one_that_does_not_end_loses_its_stack_and_that_is_counted),
        TEST(test_an_asynchronous_one_that_does_not_end_is_told_of),
        TEST(test_errors_of_an_end_go_to_the_hook),
        TEST(test_a_cycle_through_its_slots_is_closed_and_collected),
        TEST(test_threads_take_turns_on_one_stack),
        TEST(test_it_returns_in_the_thread_that_dropped_it),
        TEST(test_it_outlives_the_thread_that_began_it),
        TEST(test_sections_over_yields_do_not_lock_threads_out),
        TEST(test_no_memory_is_an_error_wherever_it_runs_out),
    };

    collector_enable(false);
    return run_attached(tests);
}
