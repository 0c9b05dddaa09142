/* batches.h - calls given to an event loop in batches, as a loop has them when it is busy.
 *
 * A turn costs a poll, which is the kernel's; a batch shares it.
 */
#ifndef BENCHES_BATCHES_H
#define BENCHES_BATCHES_H

#include <stdint.h>

enum { LOOP_BATCH = 1000 };

/* Gives the loop so many calls, a batch to a turn. */
static inline __attribute__((always_inline)) void run_batches(uint64_t iterations, uint64_t batch,
                                                              int give(void), int turn(void))
{
    for (uint64_t done = 0; done < iterations; done += batch) {
        for (uint64_t i = done; i < iterations && i < done + batch; i++)
            if (give() < 0)
                return;
        if (turn() < 0)
            return;
    }
}

#endif
