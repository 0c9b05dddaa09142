/* function.c - calling, and binding a function to an object.
 *
 * Neither type can be emptied (clear): what they hold is older than they are, so a cycle
 * leads through something else that was changed since, and that can be.
 */
#include "objects/function.h"

#include "objects/collector.h"
#include "objects/exception.h"

#include <assert.h>
#include <stdio.h>
#include <string.h>

struct method_object {
    struct object head;
    struct object *function, *self; /* set once; owned */
};

static struct function_object *as_function(borrowed o)
{
    assert(type_of(o) == &function_type);
    return (struct function_object *)o;
}

static struct method_object *as_method(borrowed o)
{
    assert(type_of(o) == &method_type);
    return (struct method_object *)o;
}

struct object *call(borrowed callable, borrowed const *arguments, size_t count)
{
    const struct type *type = type_of(callable);

    assert(count <= ARGUMENTS_MOST);
    if (likely(type->call))
        return type->call(callable, arguments, count);
    exception_set(&type_error, "'%s' object is not callable", type->name);
    return NULL;
}

struct object *function_new(const char *name, native *body, int count, borrowed closure)
{
    struct object *o = container_new(&function_type, sizeof(struct function_object));
    struct function_object *f;

    if (!o)
        return NULL;
    f = as_function(o);
    f->name = name;
    f->body = body;
    f->count = count;
    f->closure = closure ? incref(closure) : NULL;
    return o;
}

const char *function_name(borrowed o)
{
    return as_function(o)->name;
}

static struct object *function_call(borrowed o, borrowed const *arguments, size_t count)
{
    const struct function_object *f = as_function(o);

    if (likely(f->count == ARGUMENTS_ANY || (size_t)f->count == count))
        return f->body(f->closure, arguments, count);
    exception_set(&type_error, "%s() takes %d argument%s but %zu %s given", f->name, f->count,
                  f->count == 1 ? "" : "s", count, count == 1 ? "was" : "were");
    return NULL;
}

static void function_destroy(struct object *o)
{
    xdecref(as_function(o)->closure);
}

static void function_traverse(borrowed o, void (*visit)(borrowed held, void *argument),
                              void *argument)
{
    if (as_function(o)->closure)
        visit(as_function(o)->closure, argument);
}

static void function_repr(borrowed o, char *text, size_t size_bytes)
{
    snprintf(text, size_bytes, "<function %s>", function_name(o));
}

const struct type function_type = {
    .name = "function", .size_bytes = sizeof(struct function_object), .destroy = function_destroy,
    .traverse = function_traverse, .call = function_call, .repr = function_repr,
};

struct object *method_new(borrowed function, borrowed self)
{
    struct object *o = container_new(&method_type, sizeof(struct method_object));

    if (!o)
        return NULL;
    as_method(o)->function = incref(function);
    as_method(o)->self = incref(self);
    return o;
}

static struct object *method_call(borrowed o, borrowed const *arguments, size_t count)
{
    borrowed all[ARGUMENTS_MOST];

    assert(count < ARGUMENTS_MOST);
    all[0] = as_method(o)->self;
    if (count)
        memcpy(all + 1, arguments, count * sizeof *all);
    return call(as_method(o)->function, all, count + 1);
}

static void method_destroy(struct object *o)
{
    decref(as_method(o)->function);
    decref(as_method(o)->self);
}

static void method_traverse(borrowed o, void (*visit)(borrowed held, void *argument),
                            void *argument)
{
    visit(as_method(o)->function, argument);
    visit(as_method(o)->self, argument);
}

const struct type method_type = {
    .name = "method", .size_bytes = sizeof(struct method_object), .destroy = method_destroy,
    .traverse = method_traverse, .call = method_call,
};
