/* tuple.c - a fixed row of objects. */
#include "objects/tuple.h"

#include "objects/collector.h"
#include "objects/hash.h"
#include "objects/iterator.h"
#include "objects/list.h"

#include <stdio.h>
#include <string.h>

static const struct tuple_object *as_tuple(borrowed o)
{
    return (const struct tuple_object *)o;
}

static size_t size_for(size_t length)
{
    return sizeof(struct tuple_object) + length * sizeof(struct object *);
}

struct tuple_object *tuple_reserve(size_t length)
{
    struct tuple_object *t = (struct tuple_object *)container_new(&tuple_type, size_for(length));

    if (t)
        t->length = length;
    return t;
}

struct object *tuple_new(size_t length, struct object *const *items)
{
    struct tuple_object *t = tuple_reserve(length);

    if (!t)
        return NULL;
    for (size_t i = 0; i < length; i++)
        t->item[i] = incref(items[i]);
    return &t->head;
}

struct object *tuple_from(borrowed iterable)
{
    struct object *list, *tuple;

    if (type_of(iterable) == &tuple_type)
        return incref(iterable);
    if (type_of(iterable) == &list_type)
        return list_to_tuple(iterable);
    list = list_from(iterable);
    if (!list)
        return NULL;
    tuple = list_to_tuple(list);
    decref(list);
    return tuple;
}

static enum step item_at(borrowed o, struct place *place, struct object **item)
{
    if (place->position == tuple_length(o))
        return STEP_RETURN;
    *item = incref(tuple_get(o, place->position++));
    return STEP_NEXT;
}

static struct object *tuple_iterate(borrowed o)
{
    return iterator_new(o, item_at, (struct place){ 0 });
}

static size_t tuple_size(borrowed o)
{
    return size_for(tuple_length(o));
}

static void tuple_destroy(struct object *o)
{
    struct tuple_object *t = (struct tuple_object *)o;

    for (size_t i = 0; i < t->length; i++)
        decref(t->item[i]);
}

static void tuple_traverse(borrowed o, void (*visit)(borrowed held, void *argument), void *argument)
{
    const struct tuple_object *t = as_tuple(o);

    for (size_t i = 0; i < t->length; i++)
        visit(t->item[i], argument);
}

static bool tuple_equal(borrowed a, borrowed b)
{
    const struct tuple_object *left = as_tuple(a), *right = as_tuple(b);

    if (left->length != right->length)
        return false;
    for (size_t i = 0; i < left->length; i++)
        if (!object_equal(left->item[i], right->item[i]))
            return false;
    return true;
}

/* Fails if one of its items cannot be hashed. */
static int tuple_hash(borrowed o, uint64_t *hash)
{
    const struct tuple_object *t = as_tuple(o);
    uint64_t sum = hash_word(t->length), of_item;

    for (size_t i = 0; i < t->length; i++) {
        if (object_hash(t->item[i], &of_item) < 0)
            return -1;
        sum = hash_step(sum, of_item);
    }
    *hash = sum;
    return 0;
}

static void tuple_repr(borrowed o, char *text, size_t size_bytes)
{
    const struct tuple_object *t = as_tuple(o);
    size_t used;

    snprintf(text, size_bytes, "(");
    for (size_t i = 0; i < t->length; i++) {
        used = strlen(text);
        snprintf(text + used, size_bytes - used, "%s", i ? ", " : "");
        used = strlen(text);
        object_repr(t->item[i], text + used, size_bytes - used);
    }
    used = strlen(text);
    snprintf(text + used, size_bytes - used, t->length == 1 ? ",)" : ")");
}

const struct type tuple_type = {
    .name = "tuple", .size_of = tuple_size, .destroy = tuple_destroy, .traverse = tuple_traverse,
    .equal = tuple_equal, .hash = tuple_hash, .iterate = tuple_iterate, .repr = tuple_repr,
};
