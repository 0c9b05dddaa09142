/* fib_shared.c - the same fib; all threads share its constants.
 *
 * Nothing is written but two counts. Where those are atomic their cache line
 * travels between the cores twice per call, and more threads are slower than one.
 * (CPython 3.13t: load_string_const, 1.8 times slower on ten threads; PR 125986.)
 */
#include "benches/fibonacci.h"
#include "benches/job_state.h"

static int setup(struct job *job)
{
    struct fibonacci *shared = job_state_new(job, sizeof *shared);

    if (!shared || fibonacci_init(shared) < 0)
        return -1;
    publish(shared->one);
    publish(shared->two);
    publish(shared->argument);
    return 0;
}

static int step(struct worker *w)
{
    return fibonacci_step(w, w->job->state);
}

static void teardown(struct job *job)
{
    if (job->state)
        fibonacci_fini(job->state);
    job_state_free(job);
}

const struct workload workload_fib_shared = {
    .about = "the same fib; all threads share its constants",
    .unit = "call", .kind = KIND_CPU, .shares = SHARES_READS, .least_threads = 1,
    .isolated = true,
    .roles = { { .name = "worker", .per_thread = 1, .step = step } },
    .setup = setup, .teardown = teardown,
};
