/* delegate_hundred.c - a step of a generator that delegates to another, a hundred deep. */
#include "benches/micro.h"

#include "benches/stepping.h"

static struct object *generator;

static int setup(void)
{
    generator = stepping_new(none(), 100);
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

const struct micro micro_delegate_hundred = {
    .about = "a step through a chain of delegations, 100 deep",
    .setup = setup, .run = run, .teardown = teardown,
};
