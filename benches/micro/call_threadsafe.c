/* call_threadsafe.c - the same as a letter, by way of the inbox that any thread may use.
 *
 * Sent and received by one thread, so that it is the work that is measured, and not how fast a
 * cache line travels. In a batch only the first letter could find the loop asleep.
 */
#include "benches/micro.h"

#include "benches/loop_bench.h"

static int give(void)
{
    return loop_call_soon_threadsafe(own.loop, own.f, NULL);
}

MEASURED static void run(uint64_t iterations)
{
    run_batches(iterations, LOOP_BATCH, give, turn);
}

static int setup(void)
{
    return setup_loop(run);
}

const struct micro micro_call_threadsafe = {
    .about = "a function that an event loop is sent through its inbox, and calls", .setup = setup,
    .run = run, .teardown = teardown,
};
