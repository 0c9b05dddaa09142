/* float_constant.c - x = x * constant on boxed floats; all threads share the constant.
 *
 * A new object for each result beside one shared count: mult_constant of CPython's
 * Tools/ftscalingbench. `hot_object` is the shared count alone.
 */
#include "benches/job_state.h"
#include "objects/exception.h"
#include "objects/float.h"

enum { ROUNDS = 256 };

struct state {
    struct object *constant; /* owned */
    double expected;         /* set once: the result of a step */
};

static int setup(struct job *job)
{
    struct state *s = job_state_new(job, sizeof *s);

    if (!s)
        return -1;
    s->constant = float_new(1.01);
    if (!s->constant)
        return -1;
    publish(s->constant);
    s->expected = 1;
    for (int i = 0; i < ROUNDS; i++)
        s->expected *= float_value(s->constant);
    return 0;
}

/* LOAD_CONST: the operand stack holds a reference while the instruction runs. */
static struct object *times_constant(const struct state *s, struct object *x /* steals */)
{
    struct object *operand = incref(s->constant), *product;

    barrier(operand);
    product = float_multiply(x, operand);
    decref(operand);
    decref(x);
    return product;
}

static int step(struct worker *w)
{
    const struct state *s = w->job->state;
    struct object *x = float_new(1);
    double result;

    for (int i = 0; i < ROUNDS && x; i++) {
        x = times_constant(s, x);
        safepoint(w->thread);
    }
    if (!x)
        return -1;
    result = float_value(x);
    decref(x);
    if (result == s->expected) {
        worker_count(w, ROUNDS);
        return 0;
    }
    exception_set(&runtime_error, "the product is %.17g, not %.17g", result, s->expected);
    return -1;
}

static int check(struct job *job, uint64_t ops)
{
    borrowed constant = ((const struct state *)job->state)->constant;

    (void)ops;
    if (refcount(constant) == 1 || parking)
        return 0;
    exception_set(&runtime_error, "the constant has %lld references, not 1",
                  (long long)refcount(constant));
    return -1;
}

static void teardown(struct job *job)
{
    struct state *s = job->state;

    if (s)
        xdecref(s->constant);
    job_state_free(job);
}

const struct workload workload_float_constant = {
    .about = "x = x * constant on boxed floats; all threads share the constant",
    .unit = "product", .kind = KIND_CPU, .shares = SHARES_READS, .least_threads = 1,
    .isolated = true,
    .roles = { { .name = "worker", .per_thread = 1, .step = step } },
    .setup = setup, .check = check, .teardown = teardown,
};
