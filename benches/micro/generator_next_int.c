/* generator_next_int.c - a step of a generator that yields an int, always the same. */
#include "benches/micro.h"

#include "benches/stepping.h"
#include "objects/int.h"

static struct object *generator;

static int setup(void)
{
    struct object *number = int_new(41);

    generator = number ? stepping_new(number, 0) : NULL;
    xdecref(number);
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

const struct micro micro_generator_next_int = {
    .about = "a step of a generator, unpublished, that yields an int",
    .setup = setup, .run = run, .teardown = teardown,
};
