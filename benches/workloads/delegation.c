/* delegation.c - a generator at the end of a chain of generators that delegate to one another.
 *
 * Its numbers pass through all of them, `yield from` by `yield from`. Where a step costs the same
 * at every depth, as generator.h says, the rate does not depend on the depth; elsewhere each level
 * has its price.
 */
#include "benches/worker_generator.h"

enum { DEPTH };
enum { STEPS = 200 };

static int begin(struct worker *w)
{
    return worker_generator_begin(w, counting_new((int)w->job->param[DEPTH]));
}

static int step(struct worker *w)
{
    return counting_take(w, STEPS);
}

const struct workload workload_delegation = {
    .about = "each thread takes numbers through generators that delegate", .unit = "step",
    .kind = KIND_CPU, .shares = SHARES_NOTHING, .least_threads = 1,
    .isolated = true,
    .param = { { "depth", "how many generators delegate", 10, 1, 10000 } },
    .roles = { { .name = "caller", .per_thread = 1, .begin = begin, .step = step,
                 .end = worker_generator_end } },
};
