/* call_soon.c - a function given to an event loop, and called by it.
 *
 * In batches, as a loop has them when it is busy: a turn costs a poll, which is the kernel's.
 */
#include "benches/micro.h"

#include "coroutines/loop.h"
#include "objects/function.h"
#include "objects/none.h"

enum { BATCH = 1000 };

static struct {
    struct object *loop, *f;
    uint64_t calls;
} own;

static struct object *count_call(borrowed closure, borrowed const *arguments, size_t count)
{
    (void)closure, (void)arguments, (void)count;
    own.calls++;
    return none();
}

static int turn(void)
{
    loop_stop(own.loop);
    return loop_run_forever(own.loop);
}

MEASURED static void run(uint64_t iterations)
{
    for (uint64_t done = 0; done < iterations; done += BATCH) {
        for (uint64_t i = done; i < iterations && i < done + BATCH; i++)
            if (loop_call_soon(own.loop, own.f, NULL) < 0)
                return;
        if (turn() < 0)
            return;
    }
}

static int setup(void)
{
    own.loop = loop_new();
    own.f = own.loop ? function_new("count_call", count_call, ARGUMENTS_ANY, NULL) : NULL;
    if (own.f) {
        run(1); /* so that its tables are there */
        return 0;
    }
    xdecref(own.loop);
    return -1;
}

static void teardown(void)
{
    loop_close(own.loop);
    decref(own.loop);
    decref(own.f);
}

const struct micro micro_call_soon = {
    .about = "a function that an event loop is given, and calls in its next turn", .setup = setup,
    .run = run, .teardown = teardown,
};
