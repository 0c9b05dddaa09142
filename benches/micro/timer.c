/* timer.c - a timer set and fired: a million are set, and then all fire in one turn.
 *
 * Deadlines are random, and have passed. To see a million at once it must run for long enough:
 * --benchmark_min_time=0.3.
 */
#include "benches/micro.h"

#include "benches/timer_deadlines.h"
#include "coroutines/loop.h"
#include "objects/function.h"
#include "objects/none.h"

static struct {
    struct object *loop, *f;
    uint64_t calls, random;
} own;

static struct object *count_call(borrowed closure, borrowed const *arguments, size_t count)
{
    (void)closure, (void)arguments, (void)count;
    own.calls++;
    return none();
}

static int set_timer(uint64_t when_ns)
{
    struct object *handle = loop_call_at(own.loop, when_ns, own.f, NULL);

    xdecref(handle);
    return handle ? 0 : -1;
}

static int turn(void)
{
    loop_stop(own.loop);
    return loop_run_forever(own.loop);
}

MEASURED static void run(uint64_t iterations)
{
    for (uint64_t done = 0; done < iterations; done += TIMERS_AT_ONCE) {
        for (uint64_t i = done; i < iterations && i < done + TIMERS_AT_ONCE; i++)
            if (set_timer(deadline_random(&own.random)) < 0)
                return;
        if (turn() < 0)
            return;
    }
}

static int setup(void)
{
    own.random = DEADLINES_SEED;
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

const struct micro micro_timer = {
    .about = "a timer of an event loop, set and fired: a million at once", .setup = setup,
    .run = run, .teardown = teardown,
};
