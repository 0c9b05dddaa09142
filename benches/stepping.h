/* stepping.h - what the benchmarks of generators share: bodies that only yield. */
#ifndef BENCHES_STEPPING_H
#define BENCHES_STEPPING_H

#include "benches/workload.h"
#include "coroutines/generator.h"

/* while True: yield its argument; what is thrown at it is caught, but for GeneratorExit */
enum turn stepping_yields(struct frame *f, enum resume how, borrowed argument,
                          struct object **result);

/* The iterator under `depth` generators that delegate to one another. NULL: an exception is
 * pending. */
struct object *stepping_around(struct object *g /* steals; NULL: an exception is pending */,
                               int depth);

/* A generator that yields `item`, under `depth` others that delegate to one another. NULL: an
 * exception is pending. */
struct object *stepping_new(borrowed item, int depth);

/* So many steps of `g`, each of which yields, and drops what it yields. */
static inline void stepping_run(struct object *g, uint64_t iterations)
{
    struct object *item;

    for (uint64_t i = 0; i < iterations; i++) {
        generator_send(g, none(), &item);
        decref(item);
    }
}

#endif
