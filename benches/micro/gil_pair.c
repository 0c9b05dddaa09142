/* gil_pair.c - a detach and an attach that nobody disputes.
 *
 * What each blocking call pays for the global lock. Under `none` it is the price of
 * the thread's state alone.
 */
#include "benches/micro.h"

#include "gil/thread.h"

MEASURED static void run(uint64_t iterations)
{
    struct thread *t = thread_self;

    for (uint64_t i = 0; i < iterations; i++) {
        thread_detach(t);
        thread_attach(t);
    }
}

const struct micro micro_gil_pair = {
    .about = "detach and attach: the global lock let go and taken, by one thread",
    .once = true, .per_lock = true, .run = run,
};
