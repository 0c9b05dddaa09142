/* generator_shared.c - a step of a generator that is published: other threads might step it.
 *
 * The thread says what the lab's do where no lock excludes others. Under a policy that needs a
 * GIL it does not, and then this is the step that a GIL leaves.
 */
#include "benches/micro.h"

#include "benches/stepping.h"
#include "objects/int.h"

static struct object *generator;

static int setup(void)
{
    struct object *number = int_new(41);

    generator = number ? stepping_new(number, 0) : NULL;
    if (generator)
        publish(generator);
    xdecref(number);
    thread_self->locks_containers = !RC_NEEDS_GIL;
    return generator ? 0 : -1;
}

MEASURED static void run(uint64_t iterations)
{
    stepping_run(generator, iterations);
}

static void teardown(void)
{
    thread_self->locks_containers = false;
    decref(generator);
}

const struct micro micro_generator_shared = {
    .about = "a step of a generator, published, that yields an int",
    .setup = setup, .run = run, .teardown = teardown,
};
