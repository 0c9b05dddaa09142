/* method_caller.c - all threads call one operator.methodcaller("next"), each with its own
 * counter.
 *
 * One shared object more than in method_call: the caller itself, to which whoever calls it
 * takes a reference, since the variable that holds it may be given another value meanwhile.
 */
#include "benches/counter.h"
#include "benches/job_state.h"
#include "objects/cell.h"
#include "objects/class.h"

enum { CALLS = 256 };

struct state {
    struct counter_program program;
    struct object *variable; /* owned; a cell, in which the caller is */
};

/* Its closure is the name of the method that it calls. */
static struct object *call_by_name(borrowed name, borrowed const *arguments, size_t count)
{
    return call_method(name, arguments, count);
}

static int setup(struct job *job)
{
    struct state *s = job_state_new(job, sizeof *s);
    struct object *caller;

    if (!s || counter_init(&s->program, job) < 0)
        return -1;
    caller = function_new("methodcaller", call_by_name, 1, s->program.next);
    s->variable = caller ? cell_new(caller) : NULL;
    if (s->variable)
        program_share(job, s->variable);
    xdecref(caller);
    return s->variable ? 0 : -1;
}

static int begin(struct worker *w)
{
    const struct state *s = w->job->state;

    return counter_begin(&s->program, w);
}

static struct object *call_caller(borrowed variable, borrowed counter)
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
    borrowed variable = ((const struct state *)w->job->state)->variable;

    for (int i = 0; i < CALLS; i++) {
        if (counter_returned(call_caller(variable, w->state), w->ops + (uint64_t)i + 1) < 0)
            return -1;
        safepoint(w->thread);
    }
    worker_count(w, CALLS);
    return 0;
}

static int check(struct job *job, uint64_t ops)
{
    const struct state *s = job->state;
    struct object *caller = cell_get(s->variable);
    int result;

    (void)ops;
    if (!caller)
        return -1;
    result = program_check(caller, 2);
    decref(caller);
    return result < 0 ? -1 : counter_check(&s->program);
}

static void teardown(struct job *job)
{
    struct state *s = job->state;

    if (!s)
        return;
    xdecref(s->variable);
    counter_fini(&s->program);
    job_state_free(job);
}

const struct workload workload_method_caller = {
    .about = "all threads call one methodcaller(\"next\"), each with its own counter",
    .unit = "call", .kind = KIND_CPU, .shares = SHARES_READS, .least_threads = 1,
    .isolated = true,
    .param = { PROGRAM_MARKED },
    .roles = { { .name = "caller", .per_thread = 1, .begin = begin, .step = step,
                 .end = counter_end } },
    .setup = setup, .check = check, .teardown = teardown,
};
