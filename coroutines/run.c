/* run.c - a whole program of coroutines. */
#include "coroutines/run.h"

#include "coroutines/bridge.h"
#include "coroutines/closing.h"
#include "coroutines/coroutine.h"
#include "coroutines/gather.h"
#include "objects/exception.h"
#include "objects/list.h"
#include "objects/none.h"
#include "objects/tuple.h"

/* ---- run_until_complete ---- */

static bool leaves_loop(borrowed future)
{
    borrowed e = future_cancelled(future) ? NULL : as_future(future)->exception;

    return e && (exception_is(e, &keyboard_interrupt) || exception_is(e, &system_exit));
}

/* What leaves the loop by itself has done so already, and should not stop its next run. */
static int stop_loop(borrowed loop, borrowed unused, borrowed future)
{
    (void)unused;
    loop_enter(loop, "run_until_complete");
    if (!leaves_loop(future))
        loop_stop(loop);
    return 0;
}

static struct object *result_of(borrowed future)
{
    if (future_done(future))
        return future_result(future);
    exception_set(&runtime_error, "Event loop stopped before Future completed.");
    return NULL;
}

static struct object *run_until_done(borrowed loop, borrowed future)
{
    int result;

    if (future_on_done(future, stop_loop, none(), false) < 0)
        return NULL;
    result = loop_run_forever(loop);
    future_not_on_done(future, stop_loop, none());
    if (result == 0)
        return result_of(future);
    as_future(future)->tells = false; /* it is raised from here */
    return NULL;
}

struct object *run_until_complete(borrowed loop, borrowed awaitable)
{
    struct object *future, *result;

    if (loop_check_runnable(loop) < 0)
        return NULL;
    future = ensure_future(loop, awaitable);
    if (!future)
        return NULL;
    if (future != awaitable)
        task_hush(future);
    result = run_until_done(loop, future);
    decref(future);
    return result;
}

/* ---- what is left ---- */

static int cancel_each(borrowed tasks)
{
    for (size_t i = 0; i < tuple_length(tasks); i++)
        if (future_cancel(tuple_get(tasks, i), NULL) < 0)
            return -1;
    return 0;
}

/* A list of what came of each. */
static struct object *wait_for_all(borrowed loop, borrowed tasks)
{
    const struct tuple_object *row = (const struct tuple_object *)tasks;
    struct object *all = gather(loop, (borrowed const *)row->item, row->length, true);
    struct object *result = all ? run_until_complete(loop, all) : NULL;

    xdecref(all);
    return result;
}

static int wait_for_tasks(borrowed loop, borrowed tasks)
{
    struct object *outcomes = wait_for_all(loop, tasks);

    xdecref(outcomes);
    return outcomes ? 0 : -1;
}

static void tell_of_failures(borrowed loop, borrowed tasks)
{
    for (size_t i = 0; i < tuple_length(tasks); i++) {
        borrowed task = tuple_get(tasks, i);
        borrowed e = future_cancelled(task) ? NULL : as_future(task)->exception;

        if (e)
            loop_tell(loop, "unhandled exception during asyncio.run() shutdown", e, task);
    }
}

static int cancel_all(borrowed loop)
{
    struct object *list = loop_tasks(loop), *tasks = list ? list_to_tuple(list) : NULL;
    int result = tasks ? 0 : -1;

    xdecref(list);
    if (tasks && tuple_length(tasks)) {
        result = cancel_each(tasks) < 0 ? -1 : wait_for_tasks(loop, tasks);
        if (result == 0)
            tell_of_failures(loop, tasks);
    }
    xdecref(tasks);
    return result;
}

/* ---- asynchronous generators ---- */

static int append_closing(borrowed row, borrowed g)
{
    struct object *closing = async_generator_close(g);
    int result = closing ? list_append(row, closing) : -1;

    xdecref(closing);
    return result;
}

/* A tuple of awaitables. */
static struct object *closings_of(borrowed generators)
{
    struct object *row = list_new(), *tuple = NULL;
    int result = row ? 0 : -1;

    for (size_t i = 0; result == 0 && i < list_length(generators); i++) {
        struct object *g = list_get(generators, i);

        result = append_closing(row, g);
        decref(g);
    }
    if (result == 0)
        tuple = list_to_tuple(row);
    xdecref(row);
    return tuple;
}

static void tell_of_errors(borrowed loop, borrowed outcomes)
{
    for (size_t i = 0; i < list_length(outcomes); i++) {
        struct object *outcome = list_get(outcomes, i);

        if (exception_is(outcome, &exception))
            loop_tell(loop, "an error occurred during closing of asynchronous generator", outcome,
                      NULL);
        decref(outcome);
    }
}

static int close_all(borrowed loop, borrowed generators)
{
    struct object *row = closings_of(generators), *outcomes = NULL;

    if (row)
        outcomes = wait_for_all(loop, row);
    if (outcomes)
        tell_of_errors(loop, outcomes);
    xdecref(row);
    xdecref(outcomes);
    return outcomes ? 0 : -1;
}

int shutdown_generators(borrowed loop)
{
    struct object *generators = closing_take(loop_closing(loop));
    int result = generators ? 0 : -1;

    if (generators && list_length(generators))
        result = close_all(loop, generators);
    xdecref(generators);
    return result;
}

/* ---- the loop's own executor ---- */

static int join_executor(borrowed loop)
{
    struct object *over = shutdown_default_executor(loop), *result = NULL;

    if (over)
        result = run_until_complete(loop, over);
    xdecref(over);
    xdecref(result);
    return result ? 0 : -1;
}

/* ---- run ---- */

/* Interrupted, it was cancelled; if by nothing else, it is the interrupt that is raised. */
static void tell_interrupt_from_cancel(borrowed loop, borrowed task)
{
    if (!exception_matches(&cancelled_error) || !loop_interrupts(loop))
        return;
    if (task_uncancel(task) == 0)
        exception_set(&keyboard_interrupt, "%s", "");
}

static struct object *run_main(borrowed loop, borrowed coroutine)
{
    struct object *task = task_new(loop, coroutine, NULL), *result;

    if (!task)
        return NULL;
    loop_set_main_task(loop, task);
    result = run_until_complete(loop, task);
    loop_set_main_task(loop, NULL);
    if (!result)
        tell_interrupt_from_cancel(loop, task);
    decref(task);
    return result;
}

/* The main task's exception is what is raised, whatever comes of the others. */
static struct object *finish(borrowed loop, struct object *result /* steals; may be NULL */)
{
    struct object *raised = exception_take();
    int ended = 0;

    if (cancel_all(loop) < 0 || shutdown_generators(loop) < 0 || join_executor(loop) < 0)
        ended = -1;

    if (ended < 0 && raised)
        exception_restore(NULL);
    if (ended < 0 && result) {
        decref(result);
        result = NULL;
    }
    if (raised)
        exception_restore(raised);
    return result;
}

static int refuse_running(void)
{
    exception_set(&runtime_error, "asyncio.run() cannot be called from a running event loop");
    return -1;
}

static int check(borrowed coroutine)
{
    char text[80];

    if (loop_running())
        return refuse_running();
    if (type_of(coroutine) == &coroutine_type)
        return 0;
    object_repr(coroutine, text, sizeof text);
    exception_set(&value_error, "a coroutine was expected, got %s", text);
    return -1;
}

struct object *run_on(borrowed loop, borrowed coroutine)
{
    struct object *result = NULL, *pending;

    if (check(coroutine) < 0)
        return NULL;
    result = finish(loop, run_main(loop, coroutine));
    pending = exception_take();
    loop_close(loop);
    exception_restore(pending);
    return result;
}

struct object *run(borrowed coroutine, const struct loop_hooks *hooks)
{
    struct object *loop, *result;

    if (check(coroutine) < 0)
        return NULL;
    loop = loop_new();
    if (!loop)
        return NULL;
    if (hooks)
        loop_set_hooks(loop, hooks);
    result = run_on(loop, coroutine);
    decref(loop);
    return result;
}
