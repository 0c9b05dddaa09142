/* dict.c - from keys to values, in the order in which the keys came: table.c. */
#include "objects/dict.h"

#include "objects/exception.h"
#include "objects/iterator.h"
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

int dict_find(borrowed dict, borrowed key, struct object **value)
{
    assert(type_of(dict) == &dict_type);
    return table_find(dict, key, value);
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
        exception_set_key(key);
    return found > 0 ? 0 : -1;
}

bool dict_next(borrowed dict, size_t *cursor, struct object **key, struct object **value)
{
    assert(type_of(dict) == &dict_type);
    return table_next(dict, cursor, key, value);
}

static enum step changed(const char *what)
{
    exception_set(&runtime_error, "dictionary %s during iteration", what);
    return STEP_ERROR;
}

/* As CPython has it: another number of keys is an error from then on, also if it becomes
 * the old one again; as many keys, but others, are an error once, and then the end. */
static enum step key_at(borrowed o, struct place *place, struct object **key)
{
    struct object *value;

    if (dict_length(o) != place->length) {
        place->length = SIZE_MAX; /* which no dict has */
        return changed("changed size");
    }
    if (!dict_next(o, &place->position, key, &value))
        return STEP_RETURN;
    decref(value);
    if (place->given++ < place->length)
        return STEP_NEXT;
    decref(*key);
    *key = NULL;
    place->position = PLACE_ENDED;
    return changed("keys changed");
}

static struct object *dict_iterate(borrowed o)
{
    return iterator_new(o, key_at, (struct place){ .length = dict_length(o) });
}

const struct type dict_type = {
    .name = "dict", .size_bytes = sizeof(struct table_object), .destroy = table_destroy,
    .clear = table_clear, .traverse = table_traverse, .unhashable = true, .iterate = dict_iterate,
};
