/* worker_generator.h - workloads each of whose threads has a generator of its own.
 *
 * What it gives are numbers, and each is looked at.
 */
#ifndef BENCHES_WORKER_GENERATOR_H
#define BENCHES_WORKER_GENERATOR_H

#include "benches/workload.h"
#include "coroutines/generator.h"

/* Their state. */
struct worker_generator {
    struct object *generator; /* owned */
    int64_t number;           /* the workload's own; 0 at first */
};

/* 0, or -1 with an exception pending; worker_generator_end is called all the same. */
int worker_generator_begin(struct worker *w,
                           struct object *generator /* steals; NULL: an exception is pending */);
void worker_generator_end(struct worker *w);

/* `def count(): n = 0; while True: yield n; n += 1`, under so many generators that delegate to
 * one another. NULL: MemoryError. */
struct object *counting_new(int depth);

/* The worker's generator counts: takes so many numbers, and counts them as the worker's. 0, or -1
 * with an exception pending. */
int counting_take(struct worker *w, int count);

/* 0; -1: an exception is pending, or it is another number, which is RuntimeError. */
int expect_number(struct object *number /* steals; NULL: an exception is pending */,
                  int64_t expected);

#endif
