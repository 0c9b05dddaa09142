/* sleep.c - 1 ms of waiting, then a little work on objects.
 *
 * The most a lock can hope for: the waits overlap, and only the work does not. Sixteen
 * threads should wait sixteen times as often as one under every lock.
 */
#include "benches/countdown.h"
#include "benches/workload.h"
#include "coroutines/io.h"
#include "gil/mutex.h"
#include "objects/exception.h"

enum { WAIT_NS = NS_PER_MS, LOOPS = 100 };

static int step(struct worker *w)
{
    uint64_t start_ns = clock_ns(), waited_ns;

    if (io_sleep_ns(WAIT_NS) < 0)
        return -1;
    waited_ns = clock_ns() - start_ns;
    if (waited_ns < WAIT_NS) {
        exception_set(&runtime_error, "waited %llu ns of %d", (unsigned long long)waited_ns,
                      WAIT_NS);
        return -1;
    }
    if (countdown_run(w->thread, w->state, LOOPS) < 0)
        return -1;
    worker_latency(w, waited_ns);
    worker_count(w, 1);
    return 0;
}

const struct workload workload_sleep = {
    .about = "1 ms of waiting, then a little work on objects; latency is of the wait",
    .unit = "wait", .kind = KIND_IO, .shares = SHARES_NOTHING, .least_threads = 1,
    .roles = { { .name = "sleeper", .per_thread = 1, .records_latency = true,
                 .begin = countdown_begin, .step = step, .end = countdown_end } },
};
