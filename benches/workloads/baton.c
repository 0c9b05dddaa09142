/* baton.c - the lock, handed from thread to thread.
 *
 * Each has it for `hold_us` and passes no safe point, so that the others come to wait for it;
 * then it lets go, and stays away until another has it. What is recorded is the time from
 * that moment until the other goes on: of a waiter that is still awake if the lock spins and
 * `hold_us` is short, else of one that sleeps. `lab run --bind yes` has it between processors,
 * `--bind apart` all on one.
 *
 * Without a lock there is nothing to hand over, and the times mean nothing.
 */
#include "benches/workload.h"
#include "gil/mutex.h"

#include <sched.h>

enum { HOLD_US };

static _Atomic uint64_t turn;      /* atomic; how often it was handed over */
static _Atomic uint64_t let_go_ns; /* atomic, for there may be no lock; 0: not yet */

static int setup(struct job *job)
{
    (void)job;
    atomic_store_explicit(&turn, 0, memory_order_relaxed);
    atomic_store_explicit(&let_go_ns, 0, memory_order_relaxed);
    return 0;
}

static void compute_for(uint64_t ns)
{
    uint64_t end_ns = clock_ns() + ns;

    while (clock_ns() < end_ns)
        ;
}

/* Detached. On one processor the other needs it to come. */
static void stay_away(const struct worker *w, uint64_t mine)
{
    while (atomic_load_explicit(&turn, memory_order_relaxed) == mine &&
           !atomic_load_explicit(&w->job->stopping, memory_order_relaxed))
        sched_yield();
}

/* Begins with the lock just taken. */
static int step(struct worker *w)
{
    uint64_t since_ns = atomic_load_explicit(&let_go_ns, memory_order_relaxed), mine;

    if (since_ns) {
        worker_latency(w, clock_ns() - since_ns);
        worker_count(w, 1);
    }
    mine = atomic_fetch_add_explicit(&turn, 1, memory_order_relaxed) + 1;
    compute_for((uint64_t)w->job->param[HOLD_US] * NS_PER_US);
    atomic_store_explicit(&let_go_ns, clock_ns(), memory_order_relaxed);
    thread_detach(w->thread);
    stay_away(w, mine);
    thread_attach(w->thread);
    return 0;
}

const struct workload workload_baton = {
    .about = "the lock, handed from thread to thread: how long it takes",
    .unit = "hand-over", .kind = KIND_MIXED, .shares = SHARES_NOTHING, .least_threads = 2,
    .alone = "wait for one another in the kernel",
    .param = { { "hold_us", "how long each has it", 100, 1, 1000000 } },
    .roles = { { .name = "runner", .per_thread = 1, .records_latency = true, .shares_core = true,
                 .step = step } },
    .setup = setup,
};
