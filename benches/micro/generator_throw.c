/* generator_throw.c - an exception is thrown into a generator, which catches it and yields None.
 *
 * The exception is the same each time: what making one costs is not in it.
 */
#include "benches/micro.h"

#include "benches/stepping.h"

static struct object *generator, *thrown;

static int setup(void)
{
    struct object *item;

    generator = stepping_new(none(), 0);
    thrown = generator ? exception_new(&value_error, "thrown") : NULL;
    if (!thrown) {
        xdecref(generator);
        return -1;
    }
    generator_send(generator, none(), &item);
    return 0;
}

MEASURED static void run(uint64_t iterations)
{
    struct object *g = generator, *e = thrown, *item;

    for (uint64_t i = 0; i < iterations; i++)
        generator_throw(g, incref(e), &item);
}

static void teardown(void)
{
    decref(generator);
    decref(thrown);
}

const struct micro micro_generator_throw = {
    .about = "an exception thrown into a generator that catches it",
    .setup = setup, .run = run, .teardown = teardown,
};
