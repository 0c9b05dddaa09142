/* bare_loop.c - the same loop without the safe point. */
#include "benches/micro.h"

#include "benches/workload.h"

MEASURED static void run(uint64_t iterations)
{
    struct thread *t = thread_self;

    for (uint64_t i = 0; i < iterations; i++)
        barrier(t);
}

const struct micro micro_bare_loop = {
    .about = "an empty loop: what safepoint cannot beat", .once = true, .run = run,
};
