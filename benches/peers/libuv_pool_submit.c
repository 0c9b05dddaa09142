/* libuv_pool_submit.c - calls that libuv's pool of two makes, and their results: 64 at once.
 *
 * The result is what the loop calls when it hears of it; a request is a struct of ours that stands
 * ready. Done as micro/pool_submit.c does it, by the wall clock.
 */
#include "benches/peers/peer.h"

#include <stdlib.h>
#include <uv.h>

enum { BURST = 64 };

static uv_loop_t loop;
static uv_work_t requests[BURST];
static uint64_t results;

static void do_nothing(uv_work_t *request)
{
    (void)request;
}

static void take_result(uv_work_t *request, int status)
{
    (void)request;
    peer_must(status == 0);
    results++;
}

/* Its threads start with the first request, and end with the process. */
static int setup(void)
{
    setenv("UV_THREADPOOL_SIZE", "2", 1);
    uv_loop_init(&loop);
    results = 0;
    return 0;
}

MEASURED static void run(uint64_t iterations)
{
    uint64_t before = results, submitted = 0;

    for (uint64_t done = 0; done < iterations; done += BURST) {
        for (int i = 0; i < BURST; i++)
            uv_queue_work(&loop, &requests[i], do_nothing, take_result);
        submitted += BURST;
        uv_run(&loop, UV_RUN_DEFAULT); /* until nothing is under way */
    }
    peer_must(results - before == submitted);
}

static void teardown(void)
{
    peer_must(uv_loop_close(&loop) == 0);
}

extern const struct micro peer_libuv_pool_submit;

const struct micro peer_libuv_pool_submit = {
    .about = "64 calls queued for libuv's pool of two threads, and their results taken; per call",
    .once = true, .setup = setup, .run = run, .teardown = teardown,
};
