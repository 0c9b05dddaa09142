/* fibonacci.h - fib(n) on boxed ints, as an interpreter would run it.
 *
 *     def fib(n): return n if n < 2 else fib(n - 1) + fib(n - 2)
 *
 * Every constant is fetched with an incref and dropped again, every result is a new
 * object, every call passes a safe point. `fib` gives each thread its own constants,
 * `fib_shared` the same ones to all: the only difference between the two.
 */
#ifndef BENCHES_FIBONACCI_H
#define BENCHES_FIBONACCI_H

#include "benches/workload.h"
#include "objects/object.h"

/* What the code object of fib would hold. */
struct fibonacci {
    struct object *one, *two; /* owned */
    struct object *argument;  /* owned; the n of each step */
};

/* 0, or -1 with MemoryError pending. */
int fibonacci_init(struct fibonacci *f);
void fibonacci_fini(struct fibonacci *f);

/* Computes fib(argument) once and checks the answer; the calls that it took, or -1. */
int fibonacci_compute(struct worker *w, const struct fibonacci *f);

/* The same, and counts the calls. */
int fibonacci_step(struct worker *w, const struct fibonacci *f);

#endif
