/* libev_timer.c - a timer of libev's set and fired: a million are set, and then all fire.
 *
 * Deadlines are those of timer_deadlines.h, as delays that are negative: all have passed. Timers
 * are an array of ours, made once: to set one takes no memory.
 */
#include "benches/peers/libev/watchers.h"
#include "benches/peers/peer.h"
#include "benches/timer_deadlines.h"

#include <stdlib.h>

static struct ev_loop *loop;
static ev_timer *timers; /* lives as long as the process, and the loop with it */
static uint64_t calls, random_state;

static void count_call(struct ev_loop *unused, ev_timer *timer, int events)
{
    (void)unused, (void)timer, (void)events;
    calls++;
}

static int setup(void)
{
    random_state = DEADLINES_SEED;
    if (timers)
        return 0;
    timers = calloc(TIMERS_AT_ONCE, sizeof *timers);
    loop = ev_loop_new(EVFLAG_AUTO);
    peer_must(timers && loop);
    return 0;
}

static ev_tstamp random_delay_s(void)
{
    return (ev_tstamp)deadline_random(&random_state) / NS_PER_S - 1.5;
}

MEASURED static void run(uint64_t iterations)
{
    uint64_t before = calls;

    for (uint64_t done = 0; done < iterations; done += TIMERS_AT_ONCE) {
        for (uint64_t i = 0; i < TIMERS_AT_ONCE && done + i < iterations; i++) {
            libev_timer_init(&timers[i], count_call, random_delay_s());
            ev_timer_start(loop, &timers[i]);
        }
        ev_run(loop, EVRUN_NOWAIT);
    }
    peer_must(calls - before == iterations);
}

extern const struct micro peer_libev_timer;

const struct micro peer_libev_timer = {
    .about = "a timer of libev's set and fired: a million at once", .once = true, .setup = setup,
    .run = run,
};
