/* generator_next.c - each thread has a generator, and takes one number after the other.
 *
 * The step of a generator, the int that it makes, and the counts of both: what `for` costs.
 */
#include "benches/worker_generator.h"

enum { STEPS = 200 };

static int begin(struct worker *w)
{
    return worker_generator_begin(w, counting_new(0));
}

static int step(struct worker *w)
{
    return counting_take(w, STEPS);
}

const struct workload workload_generator_next = {
    .about = "each thread has a generator, and takes its numbers", .unit = "step",
    .kind = KIND_CPU, .shares = SHARES_NOTHING, .least_threads = 1,
    .isolated = true,
    .roles = { { .name = "caller", .per_thread = 1, .begin = begin, .step = step,
                 .end = worker_generator_end } },
};
