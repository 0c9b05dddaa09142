/* method_call.c - counter.next(): each thread its own counter, all of one class.
 *
 * What is worked on is private, and yet a call looks in the shared class for the function,
 * takes a reference to it and drops that. (ftscalingbench's pymethod: ten threads are 1.1
 * times as fast as one in CPython 3.14t's alpha, PR 125986.) `bound` makes a method first,
 * as where `next = counter.next` stands before the call.
 */
#include "benches/counter.h"
#include "objects/class.h"

enum { CALLS = 256, BOUND = 1 };

static struct counter_program program;

static int setup(struct job *job)
{
    return counter_init(&program, job);
}

static int begin(struct worker *w)
{
    return counter_begin(&program, w);
}

static struct object *call_bound(borrowed counter)
{
    struct object *method = attribute_get(counter, program.next), *result;

    if (!method)
        return NULL;
    result = call(method, NULL, 0);
    decref(method);
    return result;
}

static int step(struct worker *w)
{
    borrowed counter = w->state;
    bool bound = w->job->param[BOUND];

    for (int i = 0; i < CALLS; i++) {
        struct object *result =
            bound ? call_bound(counter) : call_method(program.next, &counter, 1);

        if (counter_returned(result, w->ops + (uint64_t)i + 1) < 0)
            return -1;
        safepoint(w->thread);
    }
    worker_count(w, CALLS);
    return 0;
}

static int check(struct job *job, uint64_t ops)
{
    (void)job;
    (void)ops;
    return counter_check(&program);
}

static void teardown(struct job *job)
{
    (void)job;
    counter_fini(&program);
}

const struct workload workload_method_call = {
    .about = "counter.next(): each thread its own counter, all of one class",
    .unit = "call", .kind = KIND_CPU, .shares = SHARES_READS, .least_threads = 1,
    .param = { PROGRAM_MARKED, { "bound", "1: the method is made an object first", 0, 0, 1 } },
    .roles = { { .name = "caller", .per_thread = 1, .begin = begin, .step = step,
                 .end = counter_end } },
    .setup = setup, .check = check, .teardown = teardown,
};
