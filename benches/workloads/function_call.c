/* function_call.c - all threads call one function of a module.
 *
 * module.increment(n), with an int of the thread's own: the name is looked up in the
 * module's dict, which gives a reference to the function, and that is dropped after the call.
 * (ftscalingbench's module_function: 1.2 times slower on ten threads than on one in CPython
 * 3.14t's alpha, PR 125986.) With `local` it stands in a variable of the thread, and is
 * counted no more: what is left of the cost of a call.
 */
#include "benches/job_state.h"
#include "benches/program.h"
#include "objects/dict.h"
#include "objects/exception.h"
#include "objects/int.h"
#include "objects/str.h"

enum { CALLS = 512, LOCAL = 1 };

struct state {
    struct object *module, *name; /* owned; a dict and its key */
};

static struct object *increment(borrowed closure, borrowed const *arguments, size_t count)
{
    (void)closure;
    (void)count;
    return int_new(int_value(arguments[0]) + 1);
}

static int setup(struct job *job)
{
    struct object *function = function_new("increment", increment, 1, NULL);
    struct state *s = function ? job_state_new(job, sizeof *s) : NULL;
    int result = -1;

    if (s) {
        s->module = dict_new();
        s->name = str_new("increment");
        if (s->module && s->name)
            result = dict_set(s->module, s->name, function);
    }
    if (result == 0)
        program_share(job, s->module);
    xdecref(function);
    return result;
}

/* A reference that it keeps to the end. */
static int begin(struct worker *w)
{
    const struct state *s = w->job->state;

    w->state = dict_get(s->module, s->name);
    return w->state ? 0 : -1;
}

static struct object *call_global(const struct state *s, borrowed n)
{
    struct object *function = dict_get(s->module, s->name), *result;

    if (!function)
        return NULL;
    result = call(function, &n, 1);
    decref(function);
    return result;
}

/* n = increment(n), so many times; n, a new reference, or NULL. */
static struct object *count_up(struct worker *w, struct object *n /* steals */)
{
    bool local = w->job->param[LOCAL];

    for (int i = 0; i < CALLS && n; i++) {
        borrowed argument = n;
        struct object *sum = local ? call(w->state, &argument, 1) : call_global(w->job->state, n);

        decref(n);
        n = sum;
        safepoint(w->thread);
    }
    return n;
}

static int step(struct worker *w)
{
    struct object *n = count_up(w, int_new(0));
    int64_t answer;

    if (!n)
        return -1;
    answer = int_value(n);
    decref(n);
    if (answer != CALLS) {
        exception_set(&runtime_error, "%d calls count %lld", CALLS, (long long)answer);
        return -1;
    }
    worker_count(w, CALLS);
    return 0;
}

static void end(struct worker *w)
{
    xdecref(w->state);
}

static int check(struct job *job, uint64_t ops)
{
    const struct state *s = job->state;
    struct object *function = dict_get(s->module, s->name);
    int result;

    (void)ops;
    if (!function)
        return -1;
    result = program_check(function, 2);
    decref(function);
    return result;
}

static void teardown(struct job *job)
{
    struct state *s = job->state;

    if (!s)
        return;
    xdecref(s->module);
    xdecref(s->name);
    job_state_free(job);
}

const struct workload workload_function_call = {
    .about = "all threads call one function of a module, with ints of their own",
    .unit = "call", .kind = KIND_CPU, .shares = SHARES_READS, .least_threads = 1,
    .isolated = true,
    .param = { PROGRAM_MARKED,
               { "local", "1: each thread looks the function up but once", 0, 0, 1 } },
    .roles = { { .name = "caller", .per_thread = 1, .begin = begin, .step = step, .end = end } },
    .setup = setup, .check = check, .teardown = teardown,
};
