/* libuv_timer.c - a timer of libuv's set and fired: a million are set, and then all fire.
 *
 * Deadlines are those of timer_deadlines.h, in ms, as libuv counts. They are relative to the loop's
 * time, which is set back, so that all have passed when it next looks at the clock. Timers are an
 * array of ours, made once: to set one takes no memory.
 */
#include "benches/peers/peer.h"
#include "benches/timer_deadlines.h"

#include <stdlib.h>
#include <uv.h>

enum { MS_BEHIND = 1001 };

static uv_loop_t loop;
static uv_timer_t *timers; /* lives as long as the process, and the loop with it */
static uint64_t calls, random_state;

static void count_call(uv_timer_t *timer)
{
    (void)timer;
    calls++;
}

static int setup(void)
{
    random_state = DEADLINES_SEED;
    if (timers)
        return 0;
    timers = calloc(TIMERS_AT_ONCE, sizeof *timers);
    peer_must(timers && uv_loop_init(&loop) == 0);
    for (int i = 0; i < TIMERS_AT_ONCE; i++)
        uv_timer_init(&loop, &timers[i]);
    return 0;
}

static uint64_t random_ms(void)
{
    return deadline_random(&random_state) / NS_PER_MS;
}

MEASURED static void run(uint64_t iterations)
{
    uint64_t before = calls;

    for (uint64_t done = 0; done < iterations; done += TIMERS_AT_ONCE) {
        uv_update_time(&loop);
        loop.time -= MS_BEHIND;
        for (uint64_t i = 0; i < TIMERS_AT_ONCE && done + i < iterations; i++)
            uv_timer_start(&timers[i], count_call, random_ms(), 0);
        uv_run(&loop, UV_RUN_NOWAIT);
    }
    peer_must(calls - before == iterations);
}

extern const struct micro peer_libuv_timer;

const struct micro peer_libuv_timer = {
    .about = "a timer of libuv's set and fired: a million at once", .once = true, .setup = setup,
    .run = run,
};
