/* shared_read.c - all threads take references to the same few objects, and drop them.
 *
 * Nobody changes an object: only its count is written. The worst case for a count that
 * any thread may change, and the best for those that are kept per thread.
 */
#include "benches/job_state.h"
#include "objects/exception.h"
#include "objects/int.h"

enum { OBJECTS = 4, ROUNDS = 256 };

struct state {
    struct object *shared[OBJECTS]; /* owned */
};

static int setup(struct job *job)
{
    struct state *s = job_state_new(job, sizeof *s);

    if (!s)
        return -1;
    for (int i = 0; i < OBJECTS; i++) {
        s->shared[i] = int_new(i);
        if (!s->shared[i])
            return -1;
        publish(s->shared[i]);
    }
    return 0;
}

static int step(struct worker *w)
{
    const struct state *s = w->job->state;
    struct thread *t = w->thread;

    for (int round = 0; round < ROUNDS; round++) {
        for (int i = 0; i < OBJECTS; i++) {
            struct object *o = incref(s->shared[i]);

            barrier(o);
            decref(o);
        }
        safepoint(t);
    }
    worker_count(w, ROUNDS * OBJECTS);
    return 0;
}

/* Everybody has dropped what it took. Where counts are known to go wrong they are the
 * audit's business. */
static int check(struct job *job, uint64_t ops)
{
    const struct state *s = job->state;

    (void)ops;
    for (int i = 0; i < OBJECTS; i++) {
        if (int_value(s->shared[i]) == i && (refcount(s->shared[i]) == 1 || parking))
            continue;
        exception_set(&runtime_error, "object %d has %lld references, not 1", i,
                      (long long)refcount(s->shared[i]));
        return -1;
    }
    return 0;
}

static void teardown(struct job *job)
{
    struct state *s = job->state;

    for (int i = 0; s && i < OBJECTS; i++)
        xdecref(s->shared[i]);
    job_state_free(job);
}

const struct workload workload_shared_read = {
    .about = "all threads take references to the same few objects, and drop them",
    .unit = "reference", .kind = KIND_CPU, .shares = SHARES_READS, .least_threads = 1,
    .isolated = true,
    .roles = { { .name = "reader", .per_thread = 1, .step = step } },
    .setup = setup, .check = check, .teardown = teardown,
};
