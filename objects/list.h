/* list.h - a row of objects that grows.
 *
 * Each call is one step for other threads: under a GIL since there is no safe point
 * in it, without one since it locks the list (section.h); only list_get and list_length
 * need no lock (list.c says why). Where neither protects it,
 * list_get and list_set still read and replace a slot as one machine word: two threads
 * that race on them get counts wrong, never the table. Appending and popping without
 * any protection is not allowed.
 *
 * What a list gives out is a new reference, for another thread may replace the item at
 * any time. Its table grows by half and does not shrink.
 *
 * A list is iterable: its iterator goes up the indices, and so sees what is appended
 * meanwhile.
 *
 * `list` must be a list where a parameter is called so.
 */
#ifndef OBJECTS_LIST_H
#define OBJECTS_LIST_H

#include "objects/object.h"

extern const struct type list_type;

/* An empty one; NULL: MemoryError. */
struct object *list_new(void);

/* One with what `iterable` gives; NULL: TypeError if it is not iterable, MemoryError, what
 * its iterator raises. */
struct object *list_from(borrowed iterable);

size_t list_length(borrowed list);

/* A new reference to item `index`; NULL: IndexError. */
struct object *list_get(borrowed list, size_t index);

/* 0, or -1: IndexError. */
int list_set(borrowed list, size_t index, borrowed item);

/* 0, or -1: MemoryError. */
int list_append(borrowed list, borrowed item);

/* Appends the items that `other` has at one moment; it may be the list itself. 0, or -1:
 * MemoryError, and those are appended for which there was room. */
int list_extend(borrowed list, borrowed other);

/* Takes the last item off: its reference is the caller's. NULL: IndexError. */
struct object *list_pop(borrowed list);

/* A tuple of the items that are in it at one moment; NULL: MemoryError. */
struct object *list_to_tuple(borrowed list);

#endif
