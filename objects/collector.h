/* collector.h - frees what counts alone cannot: objects that hold one another in a cycle.
 *
 * Containers are entered in a register when they are made. The collector stops the world,
 * makes the counts exact, and finds by trial deletion which registered objects are held
 * from nowhere but among themselves.
 *
 * Source: G. Collins, 1960, says what counts cannot do; the trial deletion is that of
 * CPython (N. Schemenauer, 2000; InternalDocs/garbage_collector.md), after T. Christopher,
 * Reference count garbage collection, Software: Practice and Experience 14(6), 1984.
 */
#ifndef OBJECTS_COLLECTOR_H
#define OBJECTS_COLLECTOR_H

#include "objects/object.h"

/* object_new for a type that has `traverse`: the object is in the register until it is
 * destroyed. Its fields must be such that they can be traversed before the next safe point.
 * NULL: MemoryError. */
struct object *container_new(const struct type *type, size_t size_bytes);

#endif
