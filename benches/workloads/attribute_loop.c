/* attribute_loop.c - o.value = o.value + o.step, on an instance of each thread's own.
 *
 * Attribute traffic and nothing else: two dicts are asked, one is changed, an int is made
 * and another dropped. The instance is private, so it costs each thread as much as it costs
 * one; but if `step` is an attribute of the class, as constants are, each look-up counts
 * what all threads share.
 */
#include "benches/field.h"
#include "benches/program.h"
#include "objects/exception.h"

enum { ROUNDS = 256, IN_CLASS = 1, STEP_BY = 3 };
enum { VALUE, STEP, NAMES };

static struct object *class, *names; /* owned */

static int setup(struct job *job)
{
    static const char *const text[NAMES] = { "value", "step" };

    class = class_new("Accumulator", NULL);
    names = program_names(NAMES, text);
    if (!class || !names || field_put_int(names, class, STEP, STEP_BY) < 0)
        return -1;
    program_share(job, class);
    program_share(job, names);
    return 0;
}

static int begin(struct worker *w)
{
    struct object *o = instance_new(class);

    w->state = o;
    if (!o || field_put_int(names, o, VALUE, 0) < 0)
        return -1;
    return w->job->param[IN_CLASS] ? 0 : field_put_int(names, o, STEP, STEP_BY);
}

static int add(borrowed o)
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
    int64_t value, right = STEP_BY * (int64_t)(w->ops + ROUNDS);

    for (int i = 0; i < ROUNDS; i++) {
        if (add(w->state) < 0)
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
    (void)job;
    (void)ops;
    return program_check(class, 1);
}

static void teardown(struct job *job)
{
    (void)job;
    xdecref(class);
    xdecref(names);
    class = names = NULL;
}

const struct workload workload_attribute_loop = {
    .about = "o.value = o.value + o.step, on an instance of each thread's own",
    .unit = "addition", .kind = KIND_CPU, .shares = SHARES_READS, .least_threads = 1,
    .param = { PROGRAM_MARKED, { "in_class", "1: step is an attribute of the class", 0, 0, 1 } },
    .roles = { { .name = "worker", .per_thread = 1, .begin = begin, .step = step, .end = end } },
    .setup = setup, .check = check, .teardown = teardown,
};
