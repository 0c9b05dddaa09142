/* empty.c - the control: nothing but safe points.
 *
 * What the machine and the harness allow: no object, no allocation, nothing shared.
 * Its speed-up is the one that the others are held against.
 */
#include "benches/workload.h"

enum { BATCH = 20000 };

static int step(struct worker *w)
{
    struct thread *t = w->thread;

    for (int i = 0; i < BATCH; i++) {
        barrier(t);
        safepoint(t);
    }
    worker_count(w, BATCH);
    return 0;
}

const struct workload workload_empty = {
    .about = "the control: nothing but safe points",
    .unit = "safe point", .kind = KIND_CPU, .shares = SHARES_NOTHING, .least_threads = 1,
    .isolated = true,
    .roles = { { .name = "worker", .per_thread = 1, .step = step } },
};
