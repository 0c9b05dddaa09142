/* tuple.h - a fixed row of objects.
 *
 * What it holds cannot change, so reading it needs no lock and its items can be lent:
 * tuple_get returns a borrowed reference where list_get has to make a new one.
 */
#ifndef OBJECTS_TUPLE_H
#define OBJECTS_TUPLE_H

#include "objects/object.h"

#include <assert.h>

extern const struct type tuple_type;

struct tuple_object {
    struct object head;
    size_t length;         /* set once */
    struct object *item[]; /* set once; owned */
};

/* Holds a new reference to each of `items`; NULL: MemoryError. */
struct object *tuple_new(size_t length, struct object *const *items);

/* What `iterable` gives: a tuple itself, a list as it is at one moment. NULL: TypeError if it
 * is not iterable, MemoryError, what its iterator raises. */
struct object *tuple_from(borrowed iterable);

/* Its items are for the caller to set, before the next safe point. NULL: MemoryError. */
struct tuple_object *tuple_reserve(size_t length);

/* `o` must be a tuple. */
static inline size_t tuple_length(borrowed o)
{
    return ((const struct tuple_object *)o)->length;
}

/* Lives as long as the tuple. `o` must be a tuple with more items than `index`. */
static inline borrowed tuple_get(borrowed o, size_t index)
{
    assert(index < tuple_length(o));
    return ((const struct tuple_object *)o)->item[index];
}

#endif
