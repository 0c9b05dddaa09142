/* libuv_call_threadsafe.c - functions that libuv's loop is sent, and calls: as any thread may.
 *
 * Its asyncs are coalesced, one that was sent a thousand times is called once, and one each would
 * be a write each. So it is done as libuv's users do it: a list of functions under a mutex, and one
 * async that says there is something on it. Sent and received by one thread, as in
 * micro/call_threadsafe.c.
 */
#include "benches/peers/called.h"
#include "benches/peers/peer.h"

#include <uv.h>

enum { BATCH = CALLED_AT_MOST };

static uv_loop_t loop;
static uv_async_t async;
static struct called list;
static uint64_t calls;

static void count_call(void *unused)
{
    (void)unused;
    calls++;
}

static void call_all(uv_async_t *unused)
{
    (void)unused;
    called_call_all(&list);
}

static int setup(void)
{
    uv_loop_init(&loop);
    uv_async_init(&loop, &async, call_all);
    called_init(&list);
    calls = 0;
    return 0;
}

MEASURED static void run(uint64_t iterations)
{
    uint64_t before = calls;

    for (uint64_t done = 0; done < iterations; done += BATCH) {
        for (uint64_t i = 0; i < BATCH && done + i < iterations; i++) {
            called_add(&list, count_call, NULL);
            uv_async_send(&async);
        }
        uv_run(&loop, UV_RUN_NOWAIT);
    }
    peer_must(calls - before == iterations);
}

static void teardown(void)
{
    uv_close((uv_handle_t *)&async, NULL);
    uv_run(&loop, UV_RUN_DEFAULT);
    peer_must(uv_loop_close(&loop) == 0);
    called_fini(&list);
}

extern const struct micro peer_libuv_call_threadsafe;

const struct micro peer_libuv_call_threadsafe = {
    .about = "a function put in a list, and libuv's loop woken by an async to call it",
    .once = true, .setup = setup, .run = run, .teardown = teardown,
};
