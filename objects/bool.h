/* bool.h - True and False: one of each, and nobody counts them (as None). */
#ifndef OBJECTS_BOOL_H
#define OBJECTS_BOOL_H

#include "objects/object.h"

extern const struct type bool_type;
extern const struct object bool_objects[2]; /* reach them through truth() */

/* True or False; may be incref'd and decref'd like any other. Cannot fail. */
static inline struct object *truth(bool value)
{
    return (struct object *)((uintptr_t)&bool_objects[value] + 1);
}

/* `o` must be a bool. */
static inline bool is_true(borrowed o)
{
    return o == truth(true);
}

#endif
