/* copy.h - deep copies, as Python's copy.deepcopy makes them. */
#ifndef OBJECTS_COPY_H
#define OBJECTS_COPY_H

#include "objects/object.h"

enum { COPY_DEPTH_MOST = 1000 }; /* Python's limit of recursion */

/* A copy of `o` and of all that it holds: what was shared in there, or led back to itself,
 * does so in the copy. Lists, dicts and instances are new; a tuple is, if one of its items
 * is; what holds nothing (numbers, strs), functions, classes and weak references are
 * not copied. An instance is made without __init__.
 *
 * NULL: MemoryError; RuntimeError if it is nested deeper than COPY_DEPTH_MOST; TypeError
 * for something else (a cell). Whoever changes `o` meanwhile gets something in between,
 * or an IndexError. */
struct object *deep_copy(borrowed o);

#endif
