/* attribute_loop.c - o.value = o.value + o.step, on an instance of each thread's own.
 *
 * Attribute traffic and nothing else: two dicts are asked, one is changed, an int is made
 * and another dropped. The instance is private, so it costs each thread as much as it costs
 * one; but if `step` is an attribute of the class, as constants are, each look-up counts
 * what all threads share.
 */
#include "benches/field.h"
#include "benches/job_state.h"
#include "benches/program.h"
#include "objects/exception.h"

enum { ROUNDS = 256, IN_CLASS = 1, STEP_BY = 3 };
enum { VALUE, STEP, NAMES };

struct state {
    struct object *class, *names; /* owned */
};

static int setup(struct job *job)
{
    static const char *const text[NAMES] = { "value", "step" };
    struct state *s = job_state_new(job, sizeof *s);

    if (!s)
        return -1;
    s->class = class_new("Accumulator", NULL);
    s->names = program_names(NAMES, text);
    if (!s->class || !s->names || field_put_int(s->names, s->class, STEP, STEP_BY) < 0)
        return -1;
    program_share(job, s->class);
    program_share(job, s->names);
    return 0;
}

static int begin(struct worker *w)
{
    const struct state *s = w->job->state;
    struct object *o = instance_new(s->class);

    w->state = o;
    if (!o || field_put_int(s->names, o, VALUE, 0) < 0)
        return -1;
    return w->job->param[IN_CLASS] ? 0 : field_put_int(s->names, o, STEP, STEP_BY);
}

static int add(borrowed names, borrowed o)
{
    struct object *value = field_get(names, o, VALUE);
    struct object *by = value ? field_get(names, o, STEP) : NULL;
    struct object *sum = by ? int_add(value, by) : NULL;
    int result = sum ? field_set(names, o, VALUE, sum) : -1;

    xdecref(sum);
    xdecref(by);
    xdecref(value);
    return result;
}

static int step(struct worker *w)
{
    borrowed names = ((const struct state *)w->job->state)->names;
    int64_t value, right = STEP_BY * (int64_t)(w->ops + ROUNDS);

    for (int i = 0; i < ROUNDS; i++) {
        if (add(names, w->state) < 0)
            return -1;
        safepoint(w->thread);
    }
    if (field_get_int(names, w->state, VALUE, &value) < 0)
        return -1;
    if (value != right) {
        exception_set(&runtime_error, "the sum is %lld, not %lld", (long long)value,
                      (long long)right);
        return -1;
    }
    worker_count(w, ROUNDS);
    return 0;
}

static void end(struct worker *w)
{
    xdecref(w->state);
}

static int check(struct job *job, uint64_t ops)
{
    (void)ops;
    return program_check(((const struct state *)job->state)->class, 1);
}

static void teardown(struct job *job)
{
    struct state *s = job->state;

    if (!s)
        return;
    xdecref(s->class);
    xdecref(s->names);
    job_state_free(job);
}

const struct workload workload_attribute_loop = {
    .about = "o.value = o.value + o.step, on an instance of each thread's own",
    .unit = "addition", .kind = KIND_CPU, .shares = SHARES_READS, .least_threads = 1,
    .isolated = true,
    .param = { PROGRAM_MARKED, { "in_class", "1: step is an attribute of the class", 0, 0, 1 } },
    .roles = { { .name = "worker", .per_thread = 1, .begin = begin, .step = step, .end = end } },
    .setup = setup, .check = check, .teardown = teardown,
};
