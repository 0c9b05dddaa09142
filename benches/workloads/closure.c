/* closure.c - make a function with a variable of its own, call it, drop it.
 *
 *     def counter():
 *         n = 0
 *         def next():
 *             nonlocal n
 *             n = n + 1
 *             return n
 *         return next
 *
 * Function, cell and ints are the thread's own. But each function refers to the code that it
 * runs, and that all threads share: here the tuple of the code's constants. (ftscalingbench's
 * create_closure.)
 */
#include "benches/program.h"
#include "objects/cell.h"
#include "objects/exception.h"
#include "objects/int.h"
#include "objects/tuple.h"

enum { ROUNDS = 64, CALLS = 4 };
enum { CODE, VARIABLE, PARTS }; /* of a closure; the first is the tuple of its only constant, 1,
                                   and the job's state */

static struct object *next(borrowed closure, borrowed const *arguments, size_t count)
{
    borrowed variable = tuple_get(closure, VARIABLE);
    borrowed one = tuple_get(tuple_get(closure, CODE), 0);
    struct object *n = cell_get(variable), *sum;

    (void)arguments;
    (void)count;
    if (!n)
        return NULL;
    sum = int_add(n, one);
    decref(n);
    if (sum)
        cell_set(variable, sum);
    return sum;
}

static struct object *make_function(borrowed code)
{
    struct object *n = int_new(0);
    struct object *variable = n ? cell_new(n) : NULL;
    struct object *part[PARTS] = { (struct object *)code, variable };
    struct object *closure = variable ? tuple_new(PARTS, part) : NULL;
    struct object *function = closure ? function_new("next", next, 0, closure) : NULL;

    xdecref(closure);
    xdecref(variable);
    xdecref(n);
    return function;
}

static int setup(struct job *job)
{
    struct object *one = int_new(1), *code = one ? tuple_new(1, &one) : NULL;

    xdecref(one);
    job->state = code;
    if (!code)
        return -1;
    program_share(job, code);
    return 0;
}

/* The sum of what its calls return; -1. */
static int64_t use(struct object *function /* steals */)
{
    int64_t sum = 0;

    for (int i = 0; i < CALLS && sum >= 0; i++) {
        struct object *n = call(function, NULL, 0);

        sum = n ? sum + int_value(n) : -1;
        xdecref(n);
    }
    decref(function);
    return sum;
}

static int step(struct worker *w)
{
    for (int i = 0; i < ROUNDS; i++) {
        struct object *function = make_function(w->job->state);
        int64_t sum = function ? use(function) : -1;

        if (sum < 0)
            return -1;
        if (sum != CALLS * (CALLS + 1) / 2) {
            exception_set(&runtime_error, "a new closure's calls sum to %lld", (long long)sum);
            return -1;
        }
        safepoint(w->thread);
    }
    worker_count(w, ROUNDS);
    return 0;
}

static int check(struct job *job, uint64_t ops)
{
    (void)ops;
    return program_check(job->state, 1);
}

static void teardown(struct job *job)
{
    xdecref(job->state);
    job->state = NULL;
}

const struct workload workload_closure = {
    .about = "make a function with a variable of its own, call it four times, drop it",
    .unit = "closure", .kind = KIND_CPU, .shares = SHARES_READS, .least_threads = 1,
    .isolated = true,
    .param = { PROGRAM_MARKED },
    .roles = { { .name = "worker", .per_thread = 1, .step = step } },
    .setup = setup, .check = check, .teardown = teardown,
};
