/* method_caller.c - all threads call one operator.methodcaller("next"), each with its own
 * counter.
 *
 * One shared object more than in method_call: the caller itself, to which whoever calls it
 * takes a reference, since the variable that holds it may be given another value meanwhile.
 */
#include "benches/counter.h"
#include "objects/cell.h"
#include "objects/class.h"

enum { CALLS = 256 };

static struct counter_program program;
static struct object *variable; /* owned; a cell, in which the caller is */

/* Its closure is the name of the method that it calls. */
static struct object *call_by_name(borrowed name, borrowed const *arguments, size_t count)
{
    return call_method(name, arguments, count);
}

static int setup(struct job *job)
{
    struct object *caller;

    if (counter_init(&program, job) < 0)
        return -1;
    caller = function_new("methodcaller", call_by_name, 1, program.next);
    variable = caller ? cell_new(caller) : NULL;
    if (variable)
        program_share(job, variable);
    xdecref(caller);
    return variable ? 0 : -1;
}

static int begin(struct worker *w)
{
    return counter_begin(&program, w);
}

static struct object *call_caller(borrowed counter)
{
    struct object *caller = cell_get(variable), *result;

    if (!caller)
        return NULL;
    result = call(caller, &counter, 1);
    decref(caller);
    return result;
}

static int step(struct worker *w)
{
    for (int i = 0; i < CALLS; i++) {
        if (counter_returned(call_caller(w->state), w->ops + (uint64_t)i + 1) < 0)
            return -1;
        safepoint(w->thread);
    }
    worker_count(w, CALLS);
    return 0;
}

static int check(struct job *job, uint64_t ops)
{
    struct object *caller = cell_get(variable);
    int result;

    (void)job;
    (void)ops;
    if (!caller)
        return -1;
    result = program_check(caller, 2);
    decref(caller);
    return result < 0 ? -1 : counter_check(&program);
}

static void teardown(struct job *job)
{
    (void)job;
    xdecref(variable);
    variable = NULL;
    counter_fini(&program);
}

const struct workload workload_method_caller = {
    .about = "all threads call one methodcaller(\"next\"), each with its own counter",
    .unit = "call", .kind = KIND_CPU, .shares = SHARES_READS, .least_threads = 1,
    .param = { PROGRAM_MARKED },
    .roles = { { .name = "caller", .per_thread = 1, .begin = begin, .step = step,
                 .end = counter_end } },
    .setup = setup, .check = check, .teardown = teardown,
};
