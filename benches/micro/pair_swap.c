/* pair_swap.c - an incref and a decref of one int, and a compare-and-swap and a store.
 *
 * What a step of a published generator cannot do without where there is no GIL: what it yields
 * is counted, and it is taken and given back.
 */
#include "benches/micro.h"

#include "benches/workload.h"
#include "objects/int.h"

static struct object *number;
static _Atomic uint8_t stage;

static SLOW_PATH void was_taken(void)
{
    atomic_store_explicit(&stage, 0, memory_order_relaxed);
}

static int setup(void)
{
    number = int_new(41);
    return number ? 0 : -1;
}

MEASURED static void run(uint64_t iterations)
{
    struct object *o = number;

    for (uint64_t i = 0; i < iterations; i++) {
        uint8_t free = 0;

        if (!atomic_compare_exchange_strong_explicit(&stage, &free, 1, memory_order_acquire,
                                                     memory_order_relaxed))
            was_taken();
        incref(o);
        barrier(o);
        atomic_store_explicit(&stage, 0, memory_order_release);
        decref(o);
    }
}

static void teardown(void)
{
    decref(number);
}

const struct micro micro_pair_swap = {
    .about = "incref and decref of an int, and a compare-and-swap",
    .setup = setup, .run = run, .teardown = teardown,
};
