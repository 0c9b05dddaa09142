/* gather_sleepers.c - a task that sleeps, one of ten thousand that are waited for at once.
 *
 * As the workload gather_sleepers, on one thread. To see ten thousand at once it must run for long
 * enough: --benchmark_min_time=0.1.
 */
#include "benches/micro.h"

#include "coroutines/gather.h"
#include "coroutines/run.h"
#include "coroutines/sleep.h"
#include "gil/mutex.h"

enum { SLEEPERS = 10000 };

static struct {
    struct object *loop;
    struct object *sleeper[SLEEPERS]; /* owned while they are gathered */
} own;

static size_t make_sleepers(size_t count)
{
    size_t made = 0;

    while (made < count && (own.sleeper[made] = sleep_new(NS_PER_MS, NULL)))
        made++;
    return made;
}

static void sleep_at_once(size_t count)
{
    size_t made = make_sleepers(count);
    struct object *all = NULL, *row = NULL;

    if (made == count)
        all = gather(own.loop, (borrowed const *)own.sleeper, count, false);
    while (made)
        decref(own.sleeper[--made]);
    if (all)
        row = run_until_complete(own.loop, all);
    xdecref(all);
    xdecref(row);
}

MEASURED static void sleep_many(uint64_t iterations)
{
    for (uint64_t done = 0; done < iterations; done += SLEEPERS)
        sleep_at_once(iterations - done < SLEEPERS ? iterations - done : SLEEPERS);
}

static int setup(void)
{
    own.loop = loop_new();
    if (!own.loop)
        return -1;
    sleep_many(1); /* so that its tables are there */
    return 0;
}

static void teardown(void)
{
    loop_close(own.loop);
    decref(own.loop);
}

const struct micro micro_gather_sleepers = {
    .about = "a task that sleeps 1 ms, one of ten thousand that are waited for at once",
    .setup = setup, .run = sleep_many, .teardown = teardown,
};
