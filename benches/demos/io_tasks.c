/* io_tasks.c - waiting 0.2 s and 0.3 s together takes 0.3 s.
 *
 *     async def io_task(name, seconds):
 *         print(name, "starts")
 *         await asyncio.sleep(seconds)
 *         print(name, "done after", seconds)
 *         return name
 *     async def main():
 *         done, pending = await asyncio.wait([ensure_future(io_task("one", 0.2)),
 *                                             ensure_future(io_task("two", 0.3))])
 *         print(len(done), "done,", len(pending), "pending")
 *     asyncio.run(main())
 */
#include "benches/demo.h"
#include "benches/demo_coroutines.h"

#include "coroutines/coroutine.h"
#include "coroutines/run.h"
#include "coroutines/sleep.h"
#include "coroutines/wait.h"
#include "gil/mutex.h"
#include "objects/int.h"
#include "objects/set.h"
#include "objects/str.h"
#include "objects/tuple.h"

#include <stdio.h>

enum { NAME, TENTHS };

static enum turn io_task(struct frame *f, enum resume how, borrowed argument,
                         struct object **result)
{
    const char *name = str_text(f->reference[NAME]);
    int64_t tenths = int_value(f->reference[TENTHS]);

    if (how == RESUME_THROW)
        return frame_raise(argument);
    if (f->at++) {
        printf("%s done after 0.%d\n", name, (int)tenths);
        *result = incref(f->reference[NAME]);
        return TURN_RETURN;
    }
    printf("%s starts\n", name);
    *result = demo_await(sleep_new(tenths * 100 * NS_PER_MS, NULL));
    return *result ? TURN_FROM : TURN_ERROR;
}

static const struct body io_task_body = {
    .name = "io_task", .kind = COROUTINE, .resume = io_task, .references = 2,
};

static struct object *io_task_new(const char *text, int64_t tenths)
{
    struct object *name = str_new(text), *number = int_new(tenths), *coroutine = NULL, *task = NULL;

    if (name && number)
        coroutine = generator_new(&io_task_body, (borrowed[]){ name, number }, 2);
    if (coroutine)
        task = ensure_future(loop_running(), coroutine);
    xdecref(name);
    xdecref(number);
    xdecref(coroutine);
    return task;
}

static struct object *wait_for_both(void)
{
    struct object *one = io_task_new("one", 2), *two = one ? io_task_new("two", 3) : NULL;
    struct object *coroutine = NULL;

    if (two)
        coroutine = wait_new((borrowed[]){ one, two }, 2, WAIT_FOREVER, WAIT_ALL);
    xdecref(one);
    xdecref(two);
    return coroutine;
}

static enum turn main_turn(struct frame *f, enum resume how, borrowed argument,
                           struct object **result)
{
    if (how == RESUME_THROW)
        return frame_raise(argument);
    if (f->at++) {
        printf("%zu done, %zu pending\n", set_length(tuple_get(argument, 0)),
               set_length(tuple_get(argument, 1)));
        return frame_return(result);
    }
    *result = demo_await(wait_for_both());
    return *result ? TURN_FROM : TURN_ERROR;
}

static const struct body main_body = { .name = "main", .kind = COROUTINE, .resume = main_turn };

static int tell(const char *mode, struct gil *gil, const struct thread_hooks *hooks)
{
    uint64_t start_ns = clock_ns(), took_ns;

    (void)mode, (void)gil, (void)hooks;
    if (demo_run(&main_body) < 0)
        return -1;
    took_ns = clock_ns() - start_ns;
    printf("between 0.3 and 0.4 s: %s\n",
           took_ns >= 300 * NS_PER_MS && took_ns < 400 * NS_PER_MS ? "True" : "False");
    return 0;
}

const struct demo demo_io_tasks = {
    .about = "waiting 0.2 s and 0.3 s together takes 0.3 s: asyncio.wait", .modes = "gil",
    .run = tell,
};
