/* task_join.c - a task made, and awaited by the one that made it; it returns at once. */
#include "benches/micro.h"

#include "coroutines/coroutine.h"
#include "coroutines/run.h"

static struct {
    struct object *loop;
    uint64_t left;
} own;

static enum turn end_at_once(struct frame *f, enum resume how, borrowed argument,
                             struct object **result)
{
    (void)f;
    return how == RESUME_THROW ? frame_raise(argument) : frame_return(result);
}

static const struct body child = { .name = "child", .kind = COROUTINE, .resume = end_at_once };

static struct object *task_of_child(void)
{
    struct object *coroutine = generator_new(&child, NULL, 0), *task = NULL;

    if (coroutine)
        task = task_new(own.loop, coroutine, NULL);
    xdecref(coroutine);
    return task;
}

static enum turn join_all(struct frame *f, enum resume how, borrowed argument,
                          struct object **result)
{
    struct object *task;

    (void)f;
    if (how == RESUME_THROW)
        return frame_raise(argument);
    if (!own.left)
        return frame_return(result);
    own.left--;
    task = task_of_child();
    *result = task ? await_iterator(task) : NULL;
    xdecref(task);
    return *result ? TURN_FROM : TURN_ERROR;
}

static const struct body parent = { .name = "parent", .kind = COROUTINE, .resume = join_all };

MEASURED static void join_many(uint64_t iterations)
{
    struct object *coroutine = generator_new(&parent, NULL, 0), *result = NULL;

    own.left = iterations;
    if (coroutine)
        result = run_until_complete(own.loop, coroutine);
    xdecref(coroutine);
    xdecref(result);
}

static int setup(void)
{
    own.loop = loop_new();
    if (!own.loop)
        return -1;
    join_many(1); /* so that its tables are there */
    return 0;
}

static void teardown(void)
{
    loop_close(own.loop);
    decref(own.loop);
}

const struct micro micro_task_join = {
    .about = "a task made, and awaited by the one that made it", .setup = setup, .run = join_many,
    .teardown = teardown,
};
