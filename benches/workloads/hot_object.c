/* hot_object.c - all threads take references to one object, which is marked hot.
 *
 * A class, a function or a constant that everybody uses. What the mark is worth to the
 * policies that heed it: `sharded` and `immortal` scale, where `atomic` does less with two
 * threads than with one. With marked=0 it is load_string_const and load_tuple_const of
 * CPython's Tools/ftscalingbench; `shared_read` has four objects and no mark.
 */
#include "benches/workload.h"
#include "objects/exception.h"
#include "objects/int.h"

enum { MARKED };
enum { ROUNDS = 256, REFERENCES = 4, VALUE = 42 };

static int setup(struct job *job)
{
    struct object *hot = int_new(VALUE);

    job->state = hot;
    if (!hot)
        return -1;
    publish(hot);
    if (job->param[MARKED])
        mark_hot(hot);
    return 0;
}

static int step(struct worker *w)
{
    borrowed hot = w->job->state;

    for (int round = 0; round < ROUNDS; round++) {
        for (int i = 0; i < REFERENCES; i++) {
            struct object *o = incref(hot);

            barrier(o);
            decref(o);
        }
        safepoint(w->thread);
    }
    worker_count(w, ROUNDS * REFERENCES);
    return 0;
}

/* Everybody has dropped what it took; or nobody counts it any more. */
static int check(struct job *job, uint64_t ops)
{
    borrowed hot = job->state;
    bool immortal = job->param[MARKED] && RC_COUNT_MOST < INT64_MAX;
    int64_t expected = immortal ? INT64_MAX : 1;

    (void)ops;
    if (int_value(hot) == VALUE && (refcount(hot) == expected || parking))
        return 0;
    exception_set(&runtime_error, "the object has %lld references, not %lld",
                  (long long)refcount(hot), (long long)expected);
    return -1;
}

static void teardown(struct job *job)
{
    xdecref(job->state);
    job->state = NULL;
}

const struct workload workload_hot_object = {
    .about = "all threads take references to one object, which is marked hot",
    .unit = "reference", .kind = KIND_CPU, .shares = SHARES_READS, .least_threads = 1,
    .isolated = true,
    .param = { { "marked", "1 if it is marked", 1, 0, 1 } },
    .roles = { { .name = "reader", .per_thread = 1, .step = step } },
    .setup = setup, .check = check, .teardown = teardown,
};
