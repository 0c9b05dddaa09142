/* audit.h - runs that are not safe: published objects are parked, not freed.
 *
 * With `plain` counts and no lock, counts go wrong, and a wrong count that reaches
 * zero would free what others still use. So that such a run can be measured and does
 * not crash, while parking is on an object that was published is kept when its count
 * reaches zero, its memory and type intact.
 */
#ifndef OBJECTS_AUDIT_H
#define OBJECTS_AUDIT_H

#include <stdbool.h>
#include <stddef.h>

struct object;

static inline void audit_count(struct object *o, int change)
{
    (void)o;
    (void)change;
}

/* Set once, before the first object is published. */
extern bool parking;

/* Keeps the object if it was published; true if it did. Only while parking. */
bool park(struct object *o);

#endif
