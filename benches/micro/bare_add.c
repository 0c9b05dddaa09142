/* bare_add.c - an add to memory, a subtract and a test: what `plain` cannot beat. */
#include "benches/micro.h"

#include "benches/workload.h"

static int64_t count = 1;

static SLOW_PATH void reached_zero(void)
{
    count = 1;
}

MEASURED static void run(uint64_t iterations)
{
    int64_t *c = &count;

    for (uint64_t i = 0; i < iterations; i++) {
        ++*c;
        barrier(c);
        if (--*c == 0)
            reached_zero();
    }
}

const struct micro micro_bare_add = {
    .about = "add to memory, subtract and test: what plain cannot beat",
    .once = true, .run = run,
};
