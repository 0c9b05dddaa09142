/* collector.h - frees what counts alone cannot: objects that hold one another in a cycle.
 *
 * The collector stops the world, makes the counts exact, and finds by trial deletion
 * which containers are held from nowhere but among themselves. It looks at the young
 * ones, made since it last looked, more often than at all: most die young. References
 * from what it does not look at count as references from outside.
 *
 * Threads collect by themselves, at a safe point, when so many slots of the register were
 * used since the last collection. As the slot that was freed last is used first, that is
 * by how much the number of containers has risen meanwhile, at most: a program that makes
 * and drops containers, but never has many, is never stopped. Where counts go wrong
 * (audit.h), nothing is ever collected.
 *
 * Weak references to garbage lead to nothing before any of it is emptied; their callbacks
 * are not called.
 *
 * If some of the garbage is unfinished (type.h), that is finished first, and nothing is
 * emptied: it may have let go of the others, or have given one of them to somebody. A second
 * collection, of all, then takes what is garbage still.
 *
 * Source: G. Collins, 1960, says what counts cannot do; the trial deletion is that of
 * CPython (N. Schemenauer, 2000; InternalDocs/garbage_collector.md), after T. Christopher,
 * Reference count garbage collection, Software: Practice and Experience 14(6), 1984.
 */
#ifndef OBJECTS_COLLECTOR_H
#define OBJECTS_COLLECTOR_H

#include "gil/histogram.h"
#include "objects/container.h"

#include <stdbool.h>
#include <stdint.h>

struct interpreter;

/* What is collected: what was made since the last collection, or everything. */
enum generation { GENERATION_YOUNG, GENERATION_ALL, GENERATIONS };

enum { COLLECTOR_THRESHOLD = 2000 }; /* CPython's since 3.12 */

/* Of all collections of one kind. */
struct pauses {
    uint64_t collections;
    uint64_t examined;         /* containers */
    uint64_t found;            /* of these: garbage */
    uint64_t stop_total_ns;    /* from the wish until the world had stopped */
    uint64_t pause_total_ns;   /* from the wish until the world ran again */
    struct histogram pauses_ns; /* the same, one by one */
};

/* Collects in the calling thread's interpreter (interpreter.h), wherever a safe point may stand.
 * Returns how many containers were garbage; what
 * only they held is freed as well, all of it as late as the policy does. 0, and nothing
 * was looked at, if another thread is collecting, or counts may be wrong. */
uint64_t collect(enum generation generation);

/* False where counts may be wrong, and nothing is ever collected: whoever makes cycles there
 * has to open them. On a thread of the runtime; it may change when threads come and go. */
bool collector_works(void);

/* Whether threads collect by themselves. They do unless told otherwise. */
void collector_enable(bool enabled);

/* How many slots; in each thread some may be more, of which it has not told yet. */
void collector_threshold(uint64_t slots);

/* What there was so far in all interpreters, by generation. No other thread collects meanwhile. */
void collector_pauses(struct pauses pauses[GENERATIONS]);

/* Of an interpreter that has ended: its pauses are the main one's. */
void collector_bequeath(struct interpreter *ended);

/* For object.c: a thread has been asked with BREAKER_COLLECT. */
void collector_asked(struct thread *t);

/* For container.c: the calling thread has used so many more slots. */
void collector_tell(uint32_t more);

#endif
