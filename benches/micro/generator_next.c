/* generator_next.c - a step of a generator that yields None, which nobody counts. */
#include "benches/micro.h"

#include "benches/stepping.h"

static struct object *generator;

static int setup(void)
{
    generator = stepping_new(none(), 0);
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

const struct micro micro_generator_next = {
    .about = "a step of a generator, unpublished, that yields None",
    .setup = setup, .run = run, .teardown = teardown,
};
