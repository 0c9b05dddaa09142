/* bare_call.c - a call through a pointer, to a function that changes a word in memory.
 *
 * What a state machine comes down to, and so what a step of a generator is held against.
 */
#include "benches/micro.h"

#include "benches/workload.h"

struct machine {
    int (*step)(struct machine *m, int64_t *result);
    uint16_t at;
    int64_t count;
};

static __attribute__((noinline)) int count(struct machine *m, int64_t *result)
{
    switch (m->at) {
    case 0:
        m->count = 0;
        m->at = 1;
        break;
    default:
        m->count++;
    }
    *result = m->count;
    return 0;
}

static struct machine machine = { .step = count };

MEASURED static void run(uint64_t iterations)
{
    struct machine *m = &machine;
    int64_t result;

    for (uint64_t i = 0; i < iterations; i++) {
        m->step(m, &result);
        barrier(m);
    }
}

const struct micro micro_bare_call = {
    .about = "a call through a pointer, of a state machine's step", .once = true, .run = run,
};
