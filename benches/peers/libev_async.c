/* libev_async.c - the same with an async for each function, a thousand of them: no list, no mutex.
 *
 * They stand ready, and one that is sent twice is called once. A write wakes the loop for all.
 */
#include "benches/peers/libev/watchers.h"
#include "benches/peers/peer.h"

enum { BATCH = 1000 };

static struct ev_loop *loop;
static ev_async asyncs[BATCH];
static uint64_t calls;

static void count_call(struct ev_loop *unused, ev_async *watcher, int events)
{
    (void)unused, (void)watcher, (void)events;
    calls++;
}

static int setup(void)
{
    loop = ev_loop_new(EVFLAG_AUTO);
    peer_must(loop);
    for (int i = 0; i < BATCH; i++) {
        libev_async_init(&asyncs[i], count_call);
        ev_async_start(loop, &asyncs[i]);
    }
    calls = 0;
    return 0;
}

MEASURED static void run(uint64_t iterations)
{
    uint64_t before = calls;

    for (uint64_t done = 0; done < iterations; done += BATCH) {
        for (uint64_t i = 0; i < BATCH && done + i < iterations; i++)
            ev_async_send(loop, &asyncs[i]);
        ev_run(loop, EVRUN_NOWAIT);
    }
    peer_must(calls - before == iterations);
}

static void teardown(void)
{
    for (int i = 0; i < BATCH; i++)
        ev_async_stop(loop, &asyncs[i]);
    ev_loop_destroy(loop);
}

extern const struct micro peer_libev_async;

const struct micro peer_libev_async = {
    .about = "an async of libev's sent, and called", .once = true, .setup = setup, .run = run,
    .teardown = teardown,
};
