/* timer_deadlines.h - the deadlines of micro/timer.c and its control: the same for both. */
#ifndef BENCHES_TIMER_DEADLINES_H
#define BENCHES_TIMER_DEADLINES_H

#include "gil/mutex.h"

#include <stdint.h>

enum { TIMERS_AT_ONCE = 1000000, DEADLINES_SEED = 12345 };

/* Of the first second after the start of the clock, which has long passed: by xorshift64 (G.
 * Marsaglia, Xorshift RNGs, J. Stat. Software 8(14), 2003). */
static inline uint64_t deadline_random(uint64_t *state)
{
    *state ^= *state << 13;
    *state ^= *state >> 7;
    *state ^= *state << 17;
    return *state % NS_PER_S;
}

#endif
