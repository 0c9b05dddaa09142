/* shared_read.c - all threads take references to the same few objects, and drop them.
 *
 * Nobody changes an object: only its count is written. The worst case for a count that
 * any thread may change, and the best for those that are kept per thread.
 */
#include "benches/workload.h"
#include "objects/exception.h"
#include "objects/int.h"

enum { OBJECTS = 4, ROUNDS = 256 };

static struct object *shared[OBJECTS]; /* owned */

static int setup(struct job *job)
{
    (void)job;
    for (int i = 0; i < OBJECTS; i++) {
        shared[i] = int_new(i);
        if (!shared[i])
            return -1;
        publish(shared[i]);
    }
    return 0;
}

static int step(struct worker *w)
{
    struct thread *t = w->thread;

    for (int round = 0; round < ROUNDS; round++) {
        for (int i = 0; i < OBJECTS; i++) {
            struct object *o = incref(shared[i]);

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
    (void)job;
    (void)ops;
    for (int i = 0; i < OBJECTS; i++) {
        if (int_value(shared[i]) == i && (refcount(shared[i]) == 1 || parking))
            continue;
        exception_set(&runtime_error, "object %d has %lld references, not 1", i,
                      (long long)refcount(shared[i]));
        return -1;
    }
    return 0;
}

static void teardown(struct job *job)
{
    (void)job;
    for (int i = 0; i < OBJECTS; i++) {
        xdecref(shared[i]);
        shared[i] = NULL;
    }
}

const struct workload workload_shared_read = {
    .about = "all threads take references to the same few objects, and drop them",
    .unit = "reference", .kind = KIND_CPU, .shares = SHARES_READS, .least_threads = 1,
    .roles = { { .name = "reader", .per_thread = 1, .step = step } },
    .setup = setup, .check = check, .teardown = teardown,
};
