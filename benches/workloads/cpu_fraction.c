/* cpu_fraction.c - operations of 1 ms that wait for a share of it and compute the rest.
 *
 * From all CPU to all waiting in one dial: where between the two a lock begins to cost.
 * The computing is a number of loops, found once per process as what one thread alone
 * does in a millisecond, and no clock is read in them: a thread that is kept from its
 * core or from the lock has done less work, not waited less. Waits end late by the
 * kernel's timer slack (50 us as a rule), and so an operation takes a little longer.
 */
#include "benches/countdown.h"
#include "benches/workload.h"
#include "coroutines/io.h"
#include "gil/mutex.h"
#include "objects/exception.h"

enum { WAITS_PERCENT };
enum { OPERATION_NS = NS_PER_MS, ROUNDS = 9, ROUND_LOOPS = 20000 };

static int64_t loops_per_operation; /* set once, of an operation that does not wait */
static int64_t loops, wait_ns;      /* set once, of the operations of this job */

/* The fastest of some rounds, for whatever disturbs a round makes it slower. */
static int calibrate(void)
{
    struct countdown c;
    uint64_t best_ns = UINT64_MAX;
    int result = countdown_init(&c);

    for (int i = 0; i < ROUNDS && result == 0; i++) {
        uint64_t start_ns = clock_ns(), round_ns;

        result = countdown_run(thread_self, &c, ROUND_LOOPS);
        round_ns = clock_ns() - start_ns;
        if (round_ns < best_ns)
            best_ns = round_ns;
    }
    countdown_fini(&c);
    loops_per_operation = (int64_t)((uint64_t)ROUND_LOOPS * OPERATION_NS / best_ns);
    return result;
}

static int setup(struct job *job)
{
    int64_t waits_percent = job->param[WAITS_PERCENT];

    if (!loops_per_operation && calibrate() < 0)
        return -1;
    wait_ns = OPERATION_NS * waits_percent / 100;
    loops = loops_per_operation * (100 - waits_percent) / 100;
    return 0;
}

/* No wait at all, and so no release of the lock, where none is asked for. */
static int wait_its_share(void)
{
    uint64_t start_ns = clock_ns();

    if (wait_ns == 0)
        return 0;
    if (io_sleep_ns((uint64_t)wait_ns) < 0)
        return -1;
    if (clock_ns() - start_ns >= (uint64_t)wait_ns)
        return 0;
    exception_set(&runtime_error, "a wait of %lld ns ended early", (long long)wait_ns);
    return -1;
}

static int step(struct worker *w)
{
    uint64_t start_ns = clock_ns();

    if (countdown_run(w->thread, w->state, loops) < 0 || wait_its_share() < 0)
        return -1;
    worker_latency(w, clock_ns() - start_ns);
    worker_count(w, 1);
    return 0;
}

const struct workload workload_cpu_fraction = {
    .about = "operations of 1 ms that wait for a share of it and compute the rest",
    .unit = "operation", .kind = KIND_MIXED, .shares = SHARES_NOTHING, .least_threads = 1,
    .param = { { "waits_percent", "share of each operation that waits", 50, 0, 100 } },
    .roles = { { .name = "worker", .per_thread = 1, .records_latency = true,
                 .begin = countdown_begin, .step = step, .end = countdown_end } },
    .setup = setup,
};
