/* libev_call_soon.c - a thousand functions that libev's loop calls in its next turn.
 *
 * Each is a watcher that is fed an event. The watchers stand ready, their memory is ours, and none
 * is started: it is the shortest way that there is.
 */
#include "benches/peers/libev/watchers.h"
#include "benches/peers/peer.h"

enum { BATCH = 1000 };

static struct ev_loop *loop;
static ev_watcher watchers[BATCH];
static uint64_t calls;

static void count_call(struct ev_loop *unused, ev_watcher *watcher, int events)
{
    (void)unused, (void)watcher, (void)events;
    calls++;
}

static int setup(void)
{
    loop = ev_loop_new(EVFLAG_AUTO);
    peer_must(loop);
    for (int i = 0; i < BATCH; i++)
        libev_watcher_init(&watchers[i], count_call);
    calls = 0;
    return 0;
}

MEASURED static void run(uint64_t iterations)
{
    uint64_t before = calls;

    for (uint64_t done = 0; done < iterations; done += BATCH) {
        for (uint64_t i = 0; i < BATCH && done + i < iterations; i++)
            ev_feed_event(loop, &watchers[i], EV_CUSTOM);
        ev_run(loop, EVRUN_NOWAIT);
    }
    peer_must(calls - before == iterations);
}

static void teardown(void)
{
    ev_loop_destroy(loop);
}

extern const struct micro peer_libev_call_soon;

const struct micro peer_libev_call_soon = {
    .about = "a watcher of libev's fed an event, and called in the next turn",
    .once = true, .setup = setup, .run = run, .teardown = teardown,
};
