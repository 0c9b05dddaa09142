/* fiber_switch_1000.c - the same, of a thousand fibers in turn: each finds its lines where others
 * have been since.
 */
#include "benches/micro.h"

#include "coroutines/switch/carriers.h"
#include "objects/exception.h"

enum { FIBERS = 1000 };

static struct carrier *carrier;
static struct fiber *fibers[FIBERS];

static void *give_back(struct fiber *self, void *value)
{
    while (value)
        value = fiber_yield(self, value);
    return NULL;
}

static void teardown(void)
{
    for (int i = 0; i < FIBERS && fibers[i]; i++) {
        fiber_destroy(carrier, fibers[i]);
        fibers[i] = NULL;
    }
}

static int setup(void)
{
    carrier = carrier_here();
    for (int i = 0; i < FIBERS; i++) {
        fibers[i] = fiber_new(carrier, "one of many", give_back);
        if (!fibers[i]) {
            exception_set_errno("fiber_new");
            teardown();
            return -1;
        }
    }
    return 0;
}

MEASURED static void run(uint64_t iterations)
{
    struct carrier *t = carrier;
    void *value = t;
    int next = 0;

    for (uint64_t i = 0; i < iterations; i++) {
        value = fiber_resume(t, fibers[next], value);
        next = next + 1 < FIBERS ? next + 1 : 0;
    }
}

const struct micro micro_fiber_switch_1000 = {
    .about = "a fiber resumed, and its yield, a thousand in turn", .once = true, .per_way = true,
    .setup = setup, .run = run, .teardown = teardown,
};
