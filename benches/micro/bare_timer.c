/* bare_timer.c - the same by a loop without objects: what timer cannot beat. */
#include "benches/micro.h"

#include "benches/bare_loop.h"
#include "benches/batches.h"
#include "benches/timer_deadlines.h"

static struct bare_loop loop;
static uint64_t calls, random_state;

static void count_call(void *unused)
{
    (void)unused;
    calls++;
}

static int give(void)
{
    return bare_call_at(&loop, deadline_random(&random_state), count_call, NULL) ? 0 : -1;
}

static int turn(void)
{
    bare_turn(&loop);
    return 0;
}

MEASURED static void run(uint64_t iterations)
{
    run_batches(iterations, TIMERS_AT_ONCE, give, turn);
}

static int setup(void)
{
    random_state = DEADLINES_SEED;
    if (bare_loop_init(&loop) < 0)
        return -1;
    run(1); /* so that the heap's table is there */
    return 0;
}

static void teardown(void)
{
    bare_loop_fini(&loop);
}

const struct micro micro_bare_timer = {
    .about = "a timer of a bare event loop, set and fired: a million at once", .once = true,
    .setup = setup, .run = run, .teardown = teardown,
};
