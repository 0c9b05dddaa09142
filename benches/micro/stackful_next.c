/* stackful_next.c - a step of a generator with a stack of its own that yields None.
 *
 * Beside generator_next, which does it without a stack, and fiber_switch, which is the two switches.
 */
#include "benches/micro.h"

#include "benches/stepping.h"
#include "coroutines/stackful.h"

static struct object *generator;

static struct object *yields(struct stackful *self)
{
    while (stackful_yield(self, none()))
        ;
    return NULL;
}

static int setup(void)
{
    static const struct body body = { .name = "yields", .resume = stackful_turn,
                                      .stackful = yields };

    generator = generator_primed(&body, NULL, 0);
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

const struct micro micro_stackful_next = {
    .about = "a step of a generator with its own stack, unpublished, that yields None",
    .setup = setup, .run = run, .teardown = teardown,
};
