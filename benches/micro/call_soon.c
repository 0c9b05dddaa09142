/* call_soon.c - a function given to an event loop, and called by it. */
#include "benches/micro.h"

#include "benches/loop_bench.h"

static int give(void)
{
    return loop_call_soon(own.loop, own.f, NULL);
}

MEASURED static void run(uint64_t iterations)
{
    run_batches(iterations, LOOP_BATCH, give, turn);
}

static int setup(void)
{
    return setup_loop(run);
}

const struct micro micro_call_soon = {
    .about = "a function that an event loop is given, and calls in its next turn", .setup = setup,
    .run = run, .teardown = teardown,
};
