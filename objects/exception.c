/* exception.c - the kinds of exceptions, and the pending one of each context. */
#include "objects/exception.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

enum { MESSAGE_BYTES = 160 };

struct exception_object {
    struct object head;
    char message[MESSAGE_BYTES];
};

#define KIND(symbol, text, of) \
    const struct type symbol = { \
        .name = text, .base = of, .size_bytes = sizeof(struct exception_object) \
    }
KIND(exception, "Exception", NULL);
KIND(type_error, "TypeError", &exception);
KIND(value_error, "ValueError", &exception);
KIND(index_error, "IndexError", &exception);
KIND(key_error, "KeyError", &exception);
KIND(attribute_error, "AttributeError", &exception);
KIND(overflow_error, "OverflowError", &exception);
KIND(zero_division_error, "ZeroDivisionError", &exception);
KIND(memory_error, "MemoryError", &exception);
KIND(runtime_error, "RuntimeError", &exception);
KIND(os_error, "OSError", &exception);
#undef KIND

static const struct exception_object no_memory = {
    .head.type = &memory_error, .message = "out of memory",
};

static _Thread_local struct object *pending; /* owned */

static struct object *format_new(const struct type *kind, const char *format, va_list arguments)
{
    struct object *o = object_new(kind, sizeof(struct exception_object));

    if (o)
        vsnprintf(((struct exception_object *)o)->message, MESSAGE_BYTES, format, arguments);
    return o;
}

struct object *exception_new(const struct type *kind, const char *format, ...)
{
    va_list arguments;
    struct object *o;

    va_start(arguments, format);
    o = format_new(kind, format, arguments);
    va_end(arguments);
    return o;
}

const char *exception_message(borrowed e)
{
    return ((const struct exception_object *)((uintptr_t)e & ~(uintptr_t)1))->message;
}

void exception_restore(struct object *e)
{
    xdecref(pending);
    pending = e;
}

void exception_set(const struct type *kind, const char *format, ...)
{
    va_list arguments;
    struct object *o;

    va_start(arguments, format);
    o = format_new(kind, format, arguments);
    va_end(arguments);
    if (o)
        exception_restore(o);
}

/* Uncounted, like None: any number of threads may have it pending. */
void exception_set_no_memory(void)
{
    exception_restore((struct object *)((uintptr_t)&no_memory.head + 1));
}

void exception_set_errno(const char *call)
{
    exception_set(&os_error, "%s: %s", call, strerror(errno));
}

borrowed exception_pending(void)
{
    return pending;
}

bool exception_matches(const struct type *kind)
{
    for (const struct type *t = pending ? type_of(pending) : NULL; t; t = t->base)
        if (t == kind)
            return true;
    return false;
}

struct object *exception_take(void)
{
    struct object *e = pending;

    pending = NULL;
    return e;
}
