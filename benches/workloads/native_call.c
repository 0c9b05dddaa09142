/* native_call.c - a long call that nothing interrupts, beside threads that want the lock.
 *
 * A native function, as of an extension that was written without a thought of threads: it
 * computes for `hold_ms` and passes no safe point. No lock can take anything away from it,
 * whatever its rules: all others wait until it is done. How long stands in their latency,
 * and in `lab run --stats`; `--watchdog` names the thread. With detaches=1 it lets go of
 * the lock first, as such a function should, and nobody waits.
 *
 * The others do a little work and then detach and attach, as for a call that does not
 * block: their latency is of that.
 */
#include "benches/countdown.h"
#include "benches/workload.h"
#include "gil/mutex.h"

enum { LOOPS = 100 };

enum { HOLD_MS, DETACHES };

static int caller_step(struct worker *w)
{
    uint64_t start_ns;

    if (countdown_run(w->thread, w->state, LOOPS) < 0)
        return -1;
    start_ns = clock_ns();
    thread_detach(w->thread);
    thread_attach(w->thread);
    worker_latency(w, clock_ns() - start_ns);
    worker_count(w, 1);
    return 0;
}

/* The native function; returns something that depends on all of it. */
static uint64_t compute_for(struct worker *w, uint64_t ns)
{
    uint64_t start_ns = clock_ns(), sum = 0;

    while (clock_ns() - start_ns < ns)
        for (int i = 0; i < 1000; i++)
            sum += worker_random(w);
    return sum;
}

static int native_step(struct worker *w)
{
    uint64_t ns = (uint64_t)w->job->param[HOLD_MS] * NS_PER_MS, sum;

    if (w->job->param[DETACHES])
        thread_detach(w->thread);
    sum = compute_for(w, ns);
    if (w->job->param[DETACHES])
        thread_attach(w->thread);
    safepoint(w->thread);
    worker_count(w, sum != 0);
    return 0;
}

const struct workload workload_native_call = {
    .about = "threads that let go of the lock and take it, beside one that keeps it for long",
    .unit = "return", .kind = KIND_MIXED, .shares = SHARES_NOTHING, .least_threads = 1,
    .isolated = true,
    .alone = "let go of the lock themselves, for they are about that",
    .param = {
        { "hold_ms", "how long the native call passes no safe point", 20, 1, 10000 },
        { "detaches", "1: it lets go of the lock meanwhile", 0, 0, 1 },
    },
    .roles = {
        { .name = "caller", .per_thread = 1, .records_latency = true, .begin = countdown_begin,
          .step = caller_step, .end = countdown_end },
        { .name = "native", .fixed = 1, .step = native_step },
    },
};
