/* set.c - a table whose values are all None. */
#include "objects/set.h"

#include "objects/none.h"
#include "objects/table.h"

#include <assert.h>

struct object *set_new(void)
{
    return table_new(&set_type);
}

size_t set_length(borrowed set)
{
    assert(type_of(set) == &set_type);
    return table_length(set);
}

int set_contains(borrowed set, borrowed key)
{
    assert(type_of(set) == &set_type);
    return table_contains(set, key);
}

int set_add(borrowed set, borrowed key)
{
    assert(type_of(set) == &set_type);
    return table_set(set, key, none());
}

int set_discard(borrowed set, borrowed key)
{
    assert(type_of(set) == &set_type);
    return table_delete(set, key);
}

struct object *set_next(borrowed set, size_t *cursor)
{
    struct object *key, *value;

    assert(type_of(set) == &set_type);
    return table_next(set, cursor, &key, &value) ? key : NULL; /* nobody counts None */
}

const struct type set_type = {
    .name = "set", .size_bytes = sizeof(struct table_object), .destroy = table_destroy,
    .clear = table_clear, .traverse = table_traverse, .unhashable = true,
};
