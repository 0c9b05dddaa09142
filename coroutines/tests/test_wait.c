/* test_wait.c - waiting for some, for one, and for each as it comes.
 *
 * Names in brackets are those of CPython's Lib/test/test_asyncio/test_tasks.py (T) and
 * test_waitfor.py (WF).
 */
#include "coroutines/sleep.h"
#include "coroutines/tests/plays.h"
#include "coroutines/wait.h"
#include "objects/iterator.h"
#include "objects/set.h"
#include "objects/tuple.h"

enum { MANY = 3, LONG = LONG_NS };

static struct object *child[MANY];
static int64_t timeout_ns;
static enum wait_until until;

static struct object *begin(void)
{
    struct object *loop = make_loop();

    for (int i = 0; i < MANY; i++)
        assert_non_null(child[i] = future_new(loop));
    timeout_ns = WAIT_FOREVER;
    until = WAIT_ALL;
    return loop;
}

static void end(struct object *loop)
{
    for (int i = 0; i < MANY; i++)
        decref(child[i]);
    turns(loop, 2);
    end_loop(loop);
}

static struct object *wait_for_children(struct play *p)
{
    (void)p;
    return wait_new((borrowed const *)child, MANY, timeout_ns, until);
}

/* How many are done. */
static int count_done(struct play *p)
{
    borrowed done = tuple_get(p->value, 0), pending = tuple_get(p->value, 1);
    char text[40];

    snprintf(text, sizeof text, "%zu+%zu", set_length(done), set_length(pending));
    say(p, text);
    return 0;
}

static const struct act waits[] = {
    { AWAIT, .made = wait_for_children, .except = 3 },
    { DO, .done = count_done },
    { END },
    { SAY_RAISED },
    { AGAIN },
};

static struct object *start_and_turn(struct object *loop, struct play *p)
{
    struct object *task = start(loop, p);

    turns(loop, 2);
    return task;
}

/* ---- wait ---- */

static void test_wait_all(void **state) /* T test_wait */
{
    struct object *loop = begin(), *task;
    struct play p = { waits };

    (void)state;
    task = start_and_turn(loop, &p);
    finish(child[0], 0);
    fail_with(child[1], "x");
    turns(loop, 2);
    assert_false(future_done(task));
    assert_int_equal(future_cancel(child[2], NULL), 1);
    turns(loop, 2);
    assert_diary("3+0");
    assert_true(future_done(task));
    assert_fails(child[1], &value_error, "x");
    play_end(&p);
    decref(task);
    end(loop);
}

static void test_wait_first_completed(void **state) /* T test_wait_first_completed */
{
    struct object *loop = begin(), *task;
    struct play p = { waits };

    (void)state;
    until = WAIT_FIRST_COMPLETED;
    task = start_and_turn(loop, &p);
    finish(child[1], 0);
    turns(loop, 2);
    assert_diary("1+2");
    assert_false(future_done(child[0]) || future_done(child[2]));
    play_end(&p);
    decref(task);
    end(loop);
}

static void test_wait_first_exception(void **state) /* T test_wait_first_exception */
{
    struct object *loop = begin(), *task;
    struct play p = { waits };

    (void)state;
    until = WAIT_FIRST_EXCEPTION;
    task = start_and_turn(loop, &p);
    finish(child[0], 0);
    turns(loop, 2);
    assert_false(future_done(task));
    fail_with(child[1], "x");
    turns(loop, 2);
    assert_diary("2+1");
    play_end(&p);
    decref(task);
    end(loop);
    live_blocks();
    assert_int_equal(heard.told, 0); /* who looked for it has retrieved it */
}

/* T test_wait_first_exception_in_wait: a cancelled one is not one that failed. */
static void test_wait_first_exception_and_a_cancelled_one(void **state)
{
    struct object *loop = begin(), *task;
    struct play p = { waits };

    (void)state;
    until = WAIT_FIRST_EXCEPTION;
    task = start_and_turn(loop, &p);
    assert_int_equal(future_cancel(child[0], NULL), 1);
    turns(loop, 2);
    assert_false(future_done(task));
    finish(child[1], 0);
    finish(child[2], 0);
    turns(loop, 2);
    assert_diary("3+0");
    play_end(&p);
    decref(task);
    end(loop);
}

static void run_until_done(borrowed loop, borrowed task)
{
    struct object *done = stopper();

    assert_int_equal(future_add_done_callback(task, done), 0);
    decref(done);
    assert_int_equal(loop_run_forever(loop), 0);
}

static void test_wait_with_timeout(void **state) /* T test_wait_with_timeout: cancels nothing */
{
    struct object *loop = begin(), *task;
    struct play p = { waits };

    (void)state;
    timeout_ns = NS_PER_MS;
    task = start_and_turn(loop, &p);
    finish(child[0], 0);
    run_until_done(loop, task);
    assert_diary("1+2");
    for (int i = 1; i < MANY; i++)
        assert_false(future_done(child[i]));
    assert_int_equal(loop_timers(loop), 0);
    play_end(&p);
    decref(task);
    end(loop);
}

static void test_wait_of_what_is_done(void **state) /* T test_wait_concurrent_complete */
{
    struct object *loop = begin(), *task;
    struct play p = { waits };

    (void)state;
    for (int i = 0; i < MANY; i++)
        finish(child[i], i);
    task = start(loop, &p);
    turns(loop, 3);
    assert_diary("3+0");
    play_end(&p);
    decref(task);
    end(loop);
}

/* Who waits is cancelled: those that it waits for are not, and know it no more. */
static void test_wait_is_cancelled(void **state)
{
    struct object *loop = begin(), *task;
    struct play p = { waits };

    (void)state;
    timeout_ns = LONG;
    task = start_and_turn(loop, &p);
    assert_int_equal(future_cancel(task, NULL), 1);
    turns(loop, 2);
    assert_diary("CancelledError()");
    assert_cancelled(task);
    for (int i = 0; i < MANY; i++) {
        assert_false(future_done(child[i]));
        assert_null(as_future(child[i])->first.act);
    }
    assert_int_equal(loop_timers(loop), 0);
    play_end(&p);
    decref(task);
    end(loop);
}

static struct object *wait_for_object(struct play *p)
{
    borrowed row[] = { child[0], p->object };

    return wait_new(row, p->number ? 0 : 2, WAIT_FOREVER, WAIT_ALL);
}

static void test_wait_errors(void **state) /* T test_wait_errors, test_coroutines_are_forbidden */
{
    static const struct act acts[] = { { AWAIT, .made = wait_for_object, .except = 1 },
                                       { SAY_RAISED },
                                       { END } };
    struct object *loop = begin(), *coroutine;
    struct play inner = { acts }, p = { acts, .number = 1 }, q = { acts };

    (void)state;
    decref(start_and_turn(loop, &p));
    assert_diary("ValueError(Set of Tasks/Futures is empty.)");
    q.object = coroutine = perform_play(&inner);
    decref(start_and_turn(loop, &q));
    assert_diary("TypeError(Passing coroutines is forbidden, use tasks explicitly.)");
    assert_int_equal(generator_close(coroutine, NULL), 0);
    decref(coroutine);
    q.object = loop;
    decref(start_and_turn(loop, &q));
    assert_diary("TypeError(An asyncio.Future, a coroutine or an awaitable is required)");
    play_end(&p);
    play_end(&q);
    end(loop);
}

/* T test_wait_duplicate_coroutines: one that comes twice counts once. */
static struct object *wait_with_duplicates(struct play *p)
{
    borrowed row[] = { child[0], child[1], child[0], child[0] };

    (void)p;
    return wait_new(row, 4, WAIT_FOREVER, WAIT_ALL);
}

static void test_wait_of_duplicates(void **state)
{
    static const struct act acts[] = { { AWAIT, .made = wait_with_duplicates },
                                       { DO, .done = count_done },
                                       { END } };
    struct object *loop = begin(), *task;
    struct play p = { acts };

    (void)state;
    task = start_and_turn(loop, &p);
    finish(child[0], 0);
    turns(loop, 2);
    assert_false(future_done(task));
    finish(child[1], 1);
    turns(loop, 2);
    assert_diary("2+0");
    play_end(&p);
    decref(task);
    end(loop);
}

/* T test_wait_first_exception: one had failed before anybody waited. */
static void test_wait_first_exception_of_one_that_had_failed(void **state)
{
    struct object *loop = begin(), *task;
    struct play p = { waits };

    (void)state;
    until = WAIT_FIRST_EXCEPTION;
    fail_with(child[1], "err");
    task = start(loop, &p);
    turns(loop, 3);
    assert_diary("1+2");
    assert_fails(child[1], &value_error, "err");
    play_end(&p);
    decref(task);
    end(loop);
}

/* T test_wait_with_exception: whoever waits for all does not mind, and again at once. */
static void test_wait_all_of_one_that_fails(void **state)
{
    struct object *loop = begin(), *task;
    struct play p = { waits }, q = { waits };

    (void)state;
    task = start_and_turn(loop, &p);
    finish(child[0], 0);
    finish(child[2], 2);
    turns(loop, 2);
    assert_false(future_done(task));
    fail_with(child[1], "really");
    turns(loop, 2);
    assert_diary("3+0");
    decref(task);
    task = start(loop, &q);
    turns(loop, 3);
    assert_diary("3+0");
    assert_fails(child[1], &value_error, "really");
    play_end(&p);
    play_end(&q);
    decref(task);
    end(loop);
}

/* T test_wait_really_done: the second has ended before who waits for the first goes on, though
 * nobody has called its callbacks yet. */
static struct object *wait_for_tasks(struct play *p)
{
    return wait_new((borrowed const *)child, (size_t)p->number, WAIT_FOREVER, until);
}

static void test_wait_really_done(void **state)
{
    static const struct act one[] = { { PASS }, { END } }, two[] = { { PASS }, { PASS }, { END } };
    static const struct act acts[] = { { AWAIT, .made = wait_for_tasks },
                                       { DO, .done = count_done },
                                       { END } };
    struct object *loop = begin(), *task, *kept[2] = { child[0], child[1] };
    struct play p = { one }, q = { two }, r = { acts, .number = 2 };

    (void)state;
    until = WAIT_FIRST_COMPLETED;
    child[0] = start(loop, &p);
    child[1] = start(loop, &q);
    task = start(loop, &r);
    run_ready(loop);
    assert_diary("2+0");
    for (int i = 0; i < 2; i++) {
        decref(child[i]);
        child[i] = kept[i];
    }
    play_end(&p);
    play_end(&q);
    play_end(&r);
    decref(task);
    end(loop);
}

/* T test_wait_generator, test_wait_with_iterator_of_tasks: as many as one likes. */
enum { CROWD = 10 };

static struct object *crowd[CROWD];

static struct object *wait_for_crowd(struct play *p)
{
    (void)p;
    return wait_new((borrowed const *)crowd, CROWD, WAIT_FOREVER, WAIT_ALL);
}

static void test_wait_of_many_tasks(void **state)
{
    static const struct act one[] = { { PASS }, { RETURN, .number = 1 } };
    static const struct act acts[] = { { AWAIT, .made = wait_for_crowd },
                                       { DO, .done = count_done },
                                       { END } };
    struct object *loop = begin(), *task;
    struct play plays[CROWD], p = { acts };

    (void)state;
    for (int i = 0; i < CROWD; i++) {
        plays[i] = (struct play){ one };
        crowd[i] = start(loop, &plays[i]);
    }
    task = start(loop, &p);
    run_ready(loop);
    assert_diary("10+0");
    for (int i = 0; i < CROWD; i++) {
        assert_result(crowd[i], 1);
        decref(crowd[i]);
        play_end(&plays[i]);
    }
    play_end(&p);
    decref(task);
    end(loop);
}

/* ---- wait_for ---- */

static struct object *wait_for_it(struct play *p)
{
    return wait_for_new(p->object, p->number);
}

static const struct act waits_for[] = {
    { AWAIT, .made = wait_for_it, .except = 3 },
    { SAY_VALUE },
    { RETURN_VALUE },
    { SAY_RAISED },
    { AGAIN },
};

static struct object *sleep_long(struct play *p)
{
    (void)p;
    return sleep_new(LONG_S * (int64_t)NS_PER_S, NULL);
}

static const struct act sleeps[] = {
    { SAY, "begins" }, { AWAIT, .made = sleep_long, .except = 3 },
    { END },           { SAY, "is cancelled" },
    { PASS },          { PASS },
    { SAY, "ends" },   { AGAIN },
};

/* WF test_wait_for_waits_for_task_cancellation: TimeoutError comes when the child has ended. */
static void test_wait_for_waits_for_task_cancellation(void **state)
{
    struct object *loop = make_loop(), *inner, *task;
    struct play p = { sleeps }, q = { waits_for, .number = NS_PER_MS };

    (void)state;
    q.object = inner = start(loop, &p);
    task = start(loop, &q);
    run_until_done(loop, task);
    assert_diary("begins is cancelled ends TimeoutError()");
    assert_fails(task, &timeout_error, "");
    assert_true(future_cancelled(inner));
    play_end(&p);
    play_end(&q);
    decref(inner);
    decref(task);
    end_loop(loop);
}

static void test_wait_for_result_in_time(void **state) /* WF test_wait_for_blocking, _none */
{
    struct object *loop = make_loop(), *f, *task;

    (void)state;
    for (int forever = 0; forever < 2; forever++) {
        struct play q = { waits_for, .number = forever ? WAIT_FOREVER : LONG };

        q.object = f = future_new(loop);
        task = start(loop, &q);
        turns(loop, 2);
        finish(f, 4);
        turns(loop, 3);
        assert_diary("4");
        assert_result(task, 4);
        turns(loop, 1);
        assert_int_equal(loop_timers(loop), 0);
        play_end(&q);
        decref(f);
        decref(task);
    }
    end_loop(loop);
}

/* WF test_wait_for_timeout_less_then_0_or_0_coroutine_do_not_started */
static void test_wait_for_timeout_0_does_not_begin_a_coroutine(void **state)
{
    struct object *loop = make_loop(), *coroutine, *task;

    (void)state;
    for (int64_t number = -1; number <= 0; number++) {
        struct play p = { sleeps }, q = { waits_for, .number = number };

        q.object = coroutine = perform_play(&p);
        task = start(loop, &q);
        run_ready(loop);
        assert_diary("TimeoutError()");
        assert_fails(task, &timeout_error, "");
        play_end(&q);
        decref(coroutine);
        decref(task);
    }
    end_loop(loop);
}

static void test_wait_for_timeout_0_of_what_is_done(void **state) /* WF ..._0_or_0_future_done */
{
    struct object *loop = make_loop(), *f = future_new(loop), *task;
    struct play q = { waits_for, .object = f, .number = 0 };

    (void)state;
    finish(f, 5);
    task = start(loop, &q);
    turns(loop, 1);
    assert_result(task, 5);
    assert_diary("5");
    play_end(&q);
    decref(f);
    decref(task);
    end_loop(loop);
}

/* WF test_wait_for_reraises_exception_during_cancellation; and a value that the child returns
 * while it is cancelled wins. */
static const struct act answers_late[] = {
    { AWAIT, .made = sleep_long, .except = 1 },
    { RETURN, .number = 6 },
};
static const struct act fails_late[] = {
    { AWAIT, .made = sleep_long, .except = 1 },
    { RAISE, "late", .kind = &value_error },
};

static void test_wait_for_what_comes_during_cancellation_wins(void **state)
{
    struct object *loop = make_loop(), *inner, *task;
    struct play p = { answers_late }, r = { fails_late }, q = { waits_for, .number = NS_PER_MS };

    (void)state;
    q.object = inner = start(loop, &p);
    task = start(loop, &q);
    run_until_done(loop, task);
    assert_diary("6");
    decref(inner);
    decref(task);
    q.object = inner = start(loop, &r);
    task = start(loop, &q);
    run_until_done(loop, task);
    assert_diary("ValueError(late)");
    assert_fails(task, &value_error, "late");
    play_end(&p);
    play_end(&r);
    play_end(&q);
    decref(inner);
    decref(task);
    end_loop(loop);
}

/* WF test_wait_for_cancellation_race_condition, issue86296: the result is there in the turn in
 * which who waits is cancelled. It is not lost. */
static void test_wait_for_cancellation_race_condition(void **state)
{
    struct object *loop = make_loop(), *f = future_new(loop), *task;
    struct play q = { waits_for, .object = f, .number = LONG };

    (void)state;
    task = start(loop, &q);
    turns(loop, 2);
    finish(f, 7);
    assert_int_equal(future_cancel(task, NULL), 1);
    turns(loop, 3);
    assert_diary("7");
    assert_result(task, 7);
    play_end(&q);
    decref(f);
    decref(task);
    end_loop(loop);
}

static int finish_child(struct play *p)
{
    (void)p;
    for (uint64_t until_ns = clock_ns() + 3 * NS_PER_MS; clock_ns() < until_ns;)
        ;
    finish(child[0], 9);
    return 0;
}

/* WF test_wait_for_race_condition: the result and the end of the time come in one turn. */
static void test_wait_for_race_condition(void **state)
{
    static const struct act acts[] = { { PASS }, { DO, .done = finish_child }, { END } };
    struct object *loop = begin(), *task;
    struct play p = { acts }, q = { waits_for, .object = child[0], .number = NS_PER_MS };

    (void)state;
    task = start(loop, &q);
    decref(start(loop, &p));
    run_ready(loop);
    assert_diary("9");
    assert_result(task, 9);
    play_end(&p);
    play_end(&q);
    decref(task);
    end(loop);
}

/* WF test_cancel_wait_for: who waits is cancelled, so is the child, and it is waited for. */
static void test_cancel_wait_for(void **state)
{
    struct object *loop = make_loop(), *inner, *task;
    struct play p = { sleeps }, q = { waits_for, .number = LONG };

    (void)state;
    q.object = inner = start(loop, &p);
    task = start(loop, &q);
    turns(loop, 3);
    assert_int_equal(future_cancel(task, NULL), 1);
    run_ready(loop);
    assert_diary("begins is cancelled ends CancelledError()");
    assert_cancelled(task);
    assert_cancelled(inner);
    play_end(&p);
    play_end(&q);
    decref(inner);
    decref(task);
    end_loop(loop);
}

/* ---- as_completed ---- */

static struct object *completing; /* borrowed by the plays */

static struct object *next_completed(struct play *p)
{
    (void)p;
    return iterator_next(completing);
}

static const struct act takes_each[] = {
    { AWAIT, .made = next_completed, .except = 3 },
    { SAY_VALUE },
    { GO, .number = 0 },
    { SAY_RAISED },
    { END },
};

static void test_as_completed(void **state) /* T test_as_completed */
{
    struct object *loop = begin(), *task;
    struct play p = { takes_each };

    (void)state;
    completing = as_completed(loop, (borrowed const *)child, MANY, WAIT_FOREVER);
    task = start(loop, &p);
    turns(loop, 2);
    finish(child[2], 2);
    turns(loop, 2);
    finish(child[0], 0);
    turns(loop, 2);
    finish(child[1], 1);
    turns(loop, 2);
    assert_diary("2 0 1 StopIteration()");
    play_end(&p);
    decref(completing);
    decref(task);
    end(loop);
}

static void test_as_completed_twice_the_same(void **state) /* T test_as_completed_duplicate_* */
{
    struct object *loop = begin(), *task;
    struct play p = { takes_each };

    (void)state;
    completing = as_completed(loop, (borrowed[]){ child[0], child[0], child[1] }, 3, WAIT_FOREVER);
    finish(child[0], 0);
    fail_with(child[1], "x");
    task = start(loop, &p);
    run_ready(loop);
    assert_diary("0 ValueError(x)");
    play_end(&p);
    decref(completing);
    decref(task);
    end(loop);
}

static void test_as_completed_with_timeout(void **state) /* T test_as_completed_with_timeout */
{
    static const struct act acts[] = {
        { AWAIT, .made = next_completed, .except = 3 },
        { SAY_VALUE },
        { GO, .number = 0 },
        { SAY_RAISED },
        { AWAIT, .made = next_completed, .except = 5 },
        { SAY_RAISED },
        { END },
    };
    struct object *loop = begin(), *task;
    struct play p = { acts };

    (void)state;

    completing = as_completed(loop, (borrowed const *)child, MANY, NS_PER_MS);
    finish(child[1], 1);
    task = start(loop, &p);
    run_until_done(loop, task);
    assert_diary("1 TimeoutError() TimeoutError()");
    for (int i = 0; i < MANY; i += 2) {
        assert_false(future_done(child[i]));
        assert_null(as_future(child[i])->first.act);
    }
    play_end(&p);
    decref(completing);
    decref(task);
    end(loop);
}

/* Two wait; the first is cancelled in the turn in which it was released: the other gets it. */
static void test_as_completed_concurrent(void **state) /* T test_as_completed_concurrent */
{
    static const struct act acts[] = { { AWAIT, .made = next_completed, .except = 2 },
                                       { SAY_VALUE },
                                       { END } };
    struct object *loop = begin(), *a, *b;
    struct play p = { acts, "a" }, q = { acts, "b" };

    (void)state;
    completing = as_completed(loop, (borrowed const *)child, MANY, WAIT_FOREVER);
    a = start(loop, &p);
    b = start(loop, &q);
    turns(loop, 2);
    finish(child[0], 0);
    turns(loop, 1);
    assert_int_equal(future_cancel(a, NULL), 1);
    turns(loop, 3);
    assert_diary("b:0");
    for (int i = 1; i < MANY; i++)
        finish(child[i], i);
    turns(loop, 2);
    play_end(&p);
    play_end(&q);
    decref(a);
    decref(b);
    decref(completing);
    end(loop);
}

static void test_as_completed_with_unused_timeout(void **state) /* T the same */
{
    struct object *loop = begin(), *task;
    struct play p = { takes_each };

    (void)state;
    completing = as_completed(loop, (borrowed const *)child, 1, LONG);
    assert_int_equal(loop_timers(loop), 1);
    task = start(loop, &p);
    turns(loop, 2);
    finish(child[0], 0);
    turns(loop, 3);
    assert_diary("0 StopIteration()");
    assert_int_equal(loop_timers(loop), 0); /* it was called off */
    play_end(&p);
    decref(completing);
    decref(task);
    end(loop);
}

/* T test_as_completed_reverse_wait: what comes first goes to who awaits first, whichever of the
 * coroutines he has. */
static struct object *each_coroutine[MANY];

static struct object *coroutine_of_number(struct play *p)
{
    return incref(each_coroutine[p->number--]);
}

static void test_as_completed_reverse_wait(void **state)
{
    static const struct act acts[] = { { AWAIT, .made = coroutine_of_number },
                                       { SAY_VALUE },
                                       { AWAIT, .made = coroutine_of_number },
                                       { SAY_VALUE },
                                       { END } };
    struct object *loop = begin(), *task;
    struct play p = { acts, .number = 1 };

    (void)state;
    completing = as_completed(loop, (borrowed const *)child, 2, WAIT_FOREVER);
    for (int i = 0; i < 2; i++)
        each_coroutine[i] = iterator_next(completing);
    task = start(loop, &p);
    turns(loop, 2);
    finish(child[0], 10);
    turns(loop, 3);
    assert_diary("10");
    finish(child[1], 11);
    turns(loop, 3);
    assert_diary("11");
    for (int i = 0; i < 2; i++)
        decref(each_coroutine[i]);
    play_end(&p);
    decref(completing);
    decref(task);
    end(loop);
}

/* T test_as_completed_duplicate_coroutines, _coroutine_use_running_loop: the same coroutine twice
 * is one task. */
static struct object *complete_coroutines(struct play *p)
{
    static const struct act ham[] = { { RETURN, .number = 1 } };
    static const struct act spam[] = { { RETURN, .number = 2 } };
    static struct play plays[2];
    struct object *a, *b;

    if (!p->number++) {
        plays[0] = (struct play){ ham };
        plays[1] = (struct play){ spam };
        a = perform_play(&plays[0]);
        b = perform_play(&plays[1]);
        completing = as_completed(loop_running(), (borrowed[]){ a, a, b }, 3, WAIT_FOREVER);
        decref(a);
        decref(b);
    }
    return iterator_next(completing);
}

static void test_as_completed_duplicate_coroutines(void **state)
{
    static const struct act acts[] = {
        { AWAIT, .made = complete_coroutines, .except = 3 },
        { SAY_VALUE },
        { GO, .number = 0 },
        { SAY_RAISED },
        { END },
    };
    struct object *loop = begin(), *task;
    struct play p = { acts };

    (void)state;
    task = start(loop, &p);
    run_ready(loop);
    assert_diary("1 2 StopIteration()");
    assert_true(future_done(task));
    play_end(&p);
    decref(completing);
    decref(task);
    end(loop);
}

/* T test_as_completed_concurrent: a task for each coroutine, and who waits for all of them. */
static void test_as_completed_by_tasks_of_their_own(void **state)
{
    struct object *loop = begin(), *task, *kept[MANY];
    struct play p = { waits };

    (void)state;
    completing = as_completed(loop, (borrowed const *)child, MANY, WAIT_FOREVER);
    for (int i = 0; i < MANY; i++) {
        struct object *coroutine = iterator_next(completing);

        kept[i] = child[i];
        child[i] = ensure_future(loop, coroutine);
        decref(coroutine);
    }
    task = start_and_turn(loop, &p);
    for (int i = 0; i < MANY; i++)
        finish(kept[i], 20 + i);
    run_ready(loop);
    assert_diary("3+0");
    for (int i = 0; i < MANY; i++) {
        assert_result(child[i], 20 + i);
        decref(child[i]);
        child[i] = kept[i];
    }
    play_end(&p);
    decref(completing);
    decref(task);
    end(loop);
}

/* ---- memory ---- */

static struct object *chosen(struct play *p)
{
    switch (p->number) {
    case 0:
        return wait_new(&(borrowed){ p->object }, 1, 1, WAIT_ALL);
    case 1:
        return wait_for_new(p->object, 1);
    default:
        completing = as_completed(loop_running(), &(borrowed){ p->object }, 1, 1);
        return completing ? iterator_next(completing) : NULL;
    }
}

static int number_chosen;

static int session(void)
{
    static const struct act acts[] = {
        { AWAIT, .made = chosen, .except = 1, .catches = &timeout_error }, { END }
    };
    struct object *loop = loop_new(), *f = NULL, *number = NULL, *coroutine = NULL, *task = NULL;
    struct object *result = NULL, *pending;
    struct play p = { acts, .number = number_chosen };

    completing = NULL;
    if (loop && (f = future_new(loop)) && (number = int_new((int64_t)(uintptr_t)&p)))
        coroutine = generator_new(&play_body, (borrowed[]){ number }, 1);
    p.object = f;
    if (coroutine)
        task = task_new(loop, coroutine, NULL);
    for (int i = 0; task && !future_done(task) && i < 50; i++) {
        loop_stop(loop);
        if (loop_run_forever(loop) < 0)
            break;
    }
    if (task && future_done(task))
        result = future_result(task);
    pending = exception_take();
    play_end(&p);
    if (loop)
        assert_int_equal(loop_close(loop), 0);
    xdecref(completing);
    xdecref(f);
    xdecref(number);
    xdecref(coroutine);
    xdecref(task);
    xdecref(loop);
    rc_quiesce();
    collect(GENERATION_ALL);
    xdecref(result);
    if (!pending && !failure_waits())
        exception_set_no_memory();
    else
        exception_restore(pending);
    return exception_pending() ? -1 : 0;
}

static void test_no_memory_is_an_error(void **state)
{
    (void)state;
    if (!collector_works())
        skip();
    for (number_chosen = 0; number_chosen < 3; number_chosen++)
        fail_everywhere(session);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_wait_all),
        cmocka_unit_test(test_wait_first_completed),
        cmocka_unit_test(test_wait_first_exception),
        cmocka_unit_test(test_wait_first_exception_and_a_cancelled_one),
        cmocka_unit_test(test_wait_with_timeout),
        cmocka_unit_test(test_wait_of_what_is_done),
        cmocka_unit_test(test_wait_is_cancelled),
        cmocka_unit_test(test_wait_errors),
        cmocka_unit_test(test_wait_of_duplicates),
        cmocka_unit_test(test_wait_first_exception_of_one_that_had_failed),
        cmocka_unit_test(test_wait_all_of_one_that_fails),
        cmocka_unit_test(test_wait_really_done),
        cmocka_unit_test(test_wait_of_many_tasks),
        cmocka_unit_test(test_wait_for_waits_for_task_cancellation),
        cmocka_unit_test(test_wait_for_result_in_time),
        cmocka_unit_test(test_wait_for_timeout_0_does_not_begin_a_coroutine),
        cmocka_unit_test(test_wait_for_timeout_0_of_what_is_done),
        cmocka_unit_test(test_wait_for_what_comes_during_cancellation_wins),
        cmocka_unit_test(test_wait_for_cancellation_race_condition),
        cmocka_unit_test(test_wait_for_race_condition),
        cmocka_unit_test(test_cancel_wait_for),
        cmocka_unit_test(test_as_completed),
        cmocka_unit_test(test_as_completed_twice_the_same),
        cmocka_unit_test(test_as_completed_with_timeout),
        cmocka_unit_test(test_as_completed_concurrent),
        cmocka_unit_test(test_as_completed_with_unused_timeout),
        cmocka_unit_test(test_as_completed_reverse_wait),
        cmocka_unit_test(test_as_completed_duplicate_coroutines),
        cmocka_unit_test(test_as_completed_by_tasks_of_their_own),
        cmocka_unit_test(test_no_memory_is_an_error),
    };

    alarm(LONG_S);
    return run_attached(tests);
}
