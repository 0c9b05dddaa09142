/* dict.c - from keys to values, in the order in which the keys came: table.c. */
#include "objects/dict.h"

#include "objects/table.h"

#include <assert.h>

struct object *dict_new(void)
{
    return table_new(&dict_type);
}

size_t dict_length(borrowed dict)
{
    assert(type_of(dict) == &dict_type);
    return table_length(dict);
}

struct object *dict_get(borrowed dict, borrowed key)
{
    assert(type_of(dict) == &dict_type);
    return table_get(dict, key);
}

int dict_contains(borrowed dict, borrowed key)
{
    assert(type_of(dict) == &dict_type);
    return table_contains(dict, key);
}

int dict_set(borrowed dict, borrowed key, borrowed value)
{
    assert(type_of(dict) == &dict_type);
    return table_set(dict, key, value);
}

int dict_delete(borrowed dict, borrowed key)
{
    int found;

    assert(type_of(dict) == &dict_type);
    found = table_delete(dict, key);
    if (found == 0)
        table_no_such_key(key);
    return found > 0 ? 0 : -1;
}

bool dict_next(borrowed dict, size_t *cursor, struct object **key, struct object **value)
{
    assert(type_of(dict) == &dict_type);
    return table_next(dict, cursor, key, value);
}

const struct type dict_type = {
    .name = "dict", .size_bytes = sizeof(struct table_object), .destroy = table_destroy,
    .clear = table_clear, .traverse = table_traverse, .unhashable = true,
};
