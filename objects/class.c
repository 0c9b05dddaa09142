/* class.c - classes, their instances, and the attributes of both.
 *
 * A class and an instance never let go of what they hold before they die: that is why an
 * instance's class, and either's dict, can be lent. Neither can be emptied (clear), but
 * their dicts can, and a cycle leads through one of those, for all else was there before
 * the class or instance was.
 *
 * The dict of an instance is made by the first store, without a lock: who loses the race
 * to put one there uses the other's. Release and acquire, so that who finds the dict
 * finds its fields set.
 */
#include "objects/class.h"

#include "objects/collector.h"
#include "objects/dict.h"
#include "objects/exception.h"
#include "objects/function.h"
#include "objects/none.h"
#include "objects/str.h"
#include "objects/table.h"

#include <assert.h>
#include <stdio.h>
#include <string.h>

struct class_object {
    struct object head;
    struct object *name;      /* set once; owned */
    struct object *init_name; /* set once; owned; what __init__ is looked up by */
    struct object *base;      /* set once; owned, or NULL */
    struct object *dict;      /* set once; owned */
};

struct instance_object {
    struct object head;
    struct object *class;          /* set once; owned */
    _Atomic(struct object *) dict; /* set once, atomic; owned, or NULL */
};

static struct class_object *as_class(borrowed o)
{
    assert(type_of(o) == &class_type);
    return (struct class_object *)o;
}

static struct instance_object *as_instance(borrowed o)
{
    assert(type_of(o) == &instance_type);
    return (struct instance_object *)o;
}

struct object *class_new(const char *name, borrowed base)
{
    struct object *parts[] = { str_new(name), str_new("__init__"), dict_new() };
    struct object *o = NULL;

    assert(!base || type_of(base) == &class_type);
    if (parts[0] && parts[1] && parts[2])
        o = container_new(&class_type, sizeof(struct class_object));
    if (!o)
        goto failed;
    as_class(o)->name = parts[0];
    as_class(o)->init_name = parts[1];
    as_class(o)->dict = parts[2];
    as_class(o)->base = base ? incref(base) : NULL;
    return o;

failed:
    for (int i = 0; i < 3; i++)
        xdecref(parts[i]);
    return NULL;
}

const char *class_name(borrowed o)
{
    return str_text(as_class(o)->name);
}

/* What o's class is called in messages. */
static const char *kind_name(borrowed o)
{
    return type_of(o) == &instance_type ? class_name(as_instance(o)->class) : type_of(o)->name;
}

struct object *instance_new(borrowed class)
{
    struct object *o = container_new(&instance_type, sizeof(struct instance_object));

    assert(type_of(class) == &class_type);
    if (!o)
        return NULL;
    as_instance(o)->class = incref(class);
    atomic_init(&as_instance(o)->dict, NULL);
    return o;
}

borrowed instance_class(borrowed o)
{
    return as_instance(o)->class;
}

borrowed instance_dict(borrowed o)
{
    return atomic_load_explicit(&as_instance(o)->dict, memory_order_acquire);
}

/* The instance's dict, made if there was none; NULL: MemoryError. */
static borrowed make_dict(borrowed o)
{
    struct object *made = dict_new(), *found = NULL;

    if (!made)
        return NULL;
    publish_into(o, made);
    if (atomic_compare_exchange_strong_explicit(&as_instance(o)->dict, &found, made,
                                                memory_order_acq_rel, memory_order_acquire))
        return made;
    decref(made);
    return found;
}

/* What the class or one of its bases has of this name: a new reference, or NULL and no
 * exception. A str can be hashed, so dict_find does not fail. */
static struct object *find_in_class(borrowed class, borrowed name)
{
    struct object *value = NULL;

    for (; class && !value; class = as_class(class)->base)
        dict_find(as_class(class)->dict, name, &value);
    return value;
}

static struct object *find_in_instance(borrowed o, borrowed name)
{
    borrowed dict = instance_dict(o);
    struct object *value = NULL;

    if (dict)
        dict_find(dict, name, &value);
    return value;
}

static void no_attribute(borrowed o, borrowed name)
{
    if (type_of(o) == &class_type)
        exception_set(&attribute_error, "type object '%s' has no attribute '%s'", class_name(o),
                      str_text(name));
    else
        exception_set(&attribute_error, "'%s' object has no attribute '%s'", kind_name(o),
                      str_text(name));
}

/* As attribute_get, but a function of o's class is not bound yet: *unbound says so. */
static struct object *look_up(borrowed o, borrowed name, bool *unbound)
{
    struct object *value = NULL;

    assert(type_of(name) == &str_type);
    *unbound = false;
    if (likely(type_of(o) == &instance_type)) {
        value = find_in_instance(o, name);
        if (!value) {
            value = find_in_class(as_instance(o)->class, name);
            *unbound = value && type_of(value) == &function_type;
        }
    } else if (type_of(o) == &class_type) {
        value = find_in_class(o, name);
    }
    if (unlikely(!value))
        no_attribute(o, name);
    return value;
}

struct object *attribute_get(borrowed o, borrowed name)
{
    bool unbound;
    struct object *value = look_up(o, name, &unbound), *method;

    if (!unbound)
        return value;
    method = method_new(value, o);
    decref(value);
    return method;
}

int attribute_set(borrowed o, borrowed name, borrowed value)
{
    borrowed dict;

    assert(type_of(name) == &str_type);
    if (likely(type_of(o) == &instance_type)) {
        dict = instance_dict(o);
        if (unlikely(!dict))
            dict = make_dict(o);
        return dict ? dict_set(dict, name, value) : -1;
    }
    if (type_of(o) == &class_type)
        return dict_set(as_class(o)->dict, name, value);
    no_attribute(o, name);
    return -1;
}

int attribute_delete(borrowed o, borrowed name)
{
    borrowed dict = NULL;

    assert(type_of(name) == &str_type);
    if (type_of(o) == &instance_type)
        dict = instance_dict(o);
    else if (type_of(o) == &class_type)
        dict = as_class(o)->dict;
    if (dict && table_delete(dict, name) == 1)
        return 0;
    no_attribute(o, name);
    return -1;
}

struct object *call_method(borrowed name, borrowed const *arguments, size_t count)
{
    bool unbound;
    struct object *value = look_up(arguments[0], name, &unbound), *result;

    if (!value)
        return NULL;
    result = unbound ? call(value, arguments, count) : call(value, arguments + 1, count - 1);
    decref(value);
    return result;
}

/* Calls `init` with the instance before the arguments; 0 or -1. */
static int call_init(struct object *init, borrowed o, borrowed const *arguments, size_t count)
{
    borrowed all[ARGUMENTS_MOST];
    struct object *result;
    bool returned_none;

    assert(count < ARGUMENTS_MOST);
    all[0] = o;
    if (count)
        memcpy(all + 1, arguments, count * sizeof *all);
    result = call(init, all, count + 1);
    if (!result)
        return -1;
    returned_none = result == none();
    if (!returned_none)
        exception_set(&type_error, "__init__() should return None, not '%s'", kind_name(result));
    decref(result);
    return returned_none ? 0 : -1;
}

static int initialise(borrowed o, borrowed const *arguments, size_t count)
{
    borrowed class = as_instance(o)->class;
    struct object *init = find_in_class(class, as_class(class)->init_name);
    int result;

    if (!init && count == 0)
        return 0;
    if (!init) {
        exception_set(&type_error, "%s() takes no arguments", kind_name(o));
        return -1;
    }
    result = call_init(init, o, arguments, count);
    decref(init);
    return result;
}

struct object *class_call(borrowed class, borrowed const *arguments, size_t count)
{
    struct object *o = instance_new(class);

    if (o && initialise(o, arguments, count) < 0) {
        decref(o);
        o = NULL;
    }
    return o;
}

static void class_destroy(struct object *o)
{
    decref(as_class(o)->name);
    decref(as_class(o)->init_name);
    xdecref(as_class(o)->base);
    decref(as_class(o)->dict);
}

static void class_traverse(borrowed o, void (*visit)(borrowed held, void *argument), void *argument)
{
    visit(as_class(o)->name, argument);
    visit(as_class(o)->init_name, argument);
    if (as_class(o)->base)
        visit(as_class(o)->base, argument);
    visit(as_class(o)->dict, argument);
}

static void class_repr(borrowed o, char *text, size_t size_bytes)
{
    snprintf(text, size_bytes, "<class '%s'>", class_name(o));
}

const struct type class_type = {
    .name = "type", .size_bytes = sizeof(struct class_object), .destroy = class_destroy,
    .traverse = class_traverse, .call = class_call, .repr = class_repr,
};

static void instance_destroy(struct object *o)
{
    xdecref(atomic_load_explicit(&as_instance(o)->dict, memory_order_relaxed));
    decref(as_instance(o)->class);
}

static void instance_traverse(borrowed o, void (*visit)(borrowed held, void *argument),
                              void *argument)
{
    borrowed dict = instance_dict(o);

    visit(as_instance(o)->class, argument);
    if (dict)
        visit(dict, argument);
}

static void instance_repr(borrowed o, char *text, size_t size_bytes)
{
    snprintf(text, size_bytes, "<%s object>", kind_name(o));
}

const struct type instance_type = {
    .name = "object", .size_bytes = sizeof(struct instance_object), .destroy = instance_destroy,
    .traverse = instance_traverse, .repr = instance_repr,
};
