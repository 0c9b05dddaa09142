/* timer.c - a timer set and fired: a million are set, and then all fire in one turn.
 *
 * Deadlines are random, and have passed. To see a million at once it must run for long enough:
 * --benchmark_min_time=0.3.
 */
#include "benches/micro.h"

#include "benches/loop_bench.h"
#include "benches/timer_deadlines.h"

static uint64_t random_state;

static int give(void)
{
    struct object *handle = loop_call_at(own.loop, deadline_random(&random_state), own.f, NULL);

    xdecref(handle);
    return handle ? 0 : -1;
}

MEASURED static void run(uint64_t iterations)
{
    run_batches(iterations, TIMERS_AT_ONCE, give, turn);
}

static int setup(void)
{
    random_state = DEADLINES_SEED;
    return setup_loop(run);
}

const struct micro micro_timer = {
    .about = "a timer of an event loop, set and fired: a million at once", .setup = setup,
    .run = run, .teardown = teardown,
};
