/* float_constant.c - x = x * constant on boxed floats; all threads share the constant.
 *
 * A new object for each result beside one shared count: mult_constant of CPython's
 * Tools/ftscalingbench. `hot_object` is the shared count alone.
 */
#include "benches/workload.h"
#include "objects/exception.h"
#include "objects/float.h"

enum { ROUNDS = 256 };

static struct object *constant; /* owned */
static double expected;         /* set once: the result of a step */

static int setup(struct job *job)
{
    (void)job;
    constant = float_new(1.01);
    if (!constant)
        return -1;
    publish(constant);
    expected = 1;
    for (int i = 0; i < ROUNDS; i++)
        expected *= float_value(constant);
    return 0;
}

/* LOAD_CONST: the operand stack holds a reference while the instruction runs. */
static struct object *times_constant(struct object *x /* steals */)
{
    struct object *operand = incref(constant), *product;

    barrier(operand);
    product = float_multiply(x, operand);
    decref(operand);
    decref(x);
    return product;
}

static int step(struct worker *w)
{
    struct object *x = float_new(1);
    double result;

    for (int i = 0; i < ROUNDS && x; i++) {
        x = times_constant(x);
        safepoint(w->thread);
    }
    if (!x)
        return -1;
    result = float_value(x);
    decref(x);
    if (result == expected) {
        worker_count(w, ROUNDS);
        return 0;
    }
    exception_set(&runtime_error, "the product is %.17g, not %.17g", result, expected);
    return -1;
}

static int check(struct job *job, uint64_t ops)
{
    (void)job;
    (void)ops;
    if (refcount(constant) == 1 || parking)
        return 0;
    exception_set(&runtime_error, "the constant has %lld references, not 1",
                  (long long)refcount(constant));
    return -1;
}

static void teardown(struct job *job)
{
    (void)job;
    xdecref(constant);
    constant = NULL;
}

const struct workload workload_float_constant = {
    .about = "x = x * constant on boxed floats; all threads share the constant",
    .unit = "product", .kind = KIND_CPU, .shares = SHARES_READS, .least_threads = 1,
    .roles = { { .name = "worker", .per_thread = 1, .step = step } },
    .setup = setup, .check = check, .teardown = teardown,
};
