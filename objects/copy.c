/* copy.c - deep copies.
 *
 * The memo leads from the address of what has been copied to its copy, as in Python. An
 * original is kept alive beside it: another thread might let go of it meanwhile, and
 * something else be made at its address. A container is entered before what it holds
 * is copied, so that a cycle finds it; a tuple cannot be, and is looked for again after.
 */
#include "objects/copy.h"

#include "objects/class.h"
#include "objects/dict.h"
#include "objects/exception.h"
#include "objects/function.h"
#include "objects/heap.h"
#include "objects/int.h"
#include "objects/list.h"
#include "objects/tuple.h"
#include "objects/weakref.h"

struct copying {
    struct object *memo;      /* dict: address of an original -> its copy */
    struct object *originals; /* list: keeps them alive */
    int depth;
};

static struct object *copy(struct copying *c, borrowed o);

/* 1 and *found, a new reference, if `o` has been copied; 0: it has not; -1: MemoryError. */
static int recall(struct copying *c, borrowed o, struct object **found)
{
    struct object *address = int_new((int64_t)(intptr_t)o);
    int result;

    if (!address)
        return -1;
    result = dict_find(c->memo, address, found);
    decref(address);
    return result;
}

static int remember(struct copying *c, borrowed o, borrowed made)
{
    struct object *address = int_new((int64_t)(intptr_t)o);
    int result;

    if (!address)
        return -1;
    result = dict_set(c->memo, address, made);
    if (result == 0)
        result = list_append(c->originals, o);
    decref(address);
    return result;
}

/* Appends a copy of `item` to `to`. */
static int copy_item(struct copying *c, struct object *to, struct object *item /* steals */)
{
    struct object *made = copy(c, item);
    int result = made ? list_append(to, made) : -1;

    xdecref(made);
    decref(item);
    return result;
}

/* Another thread may shorten the list between the look at its length and the next item: that
 * is its end, as for an iterator. */
static int fill_list(struct copying *c, borrowed from, struct object *to)
{
    for (size_t i = 0; i < list_length(from); i++) {
        struct object *item = list_get(from, i);

        if (!item) {
            exception_restore(NULL);
            return 0;
        }
        if (copy_item(c, to, item) < 0)
            return -1;
    }
    return 0;
}

static int fill_dict(struct copying *c, borrowed from, struct object *to)
{
    struct object *key, *value, *new_key, *new_value;
    size_t cursor = 0;
    int result = 0;

    while (result == 0 && dict_next(from, &cursor, &key, &value)) {
        new_key = copy(c, key);
        new_value = new_key ? copy(c, value) : NULL;
        result = new_value ? dict_set(to, new_key, new_value) : -1;
        xdecref(new_key);
        xdecref(new_value);
        decref(key);
        decref(value);
    }
    return result;
}

static int fill_instance(struct copying *c, borrowed from, struct object *to)
{
    borrowed attributes = instance_dict(from);
    struct object *name, *value, *made;
    size_t cursor = 0;
    int result = 0;

    while (attributes && result == 0 && dict_next(attributes, &cursor, &name, &value)) {
        made = copy(c, value);
        result = made ? attribute_set(to, name, made) : -1;
        xdecref(made);
        decref(name);
        decref(value);
    }
    return result;
}

/* `made` is empty; what it holds is copied into it by `fill`. */
static struct object *copy_filled(struct copying *c, borrowed o, struct object *made /* steals */,
                                  int (*fill)(struct copying *c, borrowed from, struct object *to))
{
    if (made && (remember(c, o, made) < 0 || fill(c, o, made) < 0)) {
        decref(made);
        return NULL;
    }
    return made;
}

/* Copies of the tuple's items: how many there are, all of them unless one failed. *changed:
 * one is not the item itself. */
static size_t copy_items(struct copying *c, borrowed tuple, struct object **made, bool *changed)
{
    size_t i;

    *changed = false;
    for (i = 0; i < tuple_length(tuple); i++) {
        made[i] = copy(c, tuple_get(tuple, i));
        if (!made[i])
            break;
        *changed = *changed || made[i] != tuple_get(tuple, i);
    }
    return i;
}

/* The copy, once its items are there; one of them may have made it already. */
static struct object *finish_tuple(struct copying *c, borrowed o, struct object *const *items,
                                   bool changed)
{
    struct object *made = NULL;
    int known = recall(c, o, &made);

    if (known)
        return made;
    made = changed ? tuple_new(tuple_length(o), items) : incref(o);
    if (made && remember(c, o, made) < 0) {
        decref(made);
        return NULL;
    }
    return made;
}

static struct object *copy_tuple(struct copying *c, borrowed o)
{
    size_t length = tuple_length(o), copied;
    struct object **items, *made = NULL;
    bool changed;

    if (length == 0)
        return incref(o);
    items = heap->alloc(length * sizeof *items);
    if (!items)
        return object_no_memory();
    copied = copy_items(c, o, items, &changed);
    if (copied == length)
        made = finish_tuple(c, o, items, changed);
    while (copied > 0)
        decref(items[--copied]);
    heap->free(items, length * sizeof *items);
    return made;
}

static struct object *copy_container(struct copying *c, borrowed o)
{
    const struct type *type = type_of(o);
    struct object *made = NULL;
    int known = recall(c, o, &made);

    if (known)
        return made;
    if (type == &list_type)
        return copy_filled(c, o, list_new(), fill_list);
    if (type == &dict_type)
        return copy_filled(c, o, dict_new(), fill_dict);
    if (type == &instance_type)
        return copy_filled(c, o, instance_new(instance_class(o)), fill_instance);
    if (type == &tuple_type)
        return copy_tuple(c, o);
    exception_set(&type_error, "cannot copy '%s' object", type->name);
    return NULL;
}

/* Of these one is as good as a copy. What holds nothing cannot be changed either. */
static bool stands_for_itself(const struct type *type)
{
    return !type->traverse || type == &function_type || type == &class_type ||
           type == &weakref_type;
}

static struct object *copy(struct copying *c, borrowed o)
{
    struct object *made;

    if (stands_for_itself(type_of(o)))
        return incref(o);
    if (c->depth == COPY_DEPTH_MOST) {
        exception_set(&runtime_error, "maximum recursion depth exceeded");
        return NULL;
    }
    c->depth++;
    made = copy_container(c, o);
    c->depth--;
    return made;
}

struct object *deep_copy(borrowed o)
{
    struct copying c = { .memo = dict_new(), .originals = list_new() };
    struct object *made = c.memo && c.originals ? copy(&c, o) : NULL;

    xdecref(c.memo);
    xdecref(c.originals);
    return made;
}
