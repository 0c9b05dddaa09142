/* test_run.c - whole programs of coroutines; what is left, and interrupts.
 *
 * Names in brackets are those of CPython's Lib/test/test_asyncio/test_runners.py (RUN) and
 * test_base_events.py (BE).
 */
#include "coroutines/async_generator.h"
#include "coroutines/gather.h"
#include "coroutines/run.h"
#include "coroutines/sleep.h"
#include "coroutines/tests/plays.h"

#include <pthread.h>

static const struct loop_hooks hooks = { .told = hear };

static struct object *run_play(struct play *p)
{
    struct object *coroutine = perform_play(p), *result;

    memset(&heard, 0, sizeof heard);
    *diary = '\0';
    result = run(coroutine, &hooks);
    decref(coroutine);
    play_end(p);
    assert_null(loop_running());
    return result;
}

static struct object *sleep_long(struct play *p)
{
    (void)p;
    return sleep_new(LONG_S * (int64_t)NS_PER_S, NULL);
}

/* ---- run_until_complete ---- */

static void test_run_until_complete(void **state) /* BE test_run_until_complete* */
{
    static const struct act acts[] = { { PASS }, { RETURN, .number = 3 } };
    static const struct act fails[] = { { RAISE, "x", .kind = &value_error } };
    struct object *loop = make_loop(), *coroutine, *result, *f;
    struct play p = { acts }, q = { fails };

    (void)state;
    coroutine = perform_play(&p);
    result = run_until_complete(loop, coroutine);
    assert_int_equal(int_value(result), 3);
    decref(result);
    decref(coroutine);
    coroutine = perform_play(&q);
    assert_error(!run_until_complete(loop, coroutine), &value_error, "x");
    decref(coroutine);
    f = future_new(loop);
    soon(loop, stopper());
    assert_error(!run_until_complete(loop, f), &runtime_error,
                 "Event loop stopped before Future completed.");
    assert_null(as_future(f)->first.act); /* its callback was taken back */
    assert_error(!run_until_complete(loop, loop), &type_error,
                 "An asyncio.Future, a coroutine or an awaitable is required");
    decref(f);
    end_loop(loop);
    loop = make_loop();
    assert_int_equal(loop_close(loop), 0);
    assert_refused(run_until_complete(loop, none()) ? 0 : -1, "Event loop is closed");
    decref(loop);
}

/* It made the task, and says itself that it did not end. */
static void test_run_until_complete_tells_of_its_task_once(void **state)
{
    static const struct act acts[] = { { AWAIT, .made = sleep_long }, { END } };
    struct object *loop = make_loop(), *coroutine;
    struct play p = { acts };

    (void)state;
    if (!collector_works())
        skip();
    coroutine = perform_play(&p);
    soon(loop, stopper());
    assert_error(!run_until_complete(loop, coroutine), &runtime_error,
                 "Event loop stopped before Future completed.");
    decref(coroutine);
    end_loop(loop);
    collect(GENERATION_ALL);
    live_blocks();
    assert_int_equal(heard.told, 0);
}

/* BE test_run_until_complete_baseexception: an interrupt leaves, and the loop can run again. */
static void test_run_until_complete_interrupt(void **state)
{
    static const struct act acts[] = { { RAISE, "", .kind = &keyboard_interrupt } };
    struct object *loop = make_loop(), *coroutine;
    struct play p = { acts };

    (void)state;
    coroutine = perform_play(&p);
    assert_null(run_until_complete(loop, coroutine));
    assert_raises(&keyboard_interrupt);
    soon(loop, noter("it runs again"));
    soon(loop, noter("and is not stopped"));
    turns(loop, 1);
    assert_diary("it runs again and is not stopped");
    decref(coroutine);
    end_loop(loop);
    assert_int_equal(heard.told, 0);
}

/* ---- run ---- */

static void test_run_returns_and_raises(void **state) /* RUN test_asyncio_run_return, _raises */
{
    static const struct act acts[] = { { PASS }, { RETURN, .number = 42 } };
    static const struct act fails[] = { { PASS }, { RAISE, "spam", .kind = &value_error } };
    struct object *result;
    struct play p = { acts }, q = { fails };

    (void)state;
    result = run_play(&p);
    assert_int_equal(int_value(result), 42);
    decref(result);
    assert_error(!run_play(&q), &value_error, "spam");
    assert_int_equal(heard.told, 0);
}

static void test_run_only_coroutines(void **state) /* RUN test_asyncio_run_only_coro */
{
    struct object *number = int_new(1);

    (void)state;
    assert_error(!run(number, NULL), &value_error, "a coroutine was expected, got 1");
    decref(number);
}

static int run_within(struct play *p)
{
    struct play inner = { p->acts };
    struct object *coroutine = perform_play(&inner);

    assert_null(run(coroutine, NULL));
    say(p, exception_message(exception_pending()));
    exception_restore(NULL);
    assert_int_equal(generator_close(coroutine, NULL), 0);
    decref(coroutine);
    return 0;
}

static void test_run_from_a_running_loop(void **state) /* RUN test_asyncio_run_from_running_loop */
{
    static const struct act acts[] = { { DO, .done = run_within }, { END } };
    struct play p = { acts };

    (void)state;
    assert_ptr_equal(run_play(&p), none());
    assert_diary("asyncio.run() cannot be called from a running event loop");
}

/* What main leaves behind. */
static struct play left[3];

static int leave_three(struct play *p)
{
    (void)p;
    for (int i = 0; i < 3; i++)
        decref(start(loop_running(), &left[i]));
    return 0;
}

static const struct act hangs[] = {
    { AWAIT, .made = sleep_long, .except = 2 },
    { END },
    { SAY_RAISED },
    { PASS },
    { SAY, "cleaned" },
    { AGAIN },
};
static const struct act fails_at_the_end[] = {
    { AWAIT, .made = sleep_long, .except = 1 },
    { RAISE, "late", .kind = &zero_division_error },
};
static const struct act leaves[] = {
    { DO, .done = leave_three }, { PASS }, { PASS }, { RETURN, .number = 1 }
};

/* RUN test_asyncio_run_cancels_hanging_tasks, _raising_hanging: they are waited for, what they
 * raise is told, and the result stays. */
static void test_run_cancels_hanging_tasks(void **state)
{
    struct play p = { leaves };
    struct object *result;

    (void)state;
    left[0] = (struct play){ hangs, "a" };
    left[1] = (struct play){ fails_at_the_end, "b" };
    left[2] = (struct play){ hangs, "c" };
    result = run_play(&p);
    assert_int_equal(int_value(result), 1);
    decref(result);
    assert_diary("a:CancelledError() c:CancelledError() a:cleaned c:cleaned");
    for (int i = 0; i < 3; i++)
        play_end(&left[i]);
    live_blocks();
    assert_heard(1, "unhandled exception during asyncio.run() shutdown", "ZeroDivisionError: late");
}

static const struct act leaves_and_fails[] = {
    { DO, .done = leave_three }, { PASS }, { PASS }, { RAISE, "main", .kind = &value_error }
};

static void test_run_cancels_what_is_left_of_one_that_failed(void **state)
{
    struct play p = { leaves_and_fails };

    (void)state;
    for (int i = 0; i < 3; i++)
        left[i] = (struct play){ hangs };
    assert_error(!run_play(&p), &value_error, "main");
    assert_diary("CancelledError() CancelledError() CancelledError() cleaned cleaned cleaned");
    for (int i = 0; i < 3; i++)
        play_end(&left[i]);
    live_blocks();
    assert_int_equal(heard.told, 0);
}

/* ---- asynchronous generators ---- */

enum { YIELDS, IN_FINALLY, AFTER };

/* Yields once; its finally block awaits a turn, and says so. With `bad` it raises there. */
static enum turn yield_once(struct frame *f, enum resume how, borrowed argument,
                            struct object **result)
{
    switch (f->at++) {
    case YIELDS:
        *result = none();
        return TURN_YIELD;
    case IN_FINALLY:
        note("finally");
        *result = sleep_new(0, NULL);
        f->reference[1] = incref(argument);
        return give_iterator(*result, result);
    default:
        note("closed");
        if (f->reference[0] != none())
            exception_set(&value_error, "bad");
        else
            exception_raise(incref(f->reference[1]));
        (void)how;
        return TURN_ERROR;
    }
}

static const struct body yield_body = {
    .name = "yield_once", .kind = ASYNC_GENERATOR, .resume = yield_once, .references = 2,
};

static struct object *kept; /* what a play has made; owned by the test */

static int make_generator(struct play *p)
{
    borrowed bad = p->number ? p->object : none();

    kept = async_generator_new(&yield_body, (borrowed[]){ bad }, 1);
    return kept ? 0 : -1;
}

static struct object *next_of_kept(struct play *p)
{
    (void)p;
    return async_generator_next(kept);
}

static int drop_kept(struct play *p)
{
    (void)p;
    decref(kept);
    kept = NULL;
    return 0;
}

/* BE test_asyncgen_finalization_by_gc: dropped, it is closed by a task of the loop. */
static void test_a_dropped_generator_is_closed_by_a_task(void **state)
{
    static const struct act acts[] = {
        { DO, .done = make_generator },
        { AWAIT, .made = next_of_kept },
        { SAY, "dropped" },
        { DO, .done = drop_kept },
        { PASS },
        { PASS },
        { PASS },
        { PASS },
        { SAY, "main" },
        { END },
    };
    struct play p = { acts };

    (void)state;
    if (RC_HAS_LATE)
        skip(); /* it is closed later, or in the end: the next test */
    assert_ptr_equal(run_play(&p), none());
    assert_diary("dropped finally closed main");
    assert_int_equal(heard.told, 0);
}

/* AG test_async_gen_asyncio_shutdown_01: what is left when main has ended is closed then. */
static void test_shutdown_closes_generators(void **state)
{
    static const struct act acts[] = {
        { DO, .done = make_generator },
        { AWAIT, .made = next_of_kept },
        { SAY, "main" },
        { END },
    };
    struct play p = { acts };

    (void)state;
    assert_ptr_equal(run_play(&p), none());
    assert_diary("main finally closed");
    assert_int_equal(heard.told, 0);
    decref(kept);
}

/* AG test_async_gen_asyncio_shutdown_exception_01: what it raises is told. */
static void test_shutdown_tells_what_generators_raise(void **state)
{
    static const struct act acts[] = {
        { DO, .done = make_generator },
        { AWAIT, .made = next_of_kept },
        { END },
    };
    struct object *bad = int_new(1);
    struct play p = { acts, .number = 1, .object = bad };

    (void)state;
    assert_ptr_equal(run_play(&p), none());
    assert_diary("finally closed");
    assert_heard(1, "an error occurred during closing of asynchronous generator",
                 "ValueError: bad");
    decref(kept);
    decref(bad);
}

static struct {
    _Atomic(struct object *) given; /* from one to the other */
    _Atomic bool closed, failed;
} shared;

static enum turn tell_closed(struct frame *f, enum resume how, borrowed argument,
                             struct object **result)
{
    (void)how;
    if (f->at++ == 0) {
        *result = none();
        return TURN_YIELD;
    }
    shared.failed |= !loop_running(); /* not on the thread that dropped it */
    shared.closed = true;
    return frame_raise(argument);
}

static const struct body tell_body = {
    .name = "tell_closed", .kind = ASYNC_GENERATOR, .resume = tell_closed,
};

static int make_teller(struct play *p)
{
    (void)p;
    kept = async_generator_new(&tell_body, NULL, 0);
    return kept ? 0 : -1;
}

static int give_away(struct play *p)
{
    (void)p;
    atomic_store_explicit(&shared.given, kept, memory_order_release);
    return 0;
}

static struct object *sleep_a_little(struct play *p)
{
    (void)p;
    return sleep_new(NS_PER_MS / 4, NULL);
}

static int look_if_closed(struct play *p)
{
    (void)p;
    if (!shared.closed)
        return 0;
    exception_set(&stop_iteration, "%s", "");
    return -1;
}

static void run_or_drop(struct thread *t, int index)
{
    static const struct act acts[] = {
        { DO, .done = make_teller },
        { AWAIT, .made = next_of_kept },
        { DO, .done = give_away },
        { AWAIT, .made = sleep_a_little },
        { DO, .done = look_if_closed, .except = 6 },
        { GO, .number = 3 },
        { END },
    };
    struct play p = { acts };
    struct object *coroutine, *result, *given = NULL;

    if (index == 0) {
        coroutine = perform_play(&p);
        result = run(coroutine, &hooks);
        shared.failed |= !result;
        decref(coroutine);
        play_end(&p);
        return;
    }
    while (index == 1 && !given) {
        given = atomic_load_explicit(&shared.given, memory_order_acquire);
        safepoint(t);
    }
    xdecref(given);
}

/* BE test_asyncgen_finalization_by_gc_in_other_thread */
static void test_a_generator_dropped_by_another_thread_is_closed_by_its_loop(void **state)
{
    (void)state;
    shared.given = NULL;
    shared.closed = shared.failed = false;
    run_threads(run_or_drop);
    assert_true(shared.closed);
    assert_false(shared.failed);
}

/* It outlives its loop, and is dropped when that has gone: nobody can await its end. */
static void test_a_generator_outlives_its_loop(void **state)
{
    static const struct act acts[] = { { DO, .done = make_generator },
                                       { AWAIT, .made = next_of_kept },
                                       { END } };
    struct object *loop = make_loop(), *task;
    struct play p = { acts };

    (void)state;
    task = start(loop, &p);
    run_ready(loop);
    assert_true(future_done(task));
    play_end(&p);
    decref(task);
    end_loop(loop);
    live_blocks();
    decref(kept);
    live_blocks();
    assert_true(strncmp(diary, "finally", strlen("finally")) == 0);
}

enum { GENERATORS = 40 };

static struct object *many[GENERATORS];

static struct object *next_of_many(struct play *p)
{
    many[p->number] = async_generator_new(&yield_body, (borrowed[]){ none() }, 1);
    return many[p->number] ? async_generator_next(many[p->number]) : NULL;
}

/* Every other one is closed on the way. */
static struct object *close_or_pass(struct play *p)
{
    int64_t number = p->number++;

    return number % 2 ? async_generator_close(many[number]) : sleep_new(0, NULL);
}

static int ask_if_done(struct play *p)
{
    if (p->number < GENERATORS)
        return 0;
    exception_set(&stop_iteration, "%s", "");
    return -1;
}

static void test_shutdown_closes_those_that_are_left_of_many(void **state)
{
    static const struct act acts[] = {
        { DO, .done = ask_if_done, .except = 4 },
        { AWAIT, .made = next_of_many },
        { AWAIT, .made = close_or_pass },
        { GO, .number = 0 },
        { END },
    };
    struct play p = { acts };
    int closed = 0;

    (void)state;
    assert_ptr_equal(run_play(&p), none());
    for (const char *at = diary; (at = strstr(at, "closed")); at++)
        closed++;
    assert_int_equal(closed, GENERATORS);
    for (int i = 0; i < GENERATORS; i++)
        decref(many[i]);
}

/* ---- interrupts ---- */

static int interrupt(struct play *p)
{
    (void)p;
    loop_interrupt(loop_running());
    return 0;
}

static struct object *run_on_loop(struct play *p)
{
    struct object *loop = make_loop(), *coroutine = perform_play(p), *result;

    result = run_on(loop, coroutine);
    assert_true(loop_is_closed(loop));
    decref(coroutine);
    decref(loop);
    play_end(p);
    return result;
}

/* RUN test_interrupt_wait: main waits; the first interrupt cancels it, and KeyboardInterrupt comes
 * of that. */
static void test_interrupt_wait(void **state)
{
    static const struct act acts[] = {
        { DO, .done = interrupt },
        { AWAIT, .made = sleep_long, .except = 3 },
        { END },
        { SAY_RAISED },
        { AGAIN },
    };
    struct play p = { acts };

    (void)state;
    assert_error(!run_on_loop(&p), &keyboard_interrupt, "");
    assert_diary("CancelledError()");
}

/* RUN test_interrupt_cancelled_task: main may catch it, and then its result stands. */
static void test_interrupt_that_is_caught(void **state)
{
    static const struct act acts[] = {
        { DO, .done = interrupt },
        { AWAIT, .made = sleep_long, .except = 2 },
        { RETURN, .number = 5 },
    };
    struct play p = { acts };
    struct object *result;

    (void)state;
    result = run_on_loop(&p);
    assert_int_equal(int_value(result), 5);
    decref(result);
}

/* The second one does not ask. */
static void test_interrupt_twice(void **state)
{
    static const struct act acts[] = {
        { DO, .done = interrupt },
        { AWAIT, .made = sleep_long, .except = 2 },
        { DO, .done = interrupt },
        { AWAIT, .made = sleep_long, .except = 4 },
        { SAY_RAISED },
        { AGAIN },
    };
    struct play p = { acts };

    (void)state;
    assert_error(!run_on_loop(&p), &keyboard_interrupt, "");
    assert_diary("CancelledError()"); /* by run, which cancels what is left */
}

/* Main is cancelled by itself and by the interrupt: CancelledError stays. */
static int cancel_current(struct play *p)
{
    (void)p;
    assert_int_equal(future_cancel(task_current(), NULL), 1);
    return 0;
}

static void test_interrupt_of_what_was_cancelled(void **state)
{
    static const struct act acts[] = {
        { DO, .done = interrupt },
        { AWAIT, .made = sleep_long, .except = 2 },
        { DO, .done = cancel_current },
        { AGAIN },
    };
    struct play p = { acts };

    (void)state;
    assert_error(!run_on_loop(&p), &cancelled_error, "");
}

struct interrupter {
    pthread_t os;
    struct thread *tester;
    borrowed loop;
};

/* Of no thread of the runtime, as a signal handler is none: it touches no object but the loop. */
static void *interrupt_when_it_waits(void *argument)
{
    struct interrupter *i = argument;

    while (atomic_load_explicit(&i->tester->state, memory_order_relaxed) != THREAD_DETACHED)
        usleep(100);
    loop_interrupt(i->loop);
    return NULL;
}

static void test_interrupt_by_another_thread(void **state)
{
    static const struct act acts[] = { { AWAIT, .made = sleep_long } };
    struct play p = { acts };
    struct object *loop = make_loop(), *coroutine = perform_play(&p);
    struct interrupter i = { .tester = thread_self, .loop = loop };

    (void)state;
    assert_int_equal(pthread_create(&i.os, NULL, interrupt_when_it_waits, &i), 0);
    assert_error(!run_on(loop, coroutine), &keyboard_interrupt, "");
    pthread_join(i.os, NULL);
    decref(coroutine);
    decref(loop);
}

/* ---- memory ---- */

static int leave_one(struct play *p)
{
    struct object *number = int_new((int64_t)(uintptr_t)&left[0]), *coroutine = NULL, *task = NULL;

    (void)p;
    if (number)
        coroutine = generator_new(&play_body, (borrowed[]){ number }, 1);
    if (coroutine)
        task = task_new(loop_running(), coroutine, NULL);
    xdecref(number);
    xdecref(coroutine);
    xdecref(task);
    return task ? 0 : -1;
}

static int session(void)
{
    static const struct act acts[] = { { DO, .done = leave_one }, { PASS }, { END } };
    struct play p = { acts };
    struct object *number = int_new((int64_t)(uintptr_t)&p), *coroutine = NULL, *result = NULL;
    struct object *pending;

    left[0] = (struct play){ hangs };
    *diary = '\0';
    if (number)
        coroutine = generator_new(&play_body, (borrowed[]){ number }, 1);
    if (coroutine)
        result = run(coroutine, &hooks);
    pending = exception_take();
    play_end(&p);
    xdecref(number);
    xdecref(coroutine);
    rc_quiesce();
    collect(GENERATION_ALL);
    play_end(&left[0]);
    if (!pending && !failure_waits())
        exception_set_no_memory();
    else
        exception_restore(pending);
    xdecref(result);
    return exception_pending() ? -1 : 0;
}

static void test_no_memory_is_an_error(void **state)
{
    (void)state;
    if (!collector_works())
        skip();
    fail_everywhere(session);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_run_until_complete),
        cmocka_unit_test(test_run_until_complete_tells_of_its_task_once),
        cmocka_unit_test(test_run_until_complete_interrupt),
        cmocka_unit_test(test_run_returns_and_raises),
        cmocka_unit_test(test_run_only_coroutines),
        cmocka_unit_test(test_run_from_a_running_loop),
        cmocka_unit_test(test_run_cancels_hanging_tasks),
        cmocka_unit_test(test_run_cancels_what_is_left_of_one_that_failed),
        cmocka_unit_test(test_a_dropped_generator_is_closed_by_a_task),
        cmocka_unit_test(test_shutdown_closes_generators),
        cmocka_unit_test(test_shutdown_tells_what_generators_raise),
        cmocka_unit_test(test_a_generator_dropped_by_another_thread_is_closed_by_its_loop),
        cmocka_unit_test(test_a_generator_outlives_its_loop),
        cmocka_unit_test(test_shutdown_closes_those_that_are_left_of_many),
        cmocka_unit_test(test_interrupt_wait),
        cmocka_unit_test(test_interrupt_that_is_caught),
        cmocka_unit_test(test_interrupt_twice),
        cmocka_unit_test(test_interrupt_of_what_was_cancelled),
        cmocka_unit_test(test_interrupt_by_another_thread),
        cmocka_unit_test(test_no_memory_is_an_error),
    };

    alarm(LONG_S);
    return run_attached(tests);
}
