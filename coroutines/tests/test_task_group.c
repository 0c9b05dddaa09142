/* test_task_group.c - tasks that end together.
 *
 * Names in brackets are those of CPython's Lib/test/test_asyncio/test_taskgroups.py.
 */
#include "coroutines/sleep.h"
#include "coroutines/task_group.h"
#include "coroutines/tests/plays.h"
#include "objects/tuple.h"

/* Of the play that runs: in acts, `enter` begins the block, `leave` is awaited at its end, with
 * what was caught. Groups nest. */
static struct object *group[2];
static int depth;

static int enter(struct play *p)
{
    (void)p;
    assert_non_null(group[depth] = task_group_new());
    return task_group_enter(group[depth++]);
}

static struct object *leave(struct play *p)
{
    struct object *coroutine, *ended = group[--depth];

    coroutine = task_group_exit(ended, p->caught);
    decref(ended);
    if (p->caught) {
        decref(p->caught);
        p->caught = NULL;
    }
    return coroutine;
}

/* The plays that a group runs: `number` of them. */
static struct play members[4];
static int64_t members_count;
static struct object *future; /* borrowed by members that await one */

static int create(struct play *p)
{
    (void)p;
    for (int i = 0; i < members_count; i++) {
        struct object *coroutine = perform_play(&members[i]), *task;

        task = task_group_create(group[depth - 1], coroutine, NULL);
        decref(coroutine);
        assert_non_null(task);
        decref(task);
    }
    return 0;
}

static struct object *take_future(struct play *p)
{
    (void)p;
    return incref(future);
}

static const struct act returns[] = { { PASS }, { SAY, "done" }, { END } };
static const struct act fails[] = { { PASS }, { RAISE, "bad", .kind = &value_error } };
static const struct act waits[] = {
    { AWAIT, .made = take_future, .except = 2 },
    { END },
    { SAY_RAISED },
    { AGAIN },
};
static const struct act fails_when_cancelled[] = {
    { AWAIT, .made = take_future, .except = 1 },
    { RAISE, "cleanup", .kind = &type_error },
};

static void set_members(const struct act *a, const struct act *b, const struct act *c)
{
    members_count = 0;
    memset(members, 0, sizeof members);
    if (a)
        members[members_count++] = (struct play){ a, "a" };
    if (b)
        members[members_count++] = (struct play){ b, "b" };
    if (c)
        members[members_count++] = (struct play){ c, "c" };
}

static const struct act block[] = {
    { DO, .done = enter }, { DO, .done = create },
    { SAY, "body" },       { AWAIT, .made = leave, .except = 6 },
    { SAY, "left" },       { RETURN, .number = 1 },
    { SAY_RAISED },        { AGAIN },
};

static struct object *begin(void)
{
    struct object *loop = make_loop();

    assert_non_null(future = future_new(loop));
    depth = 0;
    return loop;
}

static void end(struct object *loop)
{
    for (int i = 0; i < 4; i++)
        play_end(&members[i]);
    future_cancel(future, NULL);
    run_ready(loop);
    decref(future);
    assert_int_equal(depth, 0);
    end_loop(loop);
    live_blocks();
}

/* The exceptions of the group that a task raised, in the diary. */
static void note_errors(borrowed task, const struct type *kind)
{
    struct object *e;

    assert_null(future_result(task));
    e = exception_take();
    assert_ptr_equal(type_of(e), kind);
    for (size_t i = 0; i < tuple_length(exception_value(e)); i++) {
        borrowed error = tuple_get(exception_value(e), i);
        char text[80];

        snprintf(text, sizeof text, "%s(%s)", type_of(error)->name, exception_message(error));
        note(text);
    }
    decref(e);
}

static void test_taskgroup_01(void **state) /* all succeed; _01, _18 */
{
    struct object *loop = begin(), *task;
    struct play p = { block };

    (void)state;
    set_members(returns, returns, NULL);
    task = start(loop, &p);
    run_ready(loop);
    assert_diary("body a:done b:done left");
    assert_result(task, 1);
    play_end(&p);
    decref(task);
    end(loop);
}

static void test_taskgroup_without_tasks(void **state) /* _05: nothing to wait for */
{
    struct object *loop = begin(), *task;
    struct play p = { block };

    (void)state;
    set_members(NULL, NULL, NULL);
    task = start(loop, &p);
    turns(loop, 1);
    assert_diary("body left");
    play_end(&p);
    decref(task);
    end(loop);
}

/* _03, test_cancel_children_on_child_error: the first failure cancels the siblings. */
static void test_cancel_children_on_child_error(void **state)
{
    struct object *loop = begin(), *task;
    struct play p = { block };

    (void)state;
    set_members(waits, fails, waits);
    task = start(loop, &p);
    run_ready(loop);
    assert_diary("body a:CancelledError() c:CancelledError() "
                 "ExceptionGroup(unhandled errors in a TaskGroup (1 sub-exception))");
    note_errors(task, &exception_group);
    assert_diary("ValueError(bad)");
    assert_int_equal(task_cancelling(task), 0); /* what the group asked for was taken back */
    play_end(&p);
    decref(task);
    end(loop);
    assert_int_equal(heard.told, 0);
}

/* _06: the body is cancelled where it waits, not only the siblings. */
static void test_cancel_body_on_child_error(void **state)
{
    static const struct act acts[] = {
        { DO, .done = enter },
        { DO, .done = create },
        { AWAIT, .made = take_future, .except = 4 },
        { SAY, "never" },
        { SAY_RAISED },
        { AWAIT, .made = leave, .except = 6 },
        { SAY_RAISED },
        { AGAIN },
    };
    struct object *loop = begin(), *task;
    struct play p = { acts };

    (void)state;
    set_members(fails, NULL, NULL);
    task = start(loop, &p);
    run_ready(loop);
    assert_diary("CancelledError() "
                 "ExceptionGroup(unhandled errors in a TaskGroup (1 sub-exception))");
    assert_false(future_cancelled(task));
    note_errors(task, &exception_group);
    assert_diary("ValueError(bad)");
    play_end(&p);
    decref(task);
    end(loop);
}

/* _04, _15: all errors are told, those of the clean-up, too. */
static void test_errors_while_it_is_shut_down(void **state)
{
    struct object *loop = begin(), *task;
    struct play p = { block };

    (void)state;
    set_members(fails_when_cancelled, fails, fails_when_cancelled);
    task = start(loop, &p);
    run_ready(loop);
    assert_diary("body ExceptionGroup(unhandled errors in a TaskGroup (3 sub-exceptions))");
    note_errors(task, &exception_group);
    assert_diary("ValueError(bad) TypeError(cleanup) TypeError(cleanup)");
    play_end(&p);
    decref(task);
    end(loop);
}

/* _07, _08: the body raises; the tasks are cancelled, and its error is one of the group's. */
static void test_the_body_raises(void **state)
{
    static const struct act acts[] = {
        { DO, .done = enter },
        { DO, .done = create },
        { PASS },
        { RAISE, "body", .kind = &zero_division_error, .except = 4 },
        { AWAIT, .made = leave, .except = 5 },
        { SAY_RAISED },
        { AGAIN },
    };
    struct object *loop = begin(), *task;
    struct play p = { acts };

    (void)state;
    set_members(waits, fails_when_cancelled, NULL);
    task = start(loop, &p);
    run_ready(loop);
    assert_diary("a:CancelledError() "
                 "ExceptionGroup(unhandled errors in a TaskGroup (2 sub-exceptions))");
    note_errors(task, &exception_group);
    assert_diary("TypeError(cleanup) ZeroDivisionError(body)");
    play_end(&p);
    decref(task);
    end(loop);
}

/* test_cancellation, _10: cancelled from outside, in the body: CancelledError, no group. */
static void test_cancelled_in_the_body(void **state)
{
    static const struct act acts[] = {
        { DO, .done = enter },
        { DO, .done = create },
        { AWAIT, .made = take_future, .except = 4 },
        { SAY, "never" },
        { AWAIT, .made = leave, .except = 5 },
        { SAY_RAISED },
        { AGAIN },
    };
    struct object *loop = begin(), *task;
    struct play p = { acts };

    (void)state;
    set_members(waits, NULL, NULL);
    task = start(loop, &p);
    turns(loop, 3);
    assert_int_equal(future_cancel(task, NULL), 1);
    run_ready(loop);
    assert_diary("a:CancelledError() CancelledError()");
    assert_cancelled(task);
    play_end(&p);
    decref(task);
    end(loop);
}

static void test_cancelled_in_the_exit(void **state) /* _09, _11, _12 */
{
    struct object *loop = begin(), *task;
    struct play p = { block };

    (void)state;
    set_members(waits, waits, NULL);
    task = start(loop, &p);
    turns(loop, 3);
    assert_int_equal(future_cancel(task, NULL), 1);
    run_ready(loop);
    assert_diary("body a:CancelledError() b:CancelledError() CancelledError()");
    assert_cancelled(task);
    play_end(&p);
    decref(task);
    end(loop);
}

/* _13: cancelled from outside, and a task fails as it is cancelled: that has priority; but the
 * request is not lost: the next await raises (3.13, issue 116720). */
static void test_an_outer_cancel_is_not_swallowed(void **state)
{
    static const struct act acts[] = {
        { DO, .done = enter },
        { DO, .done = create },
        { AWAIT, .made = leave, .except = 3 },
        { SAY_RAISED },
        { PASS, .except = 6 },
        { SAY, "swallowed" },
        { SAY_RAISED },
        { AGAIN },
    };
    struct object *loop = begin(), *task;
    struct play p = { acts };

    (void)state;
    set_members(fails_when_cancelled, NULL, NULL);
    task = start(loop, &p);
    turns(loop, 3);
    assert_int_equal(future_cancel(task, NULL), 1);
    run_ready(loop);
    assert_diary("ExceptionGroup(unhandled errors in a TaskGroup (1 sub-exception)) "
                 "CancelledError()");
    assert_cancelled(task);
    assert_int_equal(task_cancelling(task), 1);
    play_end(&p);
    decref(task);
    end(loop);
}

/* _02, _20: a task that is cancelled by itself is no failure. */
static void test_a_cancelled_child_is_no_failure(void **state)
{
    struct object *loop = begin(), *task;
    struct play p = { block };

    (void)state;
    set_members(waits, returns, NULL);
    task = start(loop, &p);
    turns(loop, 2);
    assert_int_equal(future_cancel(future, NULL), 1);
    run_ready(loop);
    assert_result(task, 1);
    assert_diary("body b:done a:CancelledError() left");
    play_end(&p);
    decref(task);
    end(loop);
}

/* _21: KeyboardInterrupt and SystemExit are raised as they are, before all else. */
static void test_a_base_error_comes_first(void **state)
{
    static const struct act exits[] = { { PASS }, { RAISE, "", .kind = &system_exit } };
    struct object *loop = begin(), *task;
    struct play p = { block };

    (void)state;
    set_members(exits, waits, NULL);
    task = start(loop, &p);
    assert_int_equal(loop_run_forever(loop), -1);
    assert_raises(&system_exit);
    for (int i = 0; i < 20 && !future_done(task); i++) {
        loop_stop(loop);
        if (loop_run_forever(loop) < 0)
            exception_restore(NULL);
    }
    assert_fails(task, &system_exit, "");
    assert_diary("body b:CancelledError() SystemExit()");
    play_end(&p);
    decref(task);
    end(loop);
}

/* It was made beforehand, and the next memory that is wanted is to note it. */
static struct object *failure;

static int fail_without_memory(struct play *p)
{
    (void)p;
    fail_allocation(1);
    exception_raise(incref(failure));
    return -1;
}

static void test_an_error_that_cannot_be_noted_ends_the_block(void **state)
{
    static const struct act fails_so[] = { { PASS }, { DO, .done = fail_without_memory } };
    struct object *loop = begin(), *task;
    struct play p = { block };

    (void)state;
    failure = exception_new(&value_error, "bad");
    set_members(waits, fails_so, waits);
    task = start(loop, &p);
    run_ready(loop);
    assert_false(failure_waits());
    assert_diary("body a:CancelledError() c:CancelledError() MemoryError(out of memory)");
    assert_fails(task, &memory_error, "out of memory");
    assert_int_equal(task_cancelling(task), 0);
    play_end(&p);
    decref(task);
    decref(failure);
    end(loop);
    assert_int_equal(heard.told, 0);
}

static int refuse_more(struct play *p)
{
    static const struct act acts[] = { { END } };
    static struct play late = { acts };
    struct object *coroutine = perform_play(&late);

    assert_null(task_group_create(p->object, coroutine, NULL));
    decref(coroutine);
    say(p, exception_message(exception_pending()));
    exception_restore(NULL);
    return 0;
}

/* test_taskgroup_no_create_task_after_failure */
static void test_no_create_task_after_failure(void **state)
{
    static const struct act acts[] = {
        { DO, .done = enter },
        { DO, .done = create },
        { AWAIT, .made = take_future, .except = 3 },
        { DO, .done = refuse_more },
        { AWAIT, .made = leave, .except = 5 },
        { END },
    };
    struct object *loop = begin(), *task;
    struct play p = { acts };

    (void)state;
    set_members(fails, NULL, NULL);
    task = start(loop, &p);
    turns(loop, 1);
    p.object = group[0];
    run_ready(loop);
    assert_diary("TaskGroup <TaskGroup errors=1 cancelling> is shutting down");
    play_end(&p);
    decref(task);
    end(loop);
}

static int keep_group(struct play *p)
{
    p->object = incref(group[0]);
    return 0;
}

static int enter_again(struct play *p)
{
    (void)p;
    assert_int_equal(task_group_enter(group[0]), -1);
    return -1;
}

static void test_misuse(void **state) /* _23, _24: not entered, entered twice, finished */
{
    static const struct act acts[] = {
        { DO, .done = enter },
        { DO, .done = keep_group },
        { DO, .done = enter_again, .except = 3 },
        { SAY_RAISED },
        { AWAIT, .made = leave, .except = 7 },
        { DO, .done = refuse_more },
        { END },
        { SAY_RAISED },
        { DO, .done = refuse_more },
        { END },
    };
    struct object *loop = begin(), *new = task_group_new(), *task;
    struct play p = { acts }, q = { acts, .object = new };

    (void)state;
    refuse_more(&q);
    assert_diary("TaskGroup <TaskGroup> has not been entered");
    assert_int_equal(task_group_enter(new), -1);
    assert_string_equal(exception_message(exception_pending()),
                        "TaskGroup <TaskGroup> cannot determine the parent task");
    assert_raises(&runtime_error);
    decref(new);
    set_members(NULL, NULL, NULL);
    task = start(loop, &p);
    run_ready(loop);
    assert_diary("RuntimeError(TaskGroup <TaskGroup entered> has already been entered) "
                 "ExceptionGroup(unhandled errors in a TaskGroup (1 sub-exception)) "
                 "TaskGroup <TaskGroup cancelling> is finished");
    decref(p.object);
    play_end(&p);
    decref(task);
    end(loop);
}

static void test_finished(void **state) /* no create_task after the exit */
{
    static const struct act acts[] = {
        { DO, .done = enter },
        { DO, .done = keep_group },
        { AWAIT, .made = leave },
        { DO, .done = refuse_more },
        { END },
    };
    struct object *loop = begin(), *task;
    struct play p = { acts };

    (void)state;
    set_members(NULL, NULL, NULL);
    task = start(loop, &p);
    run_ready(loop);
    assert_diary("TaskGroup <TaskGroup entered> is finished");
    decref(p.object);
    play_end(&p);
    decref(task);
    end(loop);
}

/* _14, _22: a group within a group; the inner one's failure is one of the outer's. */
static void test_nested(void **state)
{
    static const struct act acts[] = {
        { DO, .done = enter },  { DO, .done = enter },
        { DO, .done = create }, { AWAIT, .made = leave, .except = 4 },
        { SAY_RAISED },         { AWAIT, .made = leave, .except = 6 },
        { SAY_RAISED },         { AGAIN },
    };
    struct object *loop = begin(), *task;
    struct play p = { acts };

    (void)state;
    set_members(fails, NULL, NULL);
    task = start(loop, &p);
    run_ready(loop);
    assert_diary("ExceptionGroup(unhandled errors in a TaskGroup (1 sub-exception)) "
                 "ExceptionGroup(unhandled errors in a TaskGroup (1 sub-exception))");
    note_errors(task, &exception_group);
    assert_diary("ExceptionGroup(unhandled errors in a TaskGroup (1 sub-exception))");
    play_end(&p);
    decref(task);
    end(loop);
}

/* ---- memory ---- */

static int create_or_fail(struct play *p)
{
    static const struct act acts[] = { { PASS }, { END } };
    static struct play member = { acts };
    struct object *number = int_new((int64_t)(uintptr_t)&member), *coroutine = NULL, *task = NULL;

    (void)p;
    if (number)
        coroutine = generator_new(&play_body, (borrowed[]){ number }, 1);
    if (coroutine)
        task = task_group_create(group[0], coroutine, NULL);
    xdecref(number);
    xdecref(coroutine);
    xdecref(task);
    return task ? 0 : -1;
}

static int enter_or_fail(struct play *p)
{
    (void)p;
    group[0] = task_group_new();
    return group[0] ? task_group_enter(group[0]) : -1;
}

static struct object *leave_or_fail(struct play *p)
{
    return task_group_exit(group[0], p->caught);
}

static int session(void)
{
    static const struct act acts[] = {
        { DO, .done = enter_or_fail },
        { DO, .done = create_or_fail, .except = 2 },
        { AWAIT, .made = leave_or_fail },
        { END },
    };
    struct play p = { acts };
    struct object *loop = loop_new(), *number = NULL, *coroutine = NULL, *task = NULL;
    struct object *result = NULL, *pending;

    group[0] = NULL;
    if (loop && (number = int_new((int64_t)(uintptr_t)&p)))
        coroutine = generator_new(&play_body, (borrowed[]){ number }, 1);
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
    xdecref(group[0]);
    xdecref(number);
    xdecref(coroutine);
    xdecref(task);
    xdecref(loop);
    rc_quiesce();
    collect(GENERATION_ALL);
    xdecref(result);
    /* The group may have MemoryError among its errors; or it came in the loop, which has told. */
    if (pending && exception_is(pending, &exception_group)) {
        decref(pending);
        pending = NULL;
    }
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
    fail_everywhere(session);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_taskgroup_01),
        cmocka_unit_test(test_taskgroup_without_tasks),
        cmocka_unit_test(test_cancel_children_on_child_error),
        cmocka_unit_test(test_cancel_body_on_child_error),
        cmocka_unit_test(test_errors_while_it_is_shut_down),
        cmocka_unit_test(test_the_body_raises),
        cmocka_unit_test(test_cancelled_in_the_body),
        cmocka_unit_test(test_cancelled_in_the_exit),
        cmocka_unit_test(test_an_outer_cancel_is_not_swallowed),
        cmocka_unit_test(test_a_cancelled_child_is_no_failure),
        cmocka_unit_test(test_a_base_error_comes_first),
        cmocka_unit_test(test_an_error_that_cannot_be_noted_ends_the_block),
        cmocka_unit_test(test_no_create_task_after_failure),
        cmocka_unit_test(test_misuse),
        cmocka_unit_test(test_finished),
        cmocka_unit_test(test_nested),
        cmocka_unit_test(test_no_memory_is_an_error),
    };

    alarm(LONG_S);
    return run_attached(tests);
}
