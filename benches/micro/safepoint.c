/* safepoint.c - a loop with a safe point, and nobody who asks for anything. */
#include "benches/micro.h"

#include "benches/workload.h"

MEASURED static void run(uint64_t iterations)
{
    struct thread *t = thread_self;

    for (uint64_t i = 0; i < iterations; i++) {
        barrier(t);
        safepoint(t);
    }
}

const struct micro micro_safepoint = {
    .about = "a loop with a safe point", .once = true, .run = run,
};
