/* task_states.c - a task before and after, with its callback.
 *
 *     async def work(a):
 *         print("working on", a)
 *         return a * 2
 *     def callback(task):
 *         print("callback sees", task.result())
 *     async def main():
 *         task = asyncio.ensure_future(work(21))
 *         task.add_done_callback(callback)
 *         print("done?", task.done())
 *         print("awaited", await task)
 *         print("done?", task.done(), "cancelled?", task.cancelled())
 *         lazy = asyncio.ensure_future(asyncio.sleep(60))
 *         await asyncio.sleep(0)
 *         print("cancel asked:", lazy.cancel())
 *         try:
 *             await lazy
 *         except asyncio.CancelledError:
 *             print("cancelled?", lazy.cancelled())
 *     asyncio.run(main())
 */
#include "benches/demo.h"
#include "benches/demo_coroutines.h"

#include "coroutines/coroutine.h"
#include "coroutines/run.h"
#include "coroutines/sleep.h"
#include "gil/mutex.h"
#include "objects/exception.h"
#include "objects/function.h"
#include "objects/int.h"

#include <stdio.h>

enum { LAZY_S = 60 };
enum { TASK, REFERENCES }; /* of main: `task`, and then `lazy` */
enum { BEGINS, AWAITED, PASSED, CANCELLED };

static const char *truth(bool b)
{
    return b ? "True" : "False";
}

static enum turn work(struct frame *f, enum resume how, borrowed argument, struct object **result)
{
    int64_t a = int_value(f->reference[0]);

    if (how == RESUME_THROW)
        return frame_raise(argument);
    printf("working on %d\n", (int)a);
    *result = int_new(a * 2);
    return *result ? TURN_RETURN : TURN_ERROR;
}

static const struct body work_body = {
    .name = "work", .kind = COROUTINE, .resume = work, .references = 1,
};

static struct object *callback(borrowed closure, borrowed const *arguments, size_t count)
{
    struct object *result = future_result(arguments[0]);

    (void)closure, (void)count;
    if (!result)
        return NULL;
    printf("callback sees %d\n", (int)int_value(result));
    decref(result);
    return none();
}

static int add_callback(borrowed task)
{
    struct object *f = function_new("callback", callback, 1, NULL);
    int result = f ? future_add_done_callback(task, f) : -1;

    xdecref(f);
    return result;
}

static struct object *work_task(void)
{
    struct object *number = int_new(21), *coroutine = NULL, *task = NULL;

    if (number)
        coroutine = generator_new(&work_body, (borrowed[]){ number }, 1);
    if (coroutine)
        task = ensure_future(loop_running(), coroutine);
    xdecref(number);
    xdecref(coroutine);
    return task;
}

static struct object *lazy_task(void)
{
    struct object *coroutine = sleep_new(LAZY_S * (int64_t)NS_PER_S, NULL), *task;

    if (!coroutine)
        return NULL;
    task = ensure_future(loop_running(), coroutine);
    decref(coroutine);
    return task;
}

static enum turn await_object(struct object *awaitable /* steals; may be NULL */,
                              struct object **result)
{
    *result = demo_await(awaitable);
    return *result ? TURN_FROM : TURN_ERROR;
}

static enum turn begin(struct frame *f, struct object **result)
{
    f->at = AWAITED;
    f->reference[TASK] = work_task();
    if (!f->reference[TASK] || add_callback(f->reference[TASK]) < 0)
        return TURN_ERROR;
    printf("done? %s\n", truth(future_done(f->reference[TASK])));
    return await_object(incref(f->reference[TASK]), result);
}

static enum turn go_on(struct frame *f, borrowed awaited, struct object **result)
{
    struct object *task = f->reference[TASK];

    f->at = PASSED;
    printf("awaited %d\n", (int)int_value(awaited));
    printf("done? %s cancelled? %s\n", truth(future_done(task)), truth(future_cancelled(task)));
    f->reference[TASK] = lazy_task();
    decref(task);
    return f->reference[TASK] ? await_object(sleep_new(0, NULL), result) : TURN_ERROR;
}

static enum turn cancel_lazy(struct frame *f, struct object **result)
{
    f->at = CANCELLED;
    printf("cancel asked: %s\n", truth(future_cancel(f->reference[TASK], NULL) == 1));
    return await_object(incref(f->reference[TASK]), result);
}

static enum turn main_turn(struct frame *f, enum resume how, borrowed argument,
                           struct object **result)
{
    if (how == RESUME_THROW && f->at == CANCELLED && exception_is(argument, &cancelled_error)) {
        printf("cancelled? %s\n", truth(future_cancelled(f->reference[TASK])));
        return frame_return(result);
    }
    if (how == RESUME_THROW)
        return frame_raise(argument);
    switch (f->at) {
    case BEGINS:
        return begin(f, result);
    case AWAITED:
        return go_on(f, argument, result);
    case PASSED:
        return cancel_lazy(f, result);
    default:
        return frame_return(result);
    }
}

static const struct body main_body = {
    .name = "main", .kind = COROUTINE, .resume = main_turn, .references = REFERENCES,
};

static int tell(const char *mode, struct gil *gil, const struct thread_hooks *hooks)
{
    (void)mode, (void)gil, (void)hooks;
    return demo_run(&main_body);
}

const struct demo demo_task_states = {
    .about = "a task before and after, its callback, and one that is cancelled", .modes = "gil",
    .run = tell,
};
