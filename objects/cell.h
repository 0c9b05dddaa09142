/* cell.h - holds one reference, or none: a variable that functions share.
 *
 * What CPython makes of a local variable that an inner function uses. Each call is one
 * step for other threads, as in list.h; where nothing excludes them it is still one
 * exchange of a machine word, so that only counts can go wrong.
 *
 * `cell` must be a cell in all of these.
 */
#ifndef OBJECTS_CELL_H
#define OBJECTS_CELL_H

#include "objects/object.h"

extern const struct type cell_type;

/* `held` may be NULL: it is empty. NULL: MemoryError. */
struct object *cell_new(borrowed held);

/* A new reference to what it holds; NULL: ValueError, it is empty. */
struct object *cell_get(borrowed cell);

/* `held` may be NULL: it is empty then. */
void cell_set(borrowed cell, borrowed held);

#endif
