/* bare_call_threadsafe.c - the same by a loop without objects: what call_threadsafe cannot beat. */
#include "benches/micro.h"

#include "benches/bare_loop.h"
#include "benches/batches.h"

static struct bare_loop loop;
static uint64_t calls;

static void count_call(void *unused)
{
    (void)unused;
    calls++;
}

static int setup(void)
{
    return bare_loop_init(&loop);
}

static int give(void)
{
    return bare_call_soon_threadsafe(&loop, count_call, NULL) ? 0 : -1;
}

static int turn(void)
{
    bare_turn(&loop);
    return 0;
}

MEASURED static void run(uint64_t iterations)
{
    run_batches(iterations, LOOP_BATCH, give, turn);
}

static void teardown(void)
{
    bare_loop_fini(&loop);
}

const struct micro micro_bare_call_threadsafe = {
    .about = "a function and a pointer that a bare event loop is sent through its inbox, and calls",
    .once = true, .setup = setup, .run = run, .teardown = teardown,
};
