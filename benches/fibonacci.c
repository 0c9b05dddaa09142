/* fibonacci.c - fib(n) on boxed ints. */
#include "benches/fibonacci.h"

#include "objects/exception.h"
#include "objects/int.h"

enum { ARGUMENT = 12, ANSWER = 144, CALLS = 465 }; /* fib(12); calls: 2 fib(13) - 1 */

int fibonacci_init(struct fibonacci *f)
{
    *f = (struct fibonacci){ int_new(1), int_new(2), int_new(ARGUMENT) };
    return f->one && f->two && f->argument ? 0 : -1;
}

void fibonacci_fini(struct fibonacci *f)
{
    xdecref(f->one);
    xdecref(f->two);
    xdecref(f->argument);
    *f = (struct fibonacci){ 0 };
}

/* LOAD_CONST: the operand stack holds a reference while the instruction runs. */
static struct object *minus(borrowed n, borrowed constant)
{
    struct object *operand = incref(constant);
    struct object *difference;

    barrier(operand);
    difference = int_subtract(n, operand);
    decref(operand);
    return difference;
}

static int is_below(borrowed n, borrowed constant)
{
    struct object *operand = incref(constant);
    int less;

    barrier(operand);
    less = int_less(n, operand);
    decref(operand);
    return less;
}

static struct object *fib(struct thread *t, const struct fibonacci *f, borrowed n);

/* fib(n - constant) */
static struct object *fib_of_less(struct thread *t, const struct fibonacci *f, borrowed n,
                                  borrowed constant)
{
    struct object *smaller = minus(n, constant);
    struct object *result;

    if (!smaller)
        return NULL;
    result = fib(t, f, smaller);
    decref(smaller);
    return result;
}

static struct object *fib(struct thread *t, const struct fibonacci *f, borrowed n)
{
    struct object *a, *b, *sum = NULL;
    int below = is_below(n, f->two);

    safepoint(t);
    if (below)
        return below < 0 ? NULL : incref(n);
    a = fib_of_less(t, f, n, f->one);
    if (!a)
        return NULL;
    b = fib_of_less(t, f, n, f->two);
    if (b) {
        sum = int_add(a, b);
        decref(b);
    }
    decref(a);
    return sum;
}

int fibonacci_compute(struct worker *w, const struct fibonacci *f)
{
    struct object *result = fib(w->thread, f, f->argument);
    int64_t answer;

    if (!result)
        return -1;
    answer = int_value(result);
    decref(result);
    if (answer != ANSWER) {
        exception_set(&runtime_error, "fib(%d) = %lld", ARGUMENT, (long long)answer);
        return -1;
    }
    return CALLS;
}

int fibonacci_step(struct worker *w, const struct fibonacci *f)
{
    int calls = fibonacci_compute(w, f);

    if (calls > 0)
        worker_count(w, (uint64_t)calls);
    return calls > 0 ? 0 : -1;
}
