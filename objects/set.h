/* set.h - keys, each once, in the order in which they came.
 *
 * What dict.h says of keys, and of threads, holds here. Two sets are equal only if they
 * are the same one, as lists and dicts: to compare contents needs both at rest.
 *
 * `set` must be a set in all of these. A key that cannot be hashed is TypeError.
 */
#ifndef OBJECTS_SET_H
#define OBJECTS_SET_H

#include "objects/object.h"

extern const struct type set_type;

/* An empty one; NULL: MemoryError. */
struct object *set_new(void);

/* How many keys. */
size_t set_length(borrowed set);

/* 1 or 0; -1: TypeError. */
int set_contains(borrowed set, borrowed key);

/* If there is an equal key, that one stays. 0, or -1: TypeError, MemoryError. */
int set_add(borrowed set, borrowed key);

/* 1: it was there; 0: it was not; -1: TypeError. */
int set_discard(borrowed set, borrowed key);

/* A new reference to the next key after *cursor, which begins at 0; NULL: there is none. If
 * keys come or go meanwhile, some may be missed or seen again. */
struct object *set_next(borrowed set, size_t *cursor);

#endif
