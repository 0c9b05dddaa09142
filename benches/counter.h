/* counter.h - a class that all threads share, and an instance of it for each.
 *
 *     class Counter:
 *         def next(self): self.value = self.value + 1; return self.value
 *
 * What it counts is private; the class, the function and their names are not.
 */
#ifndef BENCHES_COUNTER_H
#define BENCHES_COUNTER_H

#include "benches/program.h"

struct counter_program {
    struct object *class; /* owned */
    struct object *names; /* owned; of the method and what it uses */
    borrowed next;        /* of these: what it is called by */
};

/* Made and shared; 0, or -1 with MemoryError pending. */
int counter_init(struct counter_program *p, const struct job *job);
void counter_fini(struct counter_program *p);

/* All instances have gone: 0, or -1. */
int counter_check(const struct counter_program *p);

/* Makes w->state an instance whose value is 0. 0, or -1: MemoryError. */
int counter_begin(const struct counter_program *p, struct worker *w);

/* Drops it, if there is one. */
void counter_end(struct worker *w);

/* A call has returned the int `result`, or failed and it is NULL: 0 if it is `right`, else
 * -1. */
int counter_returned(struct object *result /* steals */, uint64_t right);

#endif
