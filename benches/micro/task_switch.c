/* task_switch.c - a task that gives up its turn, and the next one that has it: a hundred in turn.
 *
 * As the workload task_switch, on one thread.
 */
#include "benches/micro.h"

#include "coroutines/coroutine.h"
#include "coroutines/task.h"

enum { TASKS = 100 };

static struct {
    struct object *loop;
    uint64_t left;
} own;

static enum turn pass(struct frame *f, enum resume how, borrowed argument, struct object **result)
{
    (void)f;
    if (how == RESUME_THROW)
        return frame_raise(argument);
    if (own.left-- == 1)
        loop_stop(own.loop);
    *result = none();
    return TURN_YIELD;
}

static const struct body pass_body = { .name = "pass", .kind = COROUTINE, .resume = pass };

static int add_task(void)
{
    struct object *coroutine = generator_new(&pass_body, NULL, 0), *task = NULL;

    if (coroutine)
        task = task_new(own.loop, coroutine, NULL);
    xdecref(coroutine);
    xdecref(task); /* the loop holds it */
    return task ? 0 : -1;
}

static void teardown(void)
{
    loop_close(own.loop);
    decref(own.loop);
}

static int setup(void)
{
    int result = 0;

    own.loop = loop_new();
    if (!own.loop)
        return -1;
    for (int i = 0; i < TASKS && result == 0; i++)
        result = add_task();
    if (result < 0)
        teardown();
    return result;
}

/* The last turn is finished, so it may be some more. */
MEASURED static void run(uint64_t iterations)
{
    own.left = iterations;
    loop_run_forever(own.loop);
}

const struct micro micro_task_switch = {
    .about = "a step of a task that gives up its turn, one of a hundred", .setup = setup,
    .run = run, .teardown = teardown,
};
