/* test_timeout.c - blocks that are to end by a deadline.
 *
 * Names in brackets are those of CPython's Lib/test/test_asyncio/test_timeouts.py.
 */
#include "coroutines/sleep.h"
#include "coroutines/tests/plays.h"
#include "coroutines/timeout.h"

/* Of the play that runs: in acts, `enter` begins a block and `leave` ends it, with what was caught,
 * or without. They nest. */
static struct object *timeout[3];
static int64_t delay_ns[3];
static uint64_t given_ns; /* a deadline that the test has chosen for all; 0: none */
static int depth;

static int enter(struct play *p)
{
    (void)p;
    if (given_ns)
        timeout[depth] = timeout_at(given_ns);
    else
        timeout[depth] =
            delay_ns[depth] < 0 ? timeout_at(TIMEOUT_NEVER) : timeout_after(delay_ns[depth]);
    assert_non_null(timeout[depth]);
    if (timeout_enter(timeout[depth]) < 0)
        return -1;
    depth++;
    return 0;
}

static int leave(struct play *p)
{
    struct object *caught = p->caught;
    int result;

    p->caught = NULL;
    exception_restore(caught);
    depth--;
    result = timeout_exit(timeout[depth]);
    note(timeout_expired(timeout[depth]) ? "expired" : "left");
    decref(timeout[depth]);
    return result;
}

static struct object *sleep_long(struct play *p)
{
    (void)p;
    return sleep_new(LONG_S * (int64_t)NS_PER_S, NULL);
}

/* Runs a play to its end; the task. */
static struct object *run_play(borrowed loop, struct play *p)
{
    struct object *task = start(loop, p), *done = stopper();

    assert_int_equal(future_add_done_callback(task, done), 0);
    decref(done);
    assert_int_equal(loop_run_forever(loop), 0);
    play_end(p);
    assert_int_equal(depth, 0);
    return task;
}

static const struct act sleeps_too_long[] = {
    { DO, .done = enter },
    { AWAIT, .made = sleep_long, .except = 2 },
    { DO, .done = leave, .except = 4 },
    { RETURN, .number = 1 },
    { SAY_RAISED },
    { AGAIN },
};

/* TO test_timeout_basic, _at_basic, test_waiter_cancelled, test_outer_task_is_not_cancelled */
static void test_timeout_basic(void **state)
{
    struct object *loop = make_loop(), *task;
    struct play p = { sleeps_too_long };

    (void)state;
    delay_ns[0] = 2 * NS_PER_MS;
    task = run_play(loop, &p);
    assert_diary("expired TimeoutError()");
    assert_false(future_cancelled(task));
    assert_fails(task, &timeout_error, "");
    assert_int_equal(task_cancelling(task), 0);
    decref(task);
    end_loop(loop);
}

static void test_timeout_zero(void **state) /* TO test_timeout_zero, test_timeout_in_the_past */
{
    struct object *loop = make_loop(), *task, *cause, *e;
    struct play p = { sleeps_too_long };

    (void)state;
    delay_ns[0] = 0;
    task = run_play(loop, &p);
    assert_diary("expired TimeoutError()");
    e = future_exception(task);
    cause = exception_cause(e);
    assert_ptr_equal(type_of(cause), &cancelled_error); /* test_timeout_exception_cause */
    decref(cause);
    decref(e);
    decref(task);
    end_loop(loop);
}

static const struct act passes[] = {
    { DO, .done = enter },   { PASS, .except = 2 }, { DO, .done = leave, .except = 4 },
    { RETURN, .number = 1 }, { SAY_RAISED },        { AGAIN },
};

static void test_timeout_not_called(void **state) /* TO test_timeout_not_called, _disabled */
{
    struct object *loop = make_loop(), *task;
    struct play p = { passes };

    (void)state;
    for (int never = 0; never < 2; never++) {
        delay_ns[0] = never ? -1 : LONG_S * (int64_t)NS_PER_S;
        task = run_play(loop, &p);
        assert_diary("left");
        assert_result(task, 1);
        turns(loop, 1);
        assert_int_equal(loop_timers(loop), 0);
        decref(task);
    }
    end_loop(loop);
}

/* TO test_timeout_zero_sleep_zero, test_timeout_in_the_past_sleep_zero: it comes before a task that
 * has only let the others go on. */
static void test_timeout_zero_sleep_zero(void **state)
{
    struct object *loop = make_loop(), *task;
    struct play p = { passes };

    (void)state;
    for (int past = 0; past < 2; past++) {
        delay_ns[0] = 0;
        given_ns = past ? clock_ns() - NS_PER_MS : 0;
        task = run_play(loop, &p);
        assert_diary("expired TimeoutError()");
        assert_fails(task, &timeout_error, "");
        decref(task);
    }
    given_ns = 0;
    end_loop(loop);
}

/* TO test_timeout_at_basic, _at_disabled, test_repr_* */
static int look_at_it(struct play *p)
{
    char text[80], last;
    double seconds;

    (void)p;
    object_repr(timeout[0], text, sizeof text);
    if (delay_ns[0] < 0) {
        assert_true(timeout_when_ns(timeout[0]) == TIMEOUT_NEVER);
        assert_string_equal(text, "<Timeout [active] when=None>");
        return 0;
    }
    assert_int_equal(sscanf(text, "<Timeout [active] when=%lf%c", &seconds, &last), 2);
    assert_int_equal(last, '>');
    assert_true(seconds * NS_PER_S >= (double)timeout_when_ns(timeout[0]) - NS_PER_MS &&
                seconds * NS_PER_S <= (double)timeout_when_ns(timeout[0]) + NS_PER_MS);
    incref(timeout[0]); /* for what comes after it */
    return 0;
}

static void assert_timeout_says(const char *expected)
{
    assert_repr(timeout[0], expected);
    decref(timeout[0]);
}

static void test_repr(void **state) /* TO test_repr_active, _expired, _finished, _disabled */
{
    static const struct act expires[] = {
        { DO, .done = enter },
        { DO, .done = look_at_it },
        { AWAIT, .made = sleep_long, .except = 3 },
        { DO, .done = leave, .except = 4 },
        { END },
    };
    static const struct act ends[] = {
        { DO, .done = enter }, { DO, .done = look_at_it }, { DO, .done = leave }, { END }
    };
    struct object *loop = make_loop();
    struct play p = { expires }, q = { ends }, r = { ends };

    (void)state;
    delay_ns[0] = NS_PER_MS;
    decref(run_play(loop, &p));
    assert_refused(timeout_reschedule(timeout[0], 0), /* TO test_timeout_expired */
                   "Cannot change state of expired Timeout");
    assert_timeout_says("<Timeout [expired]>");
    delay_ns[0] = LONG_NS;
    decref(run_play(loop, &q));
    assert_timeout_says("<Timeout [finished]>");
    delay_ns[0] = -1;
    decref(run_play(loop, &r));
    assert_diary("expired left left");
    end_loop(loop);
}

/* 12.0, 12.3, 12.345 as Python writes them. */
static int look_at_seconds(struct play *p)
{
    static const uint64_t ms[] = { 9000000000000, 9000000000300, 9000000000345 };
    static const char *const said[] = { "9000000000.0", "9000000000.3", "9000000000.345" };
    char expected[80];

    (void)p;
    for (int i = 0; i < 3; i++) {
        assert_int_equal(timeout_reschedule(timeout[0], ms[i] * NS_PER_MS), 0);
        snprintf(expected, sizeof expected, "<Timeout [active] when=%s>", said[i]);
        assert_repr(timeout[0], expected);
    }
    return 0;
}

static void test_repr_rounds(void **state)
{
    static const struct act acts[] = {
        { DO, .done = enter }, { DO, .done = look_at_seconds }, { DO, .done = leave }, { END }
    };
    struct object *loop = make_loop();
    struct play p = { acts };

    (void)state;
    delay_ns[0] = LONG_NS;
    decref(run_play(loop, &p));
    assert_diary("left");
    end_loop(loop);
}

static int divide(struct play *p)
{
    (void)p;
    exception_set(&zero_division_error, "division by zero");
    return -1;
}

/* TO test_foreign_exception_on_timeout: what the block's clean-up raises is what comes. */
static void test_foreign_exception_on_timeout(void **state)
{
    static const struct act acts[] = {
        { DO, .done = enter },
        { AWAIT, .made = sleep_long, .except = 2 },
        { DO, .done = divide, .except = 3 },
        { DO, .done = leave, .except = 4 },
        { SAY_RAISED },
        { AGAIN },
    };
    struct object *loop = make_loop(), *task;
    struct play p = { acts };

    (void)state;
    delay_ns[0] = NS_PER_MS;
    task = run_play(loop, &p);
    assert_diary("expired ZeroDivisionError(division by zero)");
    assert_fails(task, &zero_division_error, "division by zero");
    decref(task);
    end_loop(loop);
}

static int forget_caught(struct play *p)
{
    xdecref(p->caught);
    p->caught = NULL;
    return 0;
}

static int reschedule_expiring(struct play *p)
{
    assert_refused(timeout_reschedule(timeout[0], 0), "Cannot change state of expiring Timeout");
    return forget_caught(p);
}

/* TO test_timeout_expiring: the block has swallowed what came; then it has ended well. */
static void test_timeout_expiring(void **state)
{
    static const struct act acts[] = {
        { DO, .done = enter },
        { AWAIT, .made = sleep_long, .except = 2 },
        { DO, .done = reschedule_expiring },
        { DO, .done = leave },
        { RETURN, .number = 5 },
    };
    struct object *loop = make_loop(), *task;
    struct play p = { acts };

    (void)state;
    delay_ns[0] = NS_PER_MS;
    task = run_play(loop, &p);
    assert_diary("expired");
    assert_result(task, 5);
    assert_int_equal(task_cancelling(task), 0);
    decref(task);
    end_loop(loop);
}

/* TO test_enter_exit_with_error: another error passes as it is. */
static void test_another_error_passes(void **state)
{
    static const struct act acts[] = {
        { DO, .done = enter },
        { RAISE, "bad", .kind = &value_error, .except = 2 },
        { DO, .done = leave, .except = 3 },
        { SAY_RAISED },
        { AGAIN },
    };
    struct object *loop = make_loop(), *task;
    struct play p = { acts };

    (void)state;
    delay_ns[0] = LONG_NS;
    task = run_play(loop, &p);
    assert_diary("left ValueError(bad)");
    assert_fails(task, &value_error, "bad");
    decref(task);
    end_loop(loop);
}

static int reschedule_past(struct play *p)
{
    (void)p;
    assert_int_equal(timeout_reschedule(timeout[0], clock_ns()), 0);
    assert_false(timeout_expired(timeout[0]));
    return 0;
}

/* TO test_nested_timeouts: each raises for itself, the inner one first. The outer one expires while
 * the inner one is long left. */
static void test_nested_timeouts(void **state)
{
    static const struct act acts[] = {
        { DO, .done = enter },
        { DO, .done = enter },
        { AWAIT, .made = sleep_long, .except = 3 },
        { DO, .done = leave, .except = 4 },
        { SAY_RAISED },
        { DO, .done = reschedule_past },
        { AWAIT, .made = sleep_long, .except = 7 },
        { DO, .done = leave, .except = 8 },
        { SAY_RAISED },
        { END },
    };
    struct object *loop = make_loop(), *task;
    struct play p = { acts };

    (void)state;
    delay_ns[0] = LONG_S * (int64_t)NS_PER_S;
    delay_ns[1] = 1 * NS_PER_MS;
    task = run_play(loop, &p);
    assert_diary("expired TimeoutError() expired TimeoutError()");
    assert_int_equal(task_cancelling(task), 0);
    decref(task);
    end_loop(loop);
}

static int expire_both(struct play *p)
{
    uint64_t until_ns = clock_ns() + 2 * NS_PER_MS;

    (void)p;
    while (clock_ns() < until_ns)
        ;
    return 0;
}

/* TO test_nested_timeouts: both have the same deadline, and only the outer one says so. */
static void test_nested_timeouts_of_one_deadline(void **state)
{
    static const struct act acts[] = {
        { DO, .done = enter },
        { DO, .done = enter },
        { AWAIT, .made = sleep_long, .except = 3 },
        { DO, .done = leave, .except = 4 },
        { SAY_RAISED },
        { DO, .done = leave, .except = 6 },
        { SAY_RAISED },
        { END },
    };
    struct object *loop = make_loop(), *task;
    struct play p = { acts };

    (void)state;
    given_ns = clock_ns() + NS_PER_MS;
    task = run_play(loop, &p);
    given_ns = 0;
    assert_diary("expired CancelledError() expired TimeoutError()");
    assert_int_equal(task_cancelling(task), 0);
    decref(task);
    end_loop(loop);
}

/* TO test_nested_timeouts_loop_busy: the inner one expires alone, by a loop that is late; then the
 * outer one ends what comes after it. */
static void test_nested_timeouts_loop_busy(void **state)
{
    static const struct act acts[] = {
        { DO, .done = enter },
        { DO, .done = enter },
        { DO, .done = expire_both },
        { AWAIT, .made = sleep_long, .except = 4 },
        { DO, .done = leave, .except = 5 },
        { SAY_RAISED },
        { AWAIT, .made = sleep_long, .except = 7 },
        { DO, .done = leave, .except = 8 },
        { SAY_RAISED },
        { END },
    };
    struct object *loop = make_loop(), *task;
    struct play p = { acts };

    (void)state;
    delay_ns[0] = 200 * NS_PER_MS; /* so long that only the inner one has come in that turn */
    delay_ns[1] = NS_PER_MS;
    task = run_play(loop, &p);
    if (strcmp(diary, "expired CancelledError() expired TimeoutError()") == 0)
        *diary = '\0'; /* the machine was as late as that: then it is the case of above */
    else
        assert_diary("expired TimeoutError() expired TimeoutError()");
    assert_int_equal(task_cancelling(task), 0);
    decref(task);
    end_loop(loop);
}

/* Both expire in one turn: the outer one says so. TO test_nested_timeouts_concurrent */
static void test_nested_timeouts_concurrent(void **state)
{
    static const struct act acts[] = {
        { DO, .done = enter },
        { DO, .done = enter },
        { DO, .done = expire_both },
        { AWAIT, .made = sleep_long, .except = 4 },
        { DO, .done = leave, .except = 5 },
        { SAY_RAISED },
        { DO, .done = leave, .except = 7 },
        { SAY_RAISED },
        { END },
    };
    struct object *loop = make_loop(), *task;
    struct play p = { acts };

    (void)state;
    delay_ns[0] = NS_PER_MS;
    delay_ns[1] = NS_PER_MS / 2;
    task = run_play(loop, &p);
    assert_diary("expired CancelledError() expired TimeoutError()");
    assert_int_equal(task_cancelling(task), 0);
    decref(task);
    end_loop(loop);
}

static int cancel_current(struct play *p)
{
    (void)p;
    assert_int_equal(future_cancel(task_current(), NULL), 1);
    return 0;
}

/* TO test_foreign_cancel_doesnt_timeout_if_not_expired */
static void test_foreign_cancel_if_not_expired(void **state)
{
    static const struct act acts[] = {
        { DO, .done = enter },
        { DO, .done = cancel_current },
        { AWAIT, .made = sleep_long, .except = 3 },
        { DO, .done = leave, .except = 4 },
        { SAY_RAISED },
        { AGAIN },
    };
    struct object *loop = make_loop(), *task;
    struct play p = { acts };

    (void)state;
    delay_ns[0] = LONG_NS;
    task = run_play(loop, &p);
    assert_diary("left CancelledError()");
    assert_true(future_cancelled(task));
    decref(task);
    end_loop(loop);
}

/* It expires, and somebody else cancels as well: uncancel does not reach what it was, and
 * CancelledError stays. TO test_foreign_cancel_does_timeout_if_... , test_nested_timeout_in_finally
 */
static void test_foreign_cancel_when_it_expires(void **state)
{
    static const struct act acts[] = {
        { DO, .done = enter },
        { AWAIT, .made = sleep_long, .except = 2 },
        { DO, .done = cancel_current },
        { DO, .done = leave, .except = 4 },
        { SAY_RAISED },
        { AGAIN },
    };
    struct object *loop = make_loop(), *task;
    struct play p = { acts };

    (void)state;
    delay_ns[0] = NS_PER_MS;
    task = run_play(loop, &p);
    assert_diary("expired CancelledError()");
    assert_int_equal(task_cancelling(task), 1);
    decref(task);
    end_loop(loop);
}

/* TO test_timeout_... : a request that was there before it was entered is not its business. */
static int ignore_request(struct play *p)
{
    (void)p;
    return 0;
}

static void test_a_request_from_before_does_not_count(void **state)
{
    static const struct act acts[] = {
        { DO, .done = cancel_current },
        { PASS, .except = 2 },
        { DO, .done = ignore_request },
        { DO, .done = enter },
        { AWAIT, .made = sleep_long, .except = 5 },
        { DO, .done = leave, .except = 6 },
        { SAY_RAISED },
        { END },
    };
    struct object *loop = make_loop(), *task;
    struct play p = { acts };

    (void)state;
    delay_ns[0] = NS_PER_MS;
    task = run_play(loop, &p);
    assert_diary("expired TimeoutError()");
    assert_int_equal(task_cancelling(task), 1);
    decref(task);
    end_loop(loop);
}

/* TO test_cancel_in_timeout_after_cancellation: a second request, in the block, is the task's. */
static void test_cancel_in_timeout_after_cancellation(void **state)
{
    static const struct act acts[] = {
        { DO, .done = cancel_current },
        { PASS, .except = 2 },
        { DO, .done = forget_caught },
        { DO, .done = enter },
        { DO, .done = cancel_current },
        { AWAIT, .made = sleep_long, .except = 6 },
        { DO, .done = leave, .except = 7 },
        { SAY_RAISED },
        { AGAIN },
    };
    struct object *loop = make_loop(), *task;
    struct play p = { acts };

    (void)state;
    delay_ns[0] = LONG_NS;
    task = run_play(loop, &p);
    assert_diary("left CancelledError()");
    assert_true(future_cancelled(task));
    assert_int_equal(task_cancelling(task), 2);
    decref(task);
    end_loop(loop);
}

static int reschedule_twice(struct play *p)
{
    uint64_t later_ns = timeout_when_ns(timeout[0]) + LONG_NS;

    assert_int_equal(timeout_reschedule(timeout[0], later_ns), 0);
    assert_true(timeout_when_ns(timeout[0]) == later_ns);
    assert_int_equal(timeout_reschedule(timeout[0], TIMEOUT_NEVER), 0);
    assert_true(timeout_when_ns(timeout[0]) == TIMEOUT_NEVER);
    return cancel_current(p);
}

static void test_reschedule(void **state) /* TO test_reschedule: and the task is cancelled */
{
    static const struct act acts[] = {
        { DO, .done = enter },
        { DO, .done = reschedule_twice },
        { AWAIT, .made = sleep_long, .except = 3 },
        { DO, .done = leave, .except = 4 },
        { AGAIN },
    };
    struct object *loop = make_loop(), *task;
    struct play p = { acts };

    (void)state;
    delay_ns[0] = LONG_NS;
    task = run_play(loop, &p);
    assert_diary("left");
    assert_cancelled(task);
    decref(task);
    end_loop(loop);
}

static int reschedule_never(struct play *p)
{
    (void)p;
    assert_int_equal(timeout_reschedule(timeout[0], TIMEOUT_NEVER), 0);
    assert_true(timeout_when_ns(timeout[0]) == TIMEOUT_NEVER);
    return 0;
}

static void test_rescheduled(void **state) /* TO test_timeout_reschedule*, _rescheduled_to_none */
{
    static const struct act sooner[] = {
        { DO, .done = enter },
        { DO, .done = reschedule_past },
        { AWAIT, .made = sleep_long, .except = 3 },
        { DO, .done = leave, .except = 4 },
        { SAY_RAISED },
        { END },
    };
    static const struct act never[] = {
        { DO, .done = enter },
        { DO, .done = reschedule_never },
        { DO, .done = expire_both },
        { PASS, .except = 5 },
        { PASS, .except = 5 },
        { DO, .done = leave, .except = 7 },
        { END },
        { SAY_RAISED },
        { END },
    };
    struct object *loop = make_loop(), *task;
    struct play p = { sooner }, q = { never };

    (void)state;
    delay_ns[0] = LONG_NS;
    task = run_play(loop, &p);
    assert_diary("expired TimeoutError()");
    decref(task);
    delay_ns[0] = NS_PER_MS;
    task = run_play(loop, &q);
    assert_diary("left");
    decref(task);
    end_loop(loop);
}

static int misuse(struct play *p)
{
    struct object *t = timeout_after(0);

    (void)p;
    assert_refused(timeout_reschedule(t, 0), "Timeout has not been entered");
    assert_repr(t, "<Timeout [created]>");
    assert_int_equal(timeout_enter(t), 0);
    assert_refused(timeout_enter(t), "Timeout has already been entered");
    assert_int_equal(timeout_exit(t), 0);
    assert_refused(timeout_reschedule(t, 0), "Cannot change state of finished Timeout");
    assert_refused(timeout_enter(t), "Timeout has already been entered");
    decref(t);
    note("misused");
    return 0;
}

static void test_misuse(void **state) /* TO test_timeout_already_entered, _not_entered, ... */
{
    static const struct act acts[] = { { DO, .done = misuse }, { END } };
    struct object *loop = make_loop(), *t = timeout_after(0), *task;
    struct play p = { acts };

    (void)state;
    assert_refused(timeout_enter(t), "Timeout should be used inside a task");
    decref(t);
    task = run_play(loop, &p);
    assert_diary("misused");
    decref(task);
    end_loop(loop);
}

/* TO test_nested_timeout_in_finally: the first block has expired; a second one in its clean-up is a
 * block of its own. */
static void test_timeout_in_finally(void **state)
{
    static const struct act acts[] = {
        { DO, .done = enter },
        { AWAIT, .made = sleep_long, .except = 2 },
        { DO, .done = enter },
        { AWAIT, .made = sleep_long, .except = 4 },
        { DO, .done = leave, .except = 5 },
        { SAY_RAISED },
        { AGAIN, .except = 7 },
        { DO, .done = leave, .except = 8 },
        { SAY_RAISED },
        { END },
    };
    struct object *loop = make_loop(), *task;
    struct play p = { acts };

    (void)state;
    delay_ns[0] = delay_ns[1] = NS_PER_MS;
    task = run_play(loop, &p);
    assert_diary("expired TimeoutError() expired TimeoutError()");
    assert_int_equal(task_cancelling(task), 0);
    decref(task);
    end_loop(loop);
}

static int session_turns(struct object *loop, struct object *task)
{
    for (int i = 0; i < 50 && !future_done(task); i++) {
        loop_stop(loop);
        if (loop_run_forever(loop) < 0)
            return -1;
    }
    return 0;
}

static int enter_or_fail(struct play *p)
{
    (void)p;
    timeout[0] = timeout_after(0);
    return timeout[0] ? timeout_enter(timeout[0]) : -1;
}

static int leave_or_fail(struct play *p)
{
    struct object *caught = p->caught;

    p->caught = NULL;
    exception_restore(caught);
    return timeout_exit(timeout[0]);
}

static int session(void)
{
    static const struct act acts[] = {
        { DO, .done = enter_or_fail },
        { AWAIT, .made = sleep_long, .except = 2 },
        { DO, .done = leave_or_fail, .except = 3, .catches = &timeout_error },
        { END },
    };
    struct play p = { acts };
    struct object *loop = loop_new(), *number = NULL, *coroutine = NULL, *task = NULL, *pending;
    struct object *result = NULL;

    timeout[0] = NULL;
    if (loop && (number = int_new((int64_t)(uintptr_t)&p)))
        coroutine = generator_new(&play_body, (borrowed[]){ number }, 1);
    if (coroutine)
        task = task_new(loop, coroutine, NULL);
    if (task && session_turns(loop, task) == 0)
        result = future_result(task);
    pending = exception_take();
    play_end(&p);
    if (loop)
        assert_int_equal(loop_close(loop), 0);
    xdecref(timeout[0]);
    xdecref(number);
    xdecref(coroutine);
    xdecref(task);
    xdecref(loop);
    rc_quiesce();
    collect(GENERATION_ALL);
    if (!pending && !result)
        exception_set_no_memory();
    xdecref(result);
    if (!pending && !failure_waits()) {
        exception_set_no_memory();
        return -1;
    }
    exception_restore(pending);
    return pending ? -1 : 0;
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
        cmocka_unit_test(test_timeout_basic),
        cmocka_unit_test(test_timeout_zero),
        cmocka_unit_test(test_timeout_zero_sleep_zero),
        cmocka_unit_test(test_timeout_not_called),
        cmocka_unit_test(test_repr),
        cmocka_unit_test(test_repr_rounds),
        cmocka_unit_test(test_foreign_exception_on_timeout),
        cmocka_unit_test(test_timeout_expiring),
        cmocka_unit_test(test_another_error_passes),
        cmocka_unit_test(test_nested_timeouts),
        cmocka_unit_test(test_nested_timeouts_of_one_deadline),
        cmocka_unit_test(test_nested_timeouts_loop_busy),
        cmocka_unit_test(test_nested_timeouts_concurrent),
        cmocka_unit_test(test_foreign_cancel_if_not_expired),
        cmocka_unit_test(test_foreign_cancel_when_it_expires),
        cmocka_unit_test(test_a_request_from_before_does_not_count),
        cmocka_unit_test(test_cancel_in_timeout_after_cancellation),
        cmocka_unit_test(test_reschedule),
        cmocka_unit_test(test_rescheduled),
        cmocka_unit_test(test_timeout_in_finally),
        cmocka_unit_test(test_misuse),
        cmocka_unit_test(test_no_memory_is_an_error),
    };

    alarm(LONG_S);
    return run_attached(tests);
}
