/* bare_atomic.c - the same with locked instructions: what `atomic` cannot beat. */
#include "benches/micro.h"

#include "benches/workload.h"

static _Atomic int64_t count = 1;

static SLOW_PATH void reached_zero(void)
{
    atomic_store_explicit(&count, 1, memory_order_relaxed);
}

MEASURED static void run(uint64_t iterations)
{
    _Atomic int64_t *c = &count;

    for (uint64_t i = 0; i < iterations; i++) {
        atomic_fetch_add_explicit(c, 1, memory_order_relaxed);
        barrier(c);
        if (atomic_fetch_sub_explicit(c, 1, memory_order_release) == 1)
            reached_zero();
    }
}

const struct micro micro_bare_atomic = {
    .about = "locked add, locked subtract and test: what atomic cannot beat",
    .once = true, .run = run,
};
