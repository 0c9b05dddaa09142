/* delegate_one.c - a step of a generator that delegates to another, one deep. */
#include "benches/micro.h"

#include "benches/stepping.h"

static struct object *generator;

static int setup(void)
{
    generator = stepping_new(none(), 1);
    return generator ? 0 : -1;
}

MEASURED static void run(uint64_t iterations)
{
    stepping_run(generator, iterations);
}

static void teardown(void)
{
    decref(generator);
}

const struct micro micro_delegate_one = {
    .about = "a step through a chain of delegations, 1 deep",
    .setup = setup, .run = run, .teardown = teardown,
};
