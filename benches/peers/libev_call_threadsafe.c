/* libev_call_threadsafe.c - functions that libev's loop is sent, and calls: as any thread may.
 *
 * A list of functions under a mutex, and one async that says there is something on it, as
 * libuv_call_threadsafe.c. Sent and received by one thread, as in micro/call_threadsafe.c.
 */
#include "benches/peers/called.h"
#include "benches/peers/libev/watchers.h"
#include "benches/peers/peer.h"

enum { BATCH = CALLED_AT_MOST };

static struct ev_loop *loop;
static ev_async async;
static struct called list;
static uint64_t calls;

static void count_call(void *unused)
{
    (void)unused;
    calls++;
}

static void call_all(struct ev_loop *unused, ev_async *watcher, int events)
{
    (void)unused, (void)watcher, (void)events;
    called_call_all(&list);
}

static int setup(void)
{
    loop = ev_loop_new(EVFLAG_AUTO);
    peer_must(loop);
    libev_async_init(&async, call_all);
    ev_async_start(loop, &async);
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
            ev_async_send(loop, &async);
        }
        ev_run(loop, EVRUN_NOWAIT);
    }
    peer_must(calls - before == iterations);
}

static void teardown(void)
{
    ev_async_stop(loop, &async);
    ev_loop_destroy(loop);
    called_fini(&list);
}

extern const struct micro peer_libev_call_threadsafe;

const struct micro peer_libev_call_threadsafe = {
    .about = "a function put in a list, and libev's loop woken by an async to call it",
    .once = true, .setup = setup, .run = run, .teardown = teardown,
};
