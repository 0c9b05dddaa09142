/* method_call.c - counter.next(): each thread its own counter, all of one class.
 *
 * What is worked on is private, and yet a call looks in the shared class for the function,
 * takes a reference to it and drops that. (ftscalingbench's pymethod: ten threads are 1.1
 * times as fast as one in CPython 3.14t's alpha, PR 125986.) `bound` makes a method first,
 * as where `next = counter.next` stands before the call.
 */
#include "benches/counter.h"
#include "benches/job_state.h"
#include "objects/class.h"

enum { CALLS = 256, BOUND = 1 };

static int setup(struct job *job)
{
    struct counter_program *program = job_state_new(job, sizeof *program);

    return program ? counter_init(program, job) : -1;
}

static int begin(struct worker *w)
{
    return counter_begin(w->job->state, w);
}

static struct object *call_bound(borrowed counter, borrowed next)
{
    struct object *method = attribute_get(counter, next), *result;

    if (!method)
        return NULL;
    result = call(method, NULL, 0);
    decref(method);
    return result;
}

static int step(struct worker *w)
{
    borrowed counter = w->state, next = ((const struct counter_program *)w->job->state)->next;
    bool bound = w->job->param[BOUND];

    for (int i = 0; i < CALLS; i++) {
        struct object *result =
            bound ? call_bound(counter, next) : call_method(next, &counter, 1);

        if (counter_returned(result, w->ops + (uint64_t)i + 1) < 0)
            return -1;
        safepoint(w->thread);
    }
    worker_count(w, CALLS);
    return 0;
}

static int check(struct job *job, uint64_t ops)
{
    (void)ops;
    return counter_check(job->state);
}

static void teardown(struct job *job)
{
    if (job->state)
        counter_fini(job->state);
    job_state_free(job);
}

const struct workload workload_method_call = {
    .about = "counter.next(): each thread its own counter, all of one class",
    .unit = "call", .kind = KIND_CPU, .shares = SHARES_READS, .least_threads = 1,
    .isolated = true,
    .param = { PROGRAM_MARKED, { "bound", "1: the method is made an object first", 0, 0, 1 } },
    .roles = { { .name = "caller", .per_thread = 1, .begin = begin, .step = step,
                 .end = counter_end } },
    .setup = setup, .check = check, .teardown = teardown,
};
