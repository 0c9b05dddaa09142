/* fiber_create.c - a fiber made, run to its end at once, and dropped. */
#include "benches/micro.h"

#include "coroutines/switch/carriers.h"
#include "objects/exception.h"

static struct carrier *carrier;

static void *return_at_once(struct fiber *self, void *value)
{
    (void)self;
    return value;
}

static int make_run_and_drop(void)
{
    struct fiber *f = fiber_new(carrier, "short", return_at_once);

    if (!f)
        return -1;
    fiber_resume(carrier, f, NULL);
    return fiber_destroy(carrier, f);
}

static int setup(void)
{
    carrier = carrier_here();
    if (make_run_and_drop() == 0)
        return 0;
    exception_set_errno("fiber_new");
    return -1;
}

MEASURED static void run(uint64_t iterations)
{
    for (uint64_t i = 0; i < iterations; i++)
        make_run_and_drop();
}

const struct micro micro_fiber_create = {
    .about = "a fiber made, run to its end at once, and dropped", .once = true, .per_way = true,
    .setup = setup, .run = run,
};
