/* pair.c - an incref and a decref of one int, by the thread that made it. */
#include "benches/micro.h"

#include "benches/workload.h"
#include "objects/int.h"

static struct object *number;

static int setup(void)
{
    number = int_new(41);
    return number ? 0 : -1;
}

MEASURED static void run(uint64_t iterations)
{
    struct object *o = number;

    for (uint64_t i = 0; i < iterations; i++) {
        incref(o);
        barrier(o);
        decref(o);
    }
}

static void teardown(void)
{
    decref(number);
}

const struct micro micro_pair = {
    .about = "incref and decref of an int by its owner",
    .setup = setup, .run = run, .teardown = teardown,
};
