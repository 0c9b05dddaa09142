/* bare_call_soon.c - the same by a loop without objects: what call_soon cannot beat. */
#include "benches/micro.h"

#include "benches/bare_loop.h"

enum { BATCH = 1000 };

static struct bare_loop loop;
static uint64_t calls;

static void count_call(void *unused)
{
    (void)unused;
    calls++;
}

static int setup(void)
{
    return bare_loop_init(&loop);
}

MEASURED static void run(uint64_t iterations)
{
    for (uint64_t done = 0; done < iterations; done += BATCH) {
        for (uint64_t i = done; i < iterations && i < done + BATCH; i++)
            if (!bare_call_soon(&loop, count_call, NULL))
                return;
        bare_turn(&loop);
    }
}

static void teardown(void)
{
    bare_loop_fini(&loop);
}

const struct micro micro_bare_call_soon = {
    .about = "a function and a pointer that a bare event loop is given, and calls", .once = true,
    .setup = setup, .run = run, .teardown = teardown,
};
