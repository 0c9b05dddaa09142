/* int.h - integers of 64 bits, boxed: each result is a new object.
 *
 * There is no cache of small ones: what is shared between threads is what a workload
 * shares on purpose. Overflow is OverflowError, for there are no long integers.
 */
#ifndef OBJECTS_INT_H
#define OBJECTS_INT_H

#include "objects/hash.h"
#include "objects/object.h"

extern const struct type int_type;

struct int_object {
    struct object head;
    int64_t value; /* set once */
};

/* NULL: MemoryError. */
static inline struct object *int_new(int64_t value)
{
    struct object *o = object_new(&int_type, sizeof(struct int_object));

    if (likely(o))
        ((struct int_object *)o)->value = value;
    return o;
}

/* `o` must be an int. */
static inline int64_t int_value(borrowed o)
{
    return ((const struct int_object *)o)->value;
}

/* Of an int of this value. */
static inline uint64_t int_hash_of(int64_t value)
{
    return hash_word((uint64_t)value);
}

/* A new int; NULL: TypeError if one is not an int, OverflowError, MemoryError. */
struct object *int_add(borrowed a, borrowed b);
struct object *int_subtract(borrowed a, borrowed b);

/* 1 or 0; -1: TypeError. */
int int_less(borrowed a, borrowed b);

#endif
