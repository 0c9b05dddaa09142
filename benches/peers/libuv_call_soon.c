/* libuv_call_soon.c - a thousand functions that libuv's loop calls in its next turn.
 *
 * It takes none, so each is an idle handle: started, called, and stopped by what it calls. The
 * handles stand ready, their memory is ours. (Checks and prepares cost the same; an async or a
 * timer more.)
 */
#include "benches/peers/peer.h"

#include <uv.h>

enum { BATCH = 1000 };

static uv_loop_t loop;
static uv_idle_t handles[BATCH];
static uint64_t calls;

static void count_call(uv_idle_t *handle)
{
    calls++;
    uv_idle_stop(handle);
}

static int setup(void)
{
    uv_loop_init(&loop);
    for (int i = 0; i < BATCH; i++)
        uv_idle_init(&loop, &handles[i]);
    calls = 0;
    return 0;
}

MEASURED static void run(uint64_t iterations)
{
    uint64_t before = calls;

    for (uint64_t done = 0; done < iterations; done += BATCH) {
        for (uint64_t i = 0; i < BATCH && done + i < iterations; i++)
            uv_idle_start(&handles[i], count_call);
        uv_run(&loop, UV_RUN_NOWAIT);
    }
    peer_must(calls - before == iterations);
}

static void teardown(void)
{
    for (int i = 0; i < BATCH; i++)
        uv_close((uv_handle_t *)&handles[i], NULL);
    uv_run(&loop, UV_RUN_DEFAULT);
    peer_must(uv_loop_close(&loop) == 0);
}

extern const struct micro peer_libuv_call_soon;

const struct micro peer_libuv_call_soon = {
    .about = "an idle handle of libuv's started, called in the next turn, and stopped",
    .once = true, .setup = setup, .run = run, .teardown = teardown,
};
