/* test_hub.c - greenlets that wait: spawned, joined, killed, timed out; what wakes them and what
 * does not. What is expected is what gevent 22.10 does. */
#include "coroutines/greenlet.h"
#include "coroutines/hub_sync.h"
#include "coroutines/io.h"
#include "coroutines/run.h"
#include "coroutines/sleep.h"
#include "coroutines/tests/plays.h"
#include "objects/tuple.h"
#include "objects/warning.h"

#include <sched.h>

#ifdef GIL_TWIN
enum { TIMEOUT_S = 20 }; /* a twin may well wait for ever */
#else
enum { TIMEOUT_S = 100 };
#endif
enum { MS = NS_PER_MS, LONG_MS = 60000, MANY = 1000 };

#define LONG ((int64_t)LONG_MS * MS)

/* ---- what all need ---- */

static struct {
    int told;
    char what[120], where[60];
} told;

static void hear_unraisable(borrowed e, const char *where)
{
    told.told++;
    exception_write_chain(e, told.what, sizeof told.what);
    snprintf(told.where, sizeof told.where, "%s", where);
}

static const struct warning_hooks hooks = { .unraisable = hear_unraisable };

static void assert_told(int times, const char *what)
{
    assert_int_equal(told.told, times);
    if (times)
        assert_string_equal(told.what, what);
    memset(&told, 0, sizeof told);
}

static int set_up(void **state)
{
    (void)state;
    *diary = '\0';
    memset(&told, 0, sizeof told);
    warning_set_hooks(&hooks);
    return 0;
}

/* Nobody waits any more, and nothing waits to be called. */
static int tear_down(void **state)
{
    (void)state;
    assert_null(exception_pending());
    assert_int_equal(hub_waiting(), 0);
    if (hub_here) {
        assert_int_equal(hub_sleep_ns(0), 0); /* cancelled timers are forgotten in the next turn */
        assert_int_equal(loop_timers(hub_loop()), 0);
    }
    hub_end();
    assert_told(0, "");
    warning_set_hooks(NULL);
    return 0;
}

static struct object *spawn_with(native *body, borrowed argument)
{
    struct object *f = function_new("body", body, ARGUMENTS_ANY, NULL), *g;

    assert_non_null(f);
    g = hub_spawn(f, &argument, argument ? 1 : 0);
    decref(f);
    assert_non_null(g);
    return g;
}

static struct object *spawn(native *body)
{
    return spawn_with(body, NULL);
}

static void end(struct object *g /* steals */)
{
    assert_int_equal(hub_join(g, HUB_NEVER), 1);
    decref(g);
}

/* ---- bodies ---- */

#define BODY(name) \
    static struct object *name(borrowed closure, borrowed const *arguments, size_t count)
#define UNUSED (void)closure, (void)arguments, (void)count

BODY(say_argument)
{
    UNUSED;
    note(str_text(arguments[0]));
    return int_new((int64_t)strlen(str_text(arguments[0])));
}

static void say_pending(void)
{
    char text[120];

    snprintf(text, sizeof text, "%s(%s)", type_of(exception_pending())->name,
             exception_message(exception_pending()));
    note(text);
}

/* Sleeps for long; says what comes instead, and lets it pass. */
BODY(sleep_long)
{
    UNUSED;
    note("sleeps");
    if (hub_sleep_ns(LONG) == 0)
        return none();
    say_pending();
    return NULL;
}

BODY(raise_value_error)
{
    UNUSED;
    exception_set(&value_error, "wrong");
    return NULL;
}

/* Says its word, lets others go, says it again. */
BODY(say_twice)
{
    UNUSED;
    note(str_text(arguments[0]));
    if (hub_sleep_ns(0) < 0)
        return NULL;
    note(str_text(arguments[0]));
    return none();
}

static struct object *spawn_saying(native *body, const char *text)
{
    struct object *word = str_new(text), *g = spawn_with(body, word);

    decref(word);
    return g;
}

/* ---- spawn and join ---- */

static void test_spawned_begins_in_the_next_turn_in_order(void **state)
{
    struct object *a = spawn_saying(say_argument, "a"), *b = spawn_saying(say_argument, "bb");

    (void)state;
    assert_diary("");
    assert_int_equal(hub_join(b, HUB_NEVER), 1);
    assert_diary("a bb");
    assert_result(a, 1);
    assert_result(b, 2);
    assert_int_equal(hub_join(a, 0), 1);
    assert_repr(a, "<Greenlet finished result=1>");
    decref(a);
    decref(b);
}

static void test_sleeping_for_no_time_lets_all_others_go_first(void **state)
{
    struct object *a = spawn_saying(say_twice, "a"), *b = spawn_saying(say_twice, "b");

    (void)state;
    assert_int_equal(hub_join_all((borrowed[]){ a, b }, 2, HUB_NEVER), 1);
    assert_diary("a b a b");
    decref(a);
    decref(b);
}

static uint64_t sleep_begins_ns; /* of all, whenever they begin */

BODY(sleep_and_say)
{
    uint64_t until_ns = sleep_begins_ns + (uint64_t)int_value(arguments[0]) * MS;

    UNUSED;
    if (hub_sleep_ns((int64_t)(until_ns - clock_ns())) < 0)
        return NULL;
    note(int_value(arguments[0]) == 100 ? "early" : "late");
    return none();
}

static struct object *spawn_sleeper(int64_t ms)
{
    struct object *number = int_new(ms), *g = spawn_with(sleep_and_say, number);

    decref(number);
    return g;
}

static void test_sleepers_wake_in_the_order_of_their_deadlines(void **state)
{
    struct object *late, *early;

    (void)state;
    sleep_begins_ns = clock_ns();
    late = spawn_sleeper(300);
    early = spawn_sleeper(100);
    end(late);
    assert_true(clock_ns() - sleep_begins_ns >= 300 * MS);
    assert_diary("early late");
    assert_int_equal(hub_join(early, 0), 1);
    decref(early);
}

static void test_join_with_a_deadline_ends_no_greenlet(void **state)
{
    struct object *g = spawn(sleep_long);

    (void)state;
    assert_int_equal(hub_join(g, clock_ns() + 2 * MS), 0);
    assert_int_equal(hub_join(g, 1), 0);
    assert_int_equal(hub_join_all(&(borrowed){ g }, 1, clock_ns() + 1 * MS), 0);
    assert_false(future_done(g));
    assert_null(hub_get(g, clock_ns() + 1 * MS));
    assert_true(exception_matches(&greenlet_timeout));
    exception_restore(NULL);
    assert_int_equal(hub_kill(g, NULL, true), 0);
    assert_diary("sleeps GreenletExit()");
    decref(g);
}

static void test_get_returns_what_it_returned_or_raises_what_it_raised(void **state)
{
    struct object *a = spawn_saying(say_argument, "a"), *b = spawn(raise_value_error), *result;

    (void)state;
    result = hub_get(a, HUB_NEVER);
    assert_int_equal(int_value(result), 1);
    decref(result);
    /* b has ended in the same turn, and nobody waited for it */
    assert_told(1, "ValueError: wrong");
    assert_error(!hub_get(b, HUB_NEVER), &value_error, "wrong");
    decref(a);
    decref(b);
}

static void test_what_nobody_waits_for_is_told_at_once(void **state)
{
    (void)state;
    decref(spawn(raise_value_error));
    assert_int_equal(hub_sleep_ns(0), 0);
    assert_string_equal(told.where, "Greenlet");
    assert_told(1, "ValueError: wrong");
}

static void test_what_somebody_waits_for_is_not_told(void **state)
{
    struct object *g = spawn(raise_value_error);

    (void)state;
    assert_int_equal(hub_join(g, HUB_NEVER), 1);
    assert_error(!future_result(g), &value_error, "wrong");
    decref(g);
}

static void test_who_waits_for_several_waits_for_each(void **state)
{
    struct object *first = spawn_saying(say_twice, "a"), *g = spawn(raise_value_error);

    (void)state;
    assert_int_equal(hub_join_all((borrowed[]){ first, g }, 2, HUB_NEVER), 1);
    assert_diary("a a");
    assert_told(0, "");
    decref(g); /* but nobody has asked */
    settle_heap();
    assert_string_equal(told.where, "Future exception was never retrieved");
    assert_told(1, "ValueError: wrong");
    decref(first);
}

static void test_a_link_is_called_when_it_has_ended(void **state)
{
    struct object *g = spawn_saying(say_argument, "body"), *link = noter("link");

    (void)state;
    assert_int_equal(future_add_done_callback(g, link), 0);
    end(g);
    assert_int_equal(hub_sleep_ns(0), 0);
    assert_diary("body link");
    decref(link);
}

static void test_what_one_forgets_runs_to_its_end(void **state)
{
    (void)state;
    decref(spawn_saying(say_twice, "a"));
    assert_int_equal(hub_sleep_ns(0), 0);
    assert_int_equal(hub_sleep_ns(0), 0);
    assert_diary("a a");
}

/* Any greenlet may wait, not only those of hub_spawn. */
static void test_a_greenlet_that_was_not_spawned_waits_as_well(void **state)
{
    struct object *f = function_new("body", say_twice, ARGUMENTS_ANY, NULL);
    struct object *g = greenlet_new(f, NULL), *word = str_new("raw"), *value;

    (void)state;
    decref(hub_self());
    greenlet_switch(g, word); /* it waits; the hub comes to nothing, so it is None that it says */
    value = NULL;
    while (!greenlet_dead(g))
        assert_int_equal(hub_sleep_ns(0), 0);
    assert_diary("raw raw");
    (void)value;
    decref(word);
    decref(g);
    decref(f);
}

/* ---- kill ---- */

static void test_kill_raises_where_it_waits_and_waits_for_its_end(void **state)
{
    struct object *g = spawn(sleep_long), *value;

    (void)state;
    assert_int_equal(hub_sleep_ns(0), 0);
    assert_int_equal(hub_kill(g, NULL, true), 0);
    assert_diary("sleeps GreenletExit()");
    assert_true(future_done(g));
    value = future_result(g);
    assert_ptr_equal(type_of(value), &greenlet_exit);
    decref(value);
    assert_int_equal(hub_kill(g, NULL, true), 0);
    decref(g);
}

static void test_kill_without_waiting_comes_in_the_next_turn(void **state)
{
    struct object *g = spawn(sleep_long);

    (void)state;
    assert_int_equal(hub_sleep_ns(0), 0);
    assert_int_equal(hub_kill(g, NULL, false), 0);
    assert_false(future_done(g));
    assert_diary("sleeps");
    assert_int_equal(hub_sleep_ns(0), 0);
    assert_true(future_done(g));
    assert_diary("GreenletExit()");
    decref(g);
}

static void test_one_that_is_killed_before_it_begins_never_runs(void **state)
{
    struct object *g = spawn_saying(say_argument, "never"), *value;

    (void)state;
    assert_int_equal(hub_kill(g, NULL, true), 0);
    assert_true(future_done(g));
    assert_int_equal(hub_sleep_ns(0), 0);
    assert_diary("");
    value = future_result(g);
    assert_ptr_equal(type_of(value), &greenlet_exit);
    decref(value);
    decref(g);
}

static void test_kill_by_another_exception_is_an_error(void **state)
{
    struct object *g = spawn(sleep_long), *never = spawn(sleep_long);

    (void)state;
    assert_int_equal(hub_kill(never, exception_new(&value_error, "early"), true), 0);
    assert_told(1, "ValueError: early");
    assert_int_equal(hub_sleep_ns(0), 0);
    assert_int_equal(hub_kill(g, exception_new(&value_error, "late"), true), 0);
    assert_diary("sleeps ValueError(late)");
    assert_error(!future_result(g), &value_error, "late");
    assert_error(!future_result(never), &value_error, "early");
    decref(g);
    decref(never);
}

BODY(ignore_one)
{
    UNUSED;
    if (hub_sleep_ns(LONG) < 0) {
        say_pending();
        exception_restore(NULL);
    }
    if (hub_sleep_ns(2 * MS) < 0)
        return NULL;
    note("ends");
    return int_new(7);
}

static void test_one_that_ignores_it_is_waited_for_all_the_same(void **state)
{
    struct object *g = spawn(ignore_one);

    (void)state;
    assert_int_equal(hub_sleep_ns(0), 0);
    assert_int_equal(hub_kill(g, NULL, true), 0);
    assert_diary("GreenletExit() ends");
    assert_result(g, 7);
    decref(g);
}

static struct object *self;

BODY(kill_self)
{
    UNUSED;
    assert_int_equal(hub_kill(self, NULL, true), -1);
    say_pending();
    return NULL;
}

static void test_one_may_kill_itself(void **state)
{
    (void)state;
    self = spawn(kill_self);
    end(self);
    assert_diary("GreenletExit()");
}

static void test_to_cancel_the_future_is_to_kill(void **state)
{
    struct object *g = spawn(sleep_long);

    (void)state;
    assert_int_equal(hub_sleep_ns(0), 0);
    assert_int_equal(future_cancel(g, NULL), 1);
    assert_int_equal(hub_join(g, HUB_NEVER), 1);
    assert_diary("sleeps GreenletExit()");
    assert_int_equal(future_cancel(g, NULL), 0);
    decref(g);
}

/* ---- timeouts ---- */

static void test_a_timeout_is_raised_where_it_waits(void **state)
{
    struct hub_timeout t;

    (void)state;
    assert_int_equal(hub_timeout_begin(&t, 2 * MS, NULL), 0);
    assert_int_equal(hub_sleep_ns(LONG), -1);
    assert_true(exception_matches(&greenlet_timeout));
    assert_string_equal(exception_message(exception_pending()), "0.002 seconds");
    assert_int_equal(hub_timeout_end(&t), 1);
    assert_null(exception_pending());
    assert_int_equal(hub_sleep_ns(0), 0);
}

static void test_a_second_is_not_seconds(void **state)
{
    struct hub_timeout t;

    (void)state;
    assert_int_equal(hub_timeout_begin(&t, NS_PER_S, NULL), 0);
    assert_string_equal(exception_message(t.exception), "1 second");
    assert_int_equal(hub_timeout_end(&t), 0);
}

static void test_a_timeout_ends_with_its_block(void **state)
{
    struct hub_timeout t;

    (void)state;
    assert_int_equal(hub_timeout_begin(&t, 1 * MS, NULL), 0);
    assert_int_equal(hub_timeout_end(&t), 0);
    assert_int_equal(hub_sleep_ns(3 * MS), 0);
}

static void spin_ns(uint64_t ns)
{
    uint64_t end_ns = clock_ns() + ns;

    while (clock_ns() < end_ns)
        ;
}

static void test_a_timeout_comes_to_who_waits_only(void **state)
{
    struct hub_timeout t;

    (void)state;
    assert_int_equal(hub_timeout_begin(&t, 1 * MS, NULL), 0);
    spin_ns(2 * MS);
    assert_null(exception_pending());
    assert_int_equal(hub_timeout_end(&t), 0);
    assert_int_equal(hub_timeout_begin(&t, 1 * MS, NULL), 0);
    spin_ns(2 * MS);
    assert_int_equal(hub_sleep_ns(LONG), -1); /* at its first wait */
    assert_int_equal(hub_timeout_end(&t), 1);
}

static void nest(int64_t outer_ns, int64_t inner_ns, int expected_inner, int expected_outer)
{
    struct hub_timeout outer, inner;

    assert_int_equal(hub_timeout_begin(&outer, outer_ns, NULL), 0);
    assert_int_equal(hub_timeout_begin(&inner, inner_ns, NULL), 0);
    assert_int_equal(hub_sleep_ns(LONG), -1);
    assert_int_equal(hub_timeout_end(&inner), expected_inner);
    assert_int_equal(exception_pending() != NULL, expected_outer);
    assert_int_equal(hub_timeout_end(&outer), expected_outer);
}

static void test_nested_timeouts_are_each_their_own(void **state)
{
    (void)state;
    nest(LONG, 1 * MS, 1, 0);
    nest(1 * MS, LONG, 0, 1);
}

static void test_a_timeout_may_raise_what_one_likes(void **state)
{
    struct hub_timeout t;

    (void)state;
    assert_int_equal(hub_timeout_begin(&t, 0, exception_new(&value_error, "too late")), 0);
    assert_error(hub_sleep_ns(LONG) < 0, &value_error, "too late");
    assert_int_equal(hub_timeout_end(&t), 0); /* it has been handled before */
}

static struct object *event;

BODY(wait_with_timeout)
{
    struct hub_timeout t;
    int result;

    UNUSED;
    assert_int_equal(hub_timeout_begin(&t, 2 * MS, NULL), 0);
    result = hub_event_wait(event, HUB_NEVER);
    if (hub_timeout_end(&t))
        note("timeout");
    else
        note(result == 1 ? "set" : "?");
    return none();
}

static void test_a_greenlet_has_its_own_timeouts(void **state)
{
    struct object *a, *b;

    (void)state;
    event = hub_event_new();
    sleep_begins_ns = clock_ns() + 300 * MS;
    a = spawn(wait_with_timeout);
    b = spawn_sleeper(10);
    end(b);
    end(a);
    assert_diary("timeout late");
    a = spawn(wait_with_timeout);
    assert_int_equal(hub_sleep_ns(0), 0);
    hub_event_set(event);
    end(a);
    assert_diary("set");
    decref(event);
}

/* ---- LoopExit ---- */

static void assert_loop_exit(int result)
{
    assert_error(result < 0, &loop_exit, "This operation would block forever");
}

static void test_where_nothing_can_wake_it_main_gets_loop_exit(void **state)
{
    struct object *g;

    (void)state;
    event = hub_event_new();
    assert_loop_exit(hub_event_wait(event, HUB_NEVER));
    assert_int_equal(hub_sleep_ns(1 * MS), 0); /* and the hub works */
    g = spawn(wait_with_timeout);
    assert_loop_exit(hub_event_wait(event, HUB_NEVER)); /* only after that one's time */
    assert_diary("timeout");
    end(g);
    decref(event);
}

BODY(wait_for_event)
{
    UNUSED;
    if (hub_event_wait(event, HUB_NEVER) < 0) {
        say_pending();
        return NULL;
    }
    note("set");
    return none();
}

static void test_a_deadlock_of_greenlets_is_seen(void **state)
{
    struct object *g;

    (void)state;
    event = hub_event_new();
    g = spawn(wait_for_event);
    assert_loop_exit(hub_join(g, HUB_NEVER));
    assert_int_equal(hub_waiting(), 1);
    hub_event_set(event); /* it still waits, and can be helped */
    end(g);
    assert_diary("set");
    decref(event);
}

static void test_a_descriptor_that_is_watched_is_no_deadlock(void **state)
{
    struct hub_timeout t;
    int ends[2];

    (void)state;
    assert_int_equal(pipe(ends), 0);
    assert_int_equal(hub_timeout_begin(&t, 2 * MS, NULL), 0);
    assert_int_equal(hub_wait_file(ends[0], READABLE), -1);
    assert_int_equal(hub_timeout_end(&t), 1);
    assert_false(loop_watches(hub_loop(), ends[0], READABLE));
    close(ends[0]);
    close(ends[1]);
}

/* ---- wake-ups by another thread ---- */

static struct {
    struct gil *gil;
    struct object *loop, *set;
} outside;

static struct object *set_event(borrowed closure, borrowed const *arguments, size_t count)
{
    UNUSED;
    hub_event_set(event);
    assert_int_equal(hub_expect(-1), 0);
    return none();
}

static void *wake_from_outside(void *unused)
{
    struct thread t = { .locks_containers = !RC_NEEDS_GIL };

    (void)unused;
    if (thread_start(&t, outside.gil, &object_hooks) < 0)
        abort();
    if (loop_call_soon_threadsafe(outside.loop, outside.set, NULL) < 0)
        abort();
    thread_stop(&t);
    return NULL;
}

static void test_an_announced_wake_up_is_waited_for(void **state)
{
    pthread_t thread;

    (void)state;
    event = hub_event_new();
    outside.gil = thread_self->gil;
    outside.loop = incref(hub_loop());
    outside.set = function_new("set", set_event, ARGUMENTS_ANY, NULL);
    publish(outside.loop);
    publish(outside.set);
    assert_int_equal(hub_expect(1), 0);
    if (RC_NEEDS_GIL) /* another attached thread would be the accident that the lab measures */
        assert_int_equal(loop_call_soon(hub_loop(), outside.set, NULL), 0);
    else
        pthread_create(&thread, NULL, wake_from_outside, NULL);
    assert_int_equal(hub_event_wait(event, HUB_NEVER), 1);
    if (!RC_NEEDS_GIL) {
        thread_detach(thread_self);
        pthread_join(thread, NULL);
        thread_attach(thread_self);
    }
    assert_loop_exit((hub_event_clear(event), hub_event_wait(event, HUB_NEVER)));
    decref(outside.set);
    decref(outside.loop);
    decref(event);
}

/* ---- futures, tasks ---- */

BODY(set_future)
{
    UNUSED;
    note("sets");
    finish(arguments[0], 3);
    return none();
}

static void test_a_future_is_an_async_result(void **state)
{
    struct object *f = future_new(hub_loop()), *g = spawn_with(set_future, f), *result;

    (void)state;
    result = hub_get(f, HUB_NEVER);
    assert_int_equal(int_value(result), 3);
    assert_diary("sets");
    decref(result);
    decref(f);
    end(g);
}

static void test_a_future_of_another_loop_is_refused(void **state)
{
    struct object *loop = make_loop(), *f = future_new(loop);

    (void)state;
    assert_error(hub_join(f, HUB_NEVER) < 0, &value_error,
                 "The future belongs to a different loop than the hub's");
    decref(f);
    end_loop(loop);
}

static void test_a_greenlet_waits_for_a_task_and_a_task_for_a_greenlet(void **state)
{
    struct object *g = spawn_saying(say_twice, "greenlet"), *task;
    const struct act acts[] = { { AWAIT, .object = g }, { SAY, "task" }, { RETURN, .number = 5 } };
    struct play p = { acts };
    struct object *result;

    (void)state;
    task = start(hub_loop(), &p);
    result = hub_get(task, HUB_NEVER);
    assert_int_equal(int_value(result), 5);
    assert_diary("greenlet greenlet task");
    decref(result);
    decref(task);
    decref(g);
    play_end(&p);
}

/* Its own loop, in the middle of the hub's: as in a thread, but the hub's do not run. */
BODY(run_a_loop)
{
    struct object *coroutine = sleep_new(1 * MS, NULL), *result;

    UNUSED;
    assert_null(loop_running());
    result = run(coroutine, NULL);
    decref(coroutine);
    assert_null(loop_running());
    note("ran");
    return result;
}

static void test_a_greenlet_may_run_a_loop_of_its_own(void **state)
{
    (void)state;
    end(spawn(run_a_loop));
    assert_diary("ran");
}

/* ---- misuse ---- */

BODY(wait_in_callback)
{
    UNUSED;
    if (hub_sleep_ns(LONG) < 0)
        say_pending();
    exception_restore(NULL);
    return none();
}

static void test_what_the_loop_calls_cannot_wait(void **state)
{
    struct object *f = function_new("callback", wait_in_callback, ARGUMENTS_ANY, NULL);

    (void)state;
    soon(hub_loop(), f);
    assert_int_equal(hub_sleep_ns(0), 0);
    assert_diary("BlockingSwitchOutError(Impossible to call blocking function in the event loop "
                 "callback)");
}

static struct object *raw, *main_greenlet;

BODY(wait_raw)
{
    UNUSED;
    if (hub_sleep_ns(LONG) < 0)
        say_pending();
    exception_restore(NULL);
    return none();
}

static void test_a_switch_that_nobody_waits_for_is_an_error(void **state)
{
    struct object *f = function_new("raw", wait_raw, ARGUMENTS_ANY, NULL);

    (void)state;
    decref(hub_self());
    main_greenlet = greenlet_current();
    raw = greenlet_new(f, NULL);
    decref(f);
    assert_int_equal(hub_switch_soon(main_greenlet), 0);
    xdecref(greenlet_switch(raw, NULL));
    xdecref(greenlet_switch(raw, NULL));
    assert_true(greenlet_dead(raw));
    assert_diary("InvalidSwitchError(Invalid switch into a greenlet that waits)");
    decref(main_greenlet);
    decref(raw);
}

/* ---- system errors ---- */

BODY(interrupt)
{
    UNUSED;
    exception_set(&keyboard_interrupt, "%s", "");
    return NULL;
}

static void test_an_interrupt_is_raised_in_the_main_greenlet(void **state)
{
    struct object *g = spawn(interrupt);

    (void)state;
    assert_error(hub_sleep_ns(LONG) < 0, &keyboard_interrupt, "");
    assert_told(1, "KeyboardInterrupt");
    assert_error(!future_result(g), &keyboard_interrupt, "");
    assert_int_equal(hub_sleep_ns(0), 0);
    decref(g);
}

/* ---- events, semaphores, queues ---- */

static void test_an_event_wakes_all_that_wait(void **state)
{
    struct object *a, *b;

    (void)state;
    event = hub_event_new();
    a = spawn(wait_for_event);
    b = spawn(wait_for_event);
    assert_int_equal(hub_sleep_ns(0), 0);
    hub_event_set(event);
    hub_event_clear(event);
    assert_diary("");
    assert_int_equal(hub_join_all((borrowed[]){ a, b }, 2, HUB_NEVER), 1);
    assert_diary("set set");
    assert_int_equal(hub_event_wait(event, clock_ns() + MS), 0);
    assert_int_equal(hub_event_wait(event, 0), 0);
    decref(a);
    decref(b);
    decref(event);
}

static struct object *semaphore;

BODY(acquire)
{
    UNUSED;
    if (hub_semaphore_acquire(semaphore, HUB_NEVER) < 0)
        return NULL;
    note(str_text(arguments[0]));
    return none();
}

static void test_a_semaphore_lets_so_many_in(void **state)
{
    struct object *a, *b, *c;

    (void)state;
    semaphore = hub_semaphore_new(1);
    a = spawn_saying(acquire, "a");
    b = spawn_saying(acquire, "b");
    c = spawn_saying(acquire, "c");
    assert_int_equal(hub_sleep_ns(1 * MS), 0);
    assert_diary("a");
    hub_semaphore_release(semaphore);
    assert_int_equal(hub_sleep_ns(1 * MS), 0);
    assert_diary("b");
    hub_semaphore_release(semaphore);
    end(c);
    end(b);
    end(a);
    assert_diary("c");
    assert_int_equal(hub_semaphore_value(semaphore), 0);
    assert_int_equal(hub_semaphore_acquire(semaphore, clock_ns() + MS), 0);
    decref(semaphore);
}

/* Woken, and killed before it goes on: the next one gets what it would have taken. */
static void test_what_was_given_to_one_that_is_killed_is_not_lost(void **state)
{
    struct object *a, *b;

    (void)state;
    semaphore = hub_semaphore_new(0);
    a = spawn_saying(acquire, "a");
    b = spawn_saying(acquire, "b");
    assert_int_equal(hub_sleep_ns(0), 0);
    assert_int_equal(hub_kill(a, NULL, false), 0);
    hub_semaphore_release(semaphore);
    end(b);
    assert_diary("b");
    end(a);
    decref(semaphore);
}

static struct object *queue;

enum { ITEMS = 5, MOST = 2 };

BODY(produce)
{
    UNUSED;
    for (int i = 0; i < ITEMS; i++) {
        struct object *item = int_new(i);
        int result = item ? hub_queue_put(queue, item, HUB_NEVER) : -1;

        xdecref(item);
        if (result < 0)
            return NULL;
        note("put");
    }
    return none();
}

BODY(consume)
{
    int64_t sum = 0;

    UNUSED;
    for (int i = 0; i < ITEMS; i++) {
        struct object *item;
        char text[12];

        if (hub_queue_get(queue, &item, HUB_NEVER) < 0)
            return NULL;
        snprintf(text, sizeof text, "got%d", (int)int_value(item));
        note(text);
        sum += int_value(item);
        decref(item);
    }
    return int_new(sum);
}

static void test_a_producer_waits_for_its_consumer_and_the_other_way_round(void **state)
{
    struct object *producer, *consumer, *item;

    (void)state;
    queue = hub_queue_new(MOST);
    producer = spawn(produce);
    consumer = spawn(consume);
    end(producer);
    assert_int_equal(hub_join(consumer, HUB_NEVER), 1);
    assert_result(consumer, 10);
    decref(consumer);
    assert_diary("put put got0 got1 put put got2 got3 put got4");
    assert_int_equal(hub_queue_get(queue, &item, clock_ns() + MS), 0);
    decref(queue);
}

static void test_a_queue_that_dies_drops_what_is_in_it(void **state)
{
    struct object *item = int_new(1);

    (void)state;
    queue = hub_queue_new(0);
    for (int i = 0; i < ITEMS; i++)
        assert_int_equal(hub_queue_put(queue, item, 0), 1);
    assert_int_equal(hub_queue_length(queue), ITEMS);
    assert_int_equal(exact_count(item), 1 + ITEMS);
    decref(queue);
    settle_heap();
    assert_int_equal(exact_count(item), 1);
    decref(item);
}

/* ---- descriptors ---- */

static int pair[2];

static void make_pair(void)
{
    int size_bytes = 1;

    assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM, 0, pair), 0);
    for (int i = 0; i < 2; i++)
        setsockopt(pair[i], SOL_SOCKET, SO_SNDBUF, &size_bytes, sizeof size_bytes);
}

static void close_pair(void)
{
    close(pair[0]);
    close(pair[1]);
}

BODY(read_one)
{
    char data[8] = "";

    UNUSED;
    if (io_read(pair[0], data, sizeof data - 1) < 0) {
        say_pending();
        exception_restore(NULL);
        return none();
    }
    note(data);
    return none();
}

static void test_two_readers_of_one_descriptor_are_refused(void **state)
{
    struct object *a, *b;

    (void)state;
    make_pair();
    a = spawn(read_one);
    b = spawn(read_one);
    end(b);
    assert_diary("ConcurrentObjectUseError(This socket is already used by another greenlet)");
    assert_int_equal(io_write(pair[1], "x", 1), 0);
    end(a); /* the first one goes on unharmed */
    assert_diary("x");
    close_pair();
}

enum { BIG_BYTES = 1 << 18 };

static char big[BIG_BYTES];

BODY(write_big)
{
    UNUSED;
    return io_write(pair[0], big, sizeof big) < 0 ? NULL : none();
}

static void test_a_reader_and_a_writer_of_one_descriptor_are_two(void **state)
{
    struct object *reader, *writer;
    static char data[BIG_BYTES];

    (void)state;
    make_pair();
    reader = spawn(read_one);
    writer = spawn(write_big);
    assert_int_equal(hub_sleep_ns(0), 0);
    assert_int_equal(io_write(pair[1], "x", 1), 0);
    end(reader);
    assert_diary("x");
    assert_false(future_done(writer));
    assert_int_equal(io_read_all(pair[1], data, sizeof data), BIG_BYTES);
    end(writer);
    close_pair();
}

/* The bytes that come after are the next reader's. */
static void test_a_reader_that_is_killed_takes_nothing(void **state)
{
    struct object *g;

    (void)state;
    make_pair();
    g = spawn(read_one);
    assert_int_equal(hub_sleep_ns(0), 0);
    assert_int_equal(hub_kill(g, NULL, true), 0);
    decref(g);
    assert_diary("GreenletExit()");
    assert_false(loop_watches(hub_loop(), pair[0], READABLE));
    assert_int_equal(io_write(pair[1], "x", 1), 0);
    end(spawn(read_one));
    assert_diary("x");
    close_pair();
}

/* ---- the end ---- */

static void test_at_the_end_who_waits_gets_greenlet_exit(void **state)
{
    struct object *a = spawn(sleep_long), *b = spawn(wait_for_event), *never, *value;

    (void)state;
    event = hub_event_new();
    assert_int_equal(hub_sleep_ns(0), 0);
    never = spawn_saying(say_argument, "never");
    hub_end();
    assert_diary("sleeps GreenletExit() GreenletExit()");
    assert_true(future_done(a));
    value = future_result(a);
    assert_ptr_equal(type_of(value), &greenlet_exit);
    decref(value);
    assert_true(future_done(b));
    assert_false(future_done(never));
    decref(a);
    decref(b);
    decref(never);
    decref(event);
}

BODY(wait_again)
{
    UNUSED;
    for (int i = 0; i < 2; i++)
        if (hub_sleep_ns(LONG) < 0) {
            say_pending();
            exception_restore(NULL);
        }
    note("ends");
    return none();
}

static void test_at_the_end_nobody_can_wait_again(void **state)
{
    struct object *g = spawn(wait_again);

    (void)state;
    assert_int_equal(hub_sleep_ns(0), 0);
    hub_end();
    assert_diary("GreenletExit() GreenletExit() ends");
    decref(g);
}

static void test_a_raw_greenlet_that_waits_is_ended_as_well(void **state)
{
    struct object *f = function_new("raw", wait_raw, ARGUMENTS_ANY, NULL), *g;

    (void)state;
    main_greenlet = greenlet_current();
    assert_int_equal(hub_switch_soon(main_greenlet), 0);
    g = greenlet_new(f, NULL);
    decref(f);
    xdecref(greenlet_switch(g, NULL));
    assert_int_equal(hub_waiting(), 1);
    hub_end();
    assert_true(greenlet_dead(g));
    assert_diary("GreenletExit()");
    decref(main_greenlet);
    decref(g);
}

/* Each has a hub of its own, and leaves a greenlet that waits. */
static _Atomic int exits; /* atomic */

BODY(sleep_until_exit)
{
    UNUSED;
    if (hub_sleep_ns(LONG) < 0 && exception_matches(&greenlet_exit))
        atomic_fetch_add(&exits, 1);
    return NULL;
}

static void leave_one_waiting(struct thread *t, int index)
{
    struct object *f = function_new("sleeper", sleep_until_exit, ARGUMENTS_ANY, NULL);
    struct object *g = f ? hub_spawn(f, NULL, 0) : NULL;

    (void)t, (void)index;
    if (!g || hub_sleep_ns(1 * MS) < 0 || hub_waiting() != 1)
        abort();
    decref(f);
    decref(g);
}

static void test_a_thread_that_ends_ends_its_hub(void **state)
{
    (void)state;
    atomic_store(&exits, 0);
    run_threads(leave_one_waiting);
    assert_int_equal(atomic_load(&exits), TEST_THREADS);
}

/* Its last wait, like the first, is ended by the hub: so the hub is ended before the greenlets are.
 */
BODY(wait_again_at_exit)
{
    UNUSED;
    for (int i = 0; i < 2; i++) {
        if (hub_sleep_ns(LONG) < 0 && exception_matches(&greenlet_exit))
            atomic_fetch_add(&exits, 1);
        exception_restore(NULL);
    }
    return none();
}

static void leave_one_that_waits_again(void)
{
    struct object *f = function_new("sleeper", wait_again_at_exit, ARGUMENTS_ANY, NULL);
    struct object *g = f ? hub_spawn(f, NULL, 0) : NULL;

    if (!g || hub_sleep_ns(1 * MS) < 0 || hub_waiting() != 1)
        abort();
    decref(f);
    decref(g);
}

static void leave_a_second_hub(void)
{
    leave_one_that_waits_again();
    hub_end();
    greenlet_close();
    leave_one_that_waits_again();
}

/* A thread of the system that is one of the runtime twice, and leaves what it has each time. */
static struct {
    struct gil *gil;
    void (*live)(void);
    int hubs_left;
} lives;

static void *live_twice(void *unused)
{
    (void)unused;
    for (int i = 0; i < 2; i++) {
        struct thread self = { .locks_containers = !RC_NEEDS_GIL };

        if (thread_start(&self, lives.gil, &object_hooks) < 0)
            abort();
        lives.live();
        thread_stop(&self);
        lives.hubs_left += hub_here != NULL;
    }
    return NULL;
}

static void assert_ends_its_hubs(void (*live)(void), int expected_exits)
{
    uint64_t leaked = greenlets_leaked();
    pthread_t thread;

    atomic_store(&exits, 0);
    lives.gil = thread_self->gil;
    lives.live = live;
    lives.hubs_left = 0;
    thread_detach(thread_self);
    if (pthread_create(&thread, NULL, live_twice, NULL) != 0)
        abort();
    pthread_join(thread, NULL);
    thread_attach(thread_self);
    assert_int_equal(lives.hubs_left, 0);
    assert_int_equal(atomic_load(&exits), expected_exits);
    assert_int_equal(greenlets_leaked(), leaked);
}

static void test_a_thread_that_lives_twice_ends_each_hub(void **state)
{
    (void)state;
    assert_ends_its_hubs(leave_one_that_waits_again, 4);
}

static void test_a_hub_after_all_was_closed_is_ended_before_the_greenlets(void **state)
{
    (void)state;
    assert_ends_its_hubs(leave_a_second_hub, 8);
}

/* ---- many ---- */

static struct { int fd[2]; } many[MANY];
static int echoed;

BODY(echo_server)
{
    int fd = many[int_value(arguments[0])].fd[1];
    char data[16];
    int64_t got;

    UNUSED;
    while ((got = io_read(fd, data, sizeof data)) > 0)
        if (hub_sleep_ns((int_value(arguments[0]) % 7) * MS / 2) < 0 ||
            io_write(fd, data, (size_t)got) < 0)
            return NULL;
    return got < 0 ? NULL : none();
}

BODY(echo_client)
{
    int number = (int)int_value(arguments[0]), fd = many[number].fd[0];
    char text[16], back[16];

    UNUSED;
    for (int i = 0; i < 3; i++) {
        size_t size_bytes = (size_t)snprintf(text, sizeof text, "%d:%d", number, i);

        if (hub_sleep_ns((number % 5) * MS / 2) < 0 || io_write(fd, text, size_bytes) < 0 ||
            io_read_all(fd, back, size_bytes) != (int64_t)size_bytes)
            return NULL;
        echoed += memcmp(text, back, size_bytes) == 0;
    }
    shutdown(fd, SHUT_WR);
    return none();
}

/* A half each way; all at once. */
static void test_a_thousand_greenlets_sleep_and_echo(void **state)
{
    static struct object *greenlet[2 * MANY];
    enum { PAIRS = MANY / 2 };

    (void)state;
    echoed = 0;
    for (int i = 0; i < PAIRS; i++) {
        struct object *number = int_new(i);

        assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM, 0, many[i].fd), 0);
        greenlet[2 * i] = spawn_with(echo_server, number);
        greenlet[2 * i + 1] = spawn_with(echo_client, number);
        decref(number);
    }
    assert_int_equal(hub_join_all((borrowed const *)greenlet, MANY, HUB_NEVER), 1);
    assert_int_equal(echoed, 3 * PAIRS);
    for (int i = 0; i < PAIRS; i++) {
        close(many[i].fd[0]);
        close(many[i].fd[1]);
        decref(greenlet[2 * i]);
        decref(greenlet[2 * i + 1]);
    }
}

/* ---- memory ---- */

static int run_session(native *one, native *two)
{
    struct object *f = function_new("one", one, ARGUMENTS_ANY, NULL), *a = NULL, *b = NULL;
    struct object *second = f ? function_new("two", two, ARGUMENTS_ANY, NULL) : NULL;
    int result = -1;

    if (second && (a = hub_spawn(f, NULL, 0)) && (b = hub_spawn(second, NULL, 0)))
        result = hub_join_all((borrowed[]){ a, b }, 2, HUB_NEVER) < 0 ? -1 : 0;
    for (int i = 0; result == 0 && i < 2; i++) {
        struct object *value = future_result(i ? b : a);

        result = value ? 0 : -1;
        xdecref(value);
    }
    if (result < 0 && !exception_matches(&memory_error)) { /* it was told, or the other got it */
        exception_restore(NULL);
        exception_set_no_memory();
    }
    if (result < 0) {
        struct object *e = exception_take();

        hub_end();
        exception_restore(e);
    }
    hub_end();
    xdecref(f);
    xdecref(second);
    xdecref(a);
    xdecref(b);
    memset(&told, 0, sizeof told);
    return result;
}

static int queue_session(void)
{
    int result;

    queue = hub_queue_new(MOST);
    if (!queue)
        return -1;
    result = run_session(produce, consume);
    decref(queue);
    *diary = '\0';
    return result;
}

BODY(sleep_in_block)
{
    struct hub_timeout t;
    int result;

    UNUSED;
    if (hub_timeout_begin(&t, 1 * MS, NULL) < 0)
        return NULL;
    result = hub_sleep_ns(LONG);
    if (hub_timeout_end(&t))
        result = 0;
    return result < 0 ? NULL : none();
}

BODY(read_pair)
{
    char data[4];

    UNUSED;
    return io_read_all(pair[0], data, 4) < 0 ? NULL : none();
}

/* Whatever happens, the reader comes to an end. */
BODY(write_pair)
{
    bool failed;

    UNUSED;
    failed = hub_sleep_ns(0) < 0 || io_write(pair[1], "ab", 2) < 0 || hub_sleep_ns(1 * MS) < 0 ||
             io_write(pair[1], "cd", 2) < 0;
    shutdown(pair[1], SHUT_WR);
    return failed ? NULL : none();
}

static int sleep_session(void)
{
    return run_session(sleep_in_block, sleep_in_block);
}

static int io_session(void)
{
    int result;

    make_pair();
    result = run_session(read_pair, write_pair);
    close_pair();
    return result;
}

static void test_every_allocation_failing(void **state)
{
    (void)state;
    hub_end();
    fail_everywhere(sleep_session);
    fail_everywhere(queue_session);
    fail_everywhere(io_session);
}

static void test_to_wake_needs_no_memory(void **state)
{
    struct object *a;

    (void)state;
    event = hub_event_new();
    a = spawn(wait_for_event);
    assert_int_equal(hub_sleep_ns(0), 0);
    fail_allocation(1);
    hub_event_set(event);
    assert_true(failure_waits());
    fail_allocation(0);
    end(a);
    assert_diary("set");
    decref(event);
}

#define with_hub(test) cmocka_unit_test_setup_teardown(test, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        with_hub(test_spawned_begins_in_the_next_turn_in_order),
        with_hub(test_sleeping_for_no_time_lets_all_others_go_first),
        with_hub(test_sleepers_wake_in_the_order_of_their_deadlines),
        with_hub(test_join_with_a_deadline_ends_no_greenlet),
        with_hub(test_get_returns_what_it_returned_or_raises_what_it_raised),
        with_hub(test_what_nobody_waits_for_is_told_at_once),
        with_hub(test_what_somebody_waits_for_is_not_told),
        with_hub(test_who_waits_for_several_waits_for_each),
        with_hub(test_a_link_is_called_when_it_has_ended),
        with_hub(test_what_one_forgets_runs_to_its_end),
        with_hub(test_a_greenlet_that_was_not_spawned_waits_as_well),
        with_hub(test_kill_raises_where_it_waits_and_waits_for_its_end),
        with_hub(test_kill_without_waiting_comes_in_the_next_turn),
        with_hub(test_one_that_is_killed_before_it_begins_never_runs),
        with_hub(test_kill_by_another_exception_is_an_error),
        with_hub(test_one_that_ignores_it_is_waited_for_all_the_same),
        with_hub(test_one_may_kill_itself),
        with_hub(test_to_cancel_the_future_is_to_kill),
        with_hub(test_a_timeout_is_raised_where_it_waits),
        with_hub(test_a_second_is_not_seconds),
        with_hub(test_a_timeout_ends_with_its_block),
        with_hub(test_a_timeout_comes_to_who_waits_only),
        with_hub(test_nested_timeouts_are_each_their_own),
        with_hub(test_a_timeout_may_raise_what_one_likes),
        with_hub(test_a_greenlet_has_its_own_timeouts),
        with_hub(test_where_nothing_can_wake_it_main_gets_loop_exit),
        with_hub(test_a_deadlock_of_greenlets_is_seen),
        with_hub(test_a_descriptor_that_is_watched_is_no_deadlock),
        with_hub(test_an_announced_wake_up_is_waited_for),
        with_hub(test_a_future_is_an_async_result),
        with_hub(test_a_future_of_another_loop_is_refused),
        with_hub(test_a_greenlet_waits_for_a_task_and_a_task_for_a_greenlet),
        with_hub(test_a_greenlet_may_run_a_loop_of_its_own),
        with_hub(test_what_the_loop_calls_cannot_wait),
        with_hub(test_a_switch_that_nobody_waits_for_is_an_error),
        with_hub(test_an_interrupt_is_raised_in_the_main_greenlet),
        with_hub(test_an_event_wakes_all_that_wait),
        with_hub(test_a_semaphore_lets_so_many_in),
        with_hub(test_what_was_given_to_one_that_is_killed_is_not_lost),
        with_hub(test_a_producer_waits_for_its_consumer_and_the_other_way_round),
        with_hub(test_a_queue_that_dies_drops_what_is_in_it),
        with_hub(test_two_readers_of_one_descriptor_are_refused),
        with_hub(test_a_reader_and_a_writer_of_one_descriptor_are_two),
        with_hub(test_a_reader_that_is_killed_takes_nothing),
        with_hub(test_at_the_end_who_waits_gets_greenlet_exit),
        with_hub(test_at_the_end_nobody_can_wait_again),
        with_hub(test_a_raw_greenlet_that_waits_is_ended_as_well),
        with_hub(test_a_thread_that_ends_ends_its_hub),
        with_hub(test_a_thread_that_lives_twice_ends_each_hub),
        with_hub(test_a_hub_after_all_was_closed_is_ended_before_the_greenlets),
        with_hub(test_a_thousand_greenlets_sleep_and_echo),
        with_hub(test_every_allocation_failing),
        with_hub(test_to_wake_needs_no_memory),
    };

    alarm(TIMEOUT_S); /* a wait that never ends ends the program */
    return run_attached(tests);
}
