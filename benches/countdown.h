/* countdown.h - a loop that only computes, on boxed ints.
 *
 *     while 0 < n: n = n - 1
 *
 * A new object and a safe point per loop: what a CPU-bound Python thread does all day.
 * The neighbour of a thread that waits, and the work that a waiting thread does between.
 */
#ifndef BENCHES_COUNTDOWN_H
#define BENCHES_COUNTDOWN_H

#include "gil/thread.h"
#include "objects/object.h"

struct countdown {
    struct object *zero, *one; /* owned */
};

/* 0, or -1 with MemoryError pending; to be undone in both cases. */
int countdown_init(struct countdown *c);
void countdown_fini(struct countdown *c);

/* Counts down to zero in `loops` loops. 0, or -1 with an exception pending. */
int countdown_run(struct thread *t, const struct countdown *c, int64_t loops);

/* How many loops one thread alone does in so long, found once per process: the fastest of some
 * rounds, for whatever disturbs a round makes it slower. No clock is read where they are then run: a
 * thread that is kept from its core or from the lock has done less work. 0 or -1. */
int countdown_loops_in(int64_t ns, int64_t *loops);

/* The same as a worker's state, for workloads that need nothing else; counted in loops. */
struct worker;
int countdown_begin(struct worker *w);
int countdown_step(struct worker *w);
void countdown_end(struct worker *w);

#endif
