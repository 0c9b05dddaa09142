/* fiber_switch.c - a fiber resumed, and its yield: two switches, a value each way. */
#include "benches/micro.h"

#include "coroutines/switch/carriers.h"
#include "objects/exception.h"

static struct carrier *carrier;
static struct fiber *fiber;

static void *give_back(struct fiber *self, void *value)
{
    while (value)
        value = fiber_yield(self, value);
    return NULL;
}

static int setup(void)
{
    carrier = carrier_here();
    fiber = fiber_new(carrier, "gives back", give_back);
    if (fiber)
        return 0;
    exception_set_errno("fiber_new");
    return -1;
}

MEASURED static void run(uint64_t iterations)
{
    struct carrier *t = carrier;
    void *value = t;

    for (uint64_t i = 0; i < iterations; i++)
        value = fiber_resume(t, fiber, value);
}

static void teardown(void)
{
    fiber_destroy(carrier, fiber);
}

const struct micro micro_fiber_switch = {
    .about = "a fiber resumed, and its yield", .once = true, .per_way = true,
    .setup = setup, .run = run, .teardown = teardown,
};
