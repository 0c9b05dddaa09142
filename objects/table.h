/* table.h - what a dict and a set have in common: keys that are found by their hash.
 *
 * A table is one block of memory, which is replaced when it is full. Writers take the
 * section of their dict or set; readers need none, as table.c says. A set's keys have a
 * value too, None: a third of its memory, for one piece of code instead of two.
 *
 * Each call takes an object that begins with struct table_object, and is one step for
 * other threads. A key that cannot be hashed is TypeError.
 */
#ifndef OBJECTS_TABLE_H
#define OBJECTS_TABLE_H

#include "objects/object.h"

struct table_object {
    struct object head;
    _Atomic size_t length;         /* keys; written in a section, read by any */
    _Atomic(struct table *) table; /* the same; NULL: there is none yet */
};

/* An empty one of this type; NULL: MemoryError. */
struct object *table_new(const struct type *type);

static inline size_t table_length(borrowed o)
{
    return atomic_load_explicit(&((const struct table_object *)o)->length, memory_order_relaxed);
}

/* A new reference to the value; NULL: KeyError, TypeError. */
struct object *table_get(borrowed o, borrowed key);

/* 1, and a new reference to the value; 0: there is none, and nothing is pending; -1: TypeError. */
int table_find(borrowed o, borrowed key, struct object **value);

/* 1 or 0; -1: TypeError. */
int table_contains(borrowed o, borrowed key);

/* Replaces the value of an equal key, which stays, or adds the key at the end.
 * 0, or -1: TypeError, MemoryError. */
int table_set(borrowed o, borrowed key, borrowed value);

/* 1: it was there; 0: it was not; -1: TypeError. */
int table_delete(borrowed o, borrowed key);

/* The next key and value after *cursor, which begins at 0; false: there is none. Both are
 * new references. */
bool table_next(borrowed o, size_t *cursor, struct object **key, struct object **value);

/* Slots of the type. */
void table_clear(struct object *o);
void table_destroy(struct object *o);
void table_traverse(borrowed o, void (*visit)(borrowed held, void *argument), void *argument);

#endif
