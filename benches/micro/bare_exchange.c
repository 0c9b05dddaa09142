/* bare_exchange.c - two exchanges on one word: what no global lock can beat. */
#include "benches/micro.h"

#include "benches/workload.h"

static _Alignas(128) _Atomic uint64_t word;

MEASURED static void run(uint64_t iterations)
{
    _Atomic uint64_t *w = &word;

    for (uint64_t i = 0; i < iterations; i++) {
        atomic_exchange_explicit(w, 1, memory_order_acquire);
        barrier(w);
        atomic_exchange_explicit(w, 0, memory_order_release);
    }
}

const struct micro micro_bare_exchange = {
    .about = "two atomic exchanges: what letting a lock go and taking it cannot beat",
    .once = true, .run = run,
};
