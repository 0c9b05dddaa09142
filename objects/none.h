/* none.h - None: there is one, and nobody counts it.
 *
 * Its header stands in read-only memory, so a write to its count would be a crash.
 */
#ifndef OBJECTS_NONE_H
#define OBJECTS_NONE_H

#include "objects/object.h"

extern const struct type none_type;
extern const struct object none_object; /* reach it through none() */

/* None; it may be incref'd and decref'd like any other. Cannot fail. */
static inline struct object *none(void)
{
    return (struct object *)((uintptr_t)&none_object + 1);
}

#endif
