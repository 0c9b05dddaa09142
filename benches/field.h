/* field.h - the attributes of objects, by the place of their name in a program's tuple.
 *
 * What a compiler makes of `o.name`: the number of a constant. For programs that are written
 * out in C, and are full of it.
 */
#ifndef BENCHES_FIELD_H
#define BENCHES_FIELD_H

#include "objects/bool.h"
#include "objects/class.h"
#include "objects/int.h"
#include "objects/tuple.h"

/* As attribute_get. */
static inline struct object *field_get(borrowed names, borrowed o, size_t name)
{
    return attribute_get(o, tuple_get(names, name));
}

/* As attribute_set. */
static inline int field_set(borrowed names, borrowed o, size_t name, borrowed value)
{
    return attribute_set(o, tuple_get(names, name), value);
}

/* The same of a value that was just made; or could not be and is NULL, which is -1, too. */
static inline int field_put(borrowed names, borrowed o, size_t name,
                            struct object *value /* steals, also on failure */)
{
    int result = value ? field_set(names, o, name, value) : -1;

    xdecref(value);
    return result;
}

/* Of a field that holds an int: 0 and *value, or -1. */
static inline int field_get_int(borrowed names, borrowed o, size_t name, int64_t *value)
{
    struct object *held = field_get(names, o, name);

    if (!held)
        return -1;
    *value = int_value(held);
    decref(held);
    return 0;
}

static inline int field_put_int(borrowed names, borrowed o, size_t name, int64_t value)
{
    return field_put(names, o, name, int_new(value));
}

/* Of a field that holds a bool, which nobody counts: 1 or 0, or -1. */
static inline int field_is(borrowed names, borrowed o, size_t name)
{
    struct object *held = field_get(names, o, name);

    return held ? is_true(held) : -1;
}

#endif
