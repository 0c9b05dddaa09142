/* instantiate.c - all threads make instances of one class, and drop them.
 *
 *     class Point:
 *         def __init__(self, x, y): self.x = x; self.y = y
 *
 * The instances are each thread's own; but each refers to its class, each new dict to its
 * keys, and the call to __init__: of these counts CPython's were the worst, until it kept
 * those of classes per thread (PEP 703, "Reference counting type objects"; `marked` with
 * `sharded`). (ftscalingbench's instantiate_dataclass, and with init=0 its create_pyobject.)
 */
#include "benches/field.h"
#include "benches/job_state.h"
#include "benches/program.h"
#include "objects/exception.h"
#include "objects/none.h"

enum { INSTANCES = 128, INIT = 1, ARGUMENTS = 2 };
enum { X, Y, INITIALISE, NAMES };

struct state {
    struct object *point, *names; /* owned; the class, and what it is made of */
};

static struct object *initialise(borrowed closure, borrowed const *arguments, size_t count)
{
    (void)count;
    if (field_set(closure, arguments[0], X, arguments[1]) < 0 ||
        field_set(closure, arguments[0], Y, arguments[2]) < 0)
        return NULL;
    return none();
}

static int setup(struct job *job)
{
    static const char *const text[NAMES] = { "x", "y", "__init__" };
    struct state *s = job_state_new(job, sizeof *s);

    if (!s)
        return -1;
    s->point = class_new("Point", NULL);
    s->names = program_names(NAMES, text);
    if (!s->point || !s->names)
        return -1;
    if (job->param[INIT] &&
        program_define(s->point, s->names, INITIALISE, initialise, 1 + ARGUMENTS) < 0)
        return -1;
    program_share(job, s->point);
    return 0;
}

/* Whether it is what it was made of: 0, or -1. */
static int look_at(const struct state *s, borrowed o, borrowed const *arguments, bool init)
{
    struct object *y;
    bool right = instance_class(o) == s->point;

    if (init && right) {
        y = field_get(s->names, o, Y);
        if (!y)
            return -1;
        right = y == arguments[1];
        decref(y);
    }
    if (right)
        return 0;
    exception_set(&runtime_error, "an instance is not what it was made to be");
    return -1;
}

static int make(const struct state *s, borrowed const *arguments, bool init)
{
    struct object *o = class_call(s->point, arguments, init ? ARGUMENTS : 0);
    int result;

    if (!o)
        return -1;
    result = look_at(s, o, arguments, init);
    decref(o);
    return result;
}

static int begin(struct worker *w)
{
    struct object *number[ARGUMENTS] = { int_new(1), int_new(2) };

    if (number[0] && number[1])
        w->state = tuple_new(ARGUMENTS, number);
    xdecref(number[0]);
    xdecref(number[1]);
    return w->state ? 0 : -1;
}

static int step(struct worker *w)
{
    borrowed arguments[ARGUMENTS] = { tuple_get(w->state, 0), tuple_get(w->state, 1) };
    bool init = w->job->param[INIT];

    for (int i = 0; i < INSTANCES; i++) {
        if (make(w->job->state, arguments, init) < 0)
            return -1;
        safepoint(w->thread);
    }
    worker_count(w, INSTANCES);
    return 0;
}

static void end(struct worker *w)
{
    xdecref(w->state);
}

static int check(struct job *job, uint64_t ops)
{
    const struct state *s = job->state;

    (void)ops;
    return program_check(tuple_get(s->names, X), 1) < 0 ? -1 : program_check(s->point, 1);
}

static void teardown(struct job *job)
{
    struct state *s = job->state;

    if (!s)
        return;
    xdecref(s->point);
    xdecref(s->names);
    job_state_free(job);
}

const struct workload workload_instantiate = {
    .about = "all threads make instances of one class, and drop them",
    .unit = "instance", .kind = KIND_CPU, .shares = SHARES_READS, .least_threads = 1,
    .isolated = true,
    .param = { PROGRAM_MARKED,
               { "init", "1: an __init__ stores two attributes; 0: there is none", 1, 0, 1 } },
    .roles = { { .name = "worker", .per_thread = 1, .begin = begin, .step = step, .end = end } },
    .setup = setup, .check = check, .teardown = teardown,
};
