/* warning.c - what no caller can be told goes to the hooks. */
#include "objects/warning.h"

#include "objects/exception.h"

#include <stdarg.h>
#include <stdio.h>

enum { MESSAGE_BYTES = 600 };

static const struct warning_hooks none_set;
static const struct warning_hooks *hooks = &none_set;

const struct warning_hooks *warning_set_hooks(const struct warning_hooks *given)
{
    const struct warning_hooks *before = hooks == &none_set ? NULL : hooks;

    hooks = given ? given : &none_set;
    return before;
}

void warn(const struct type *kind, const char *format, ...)
{
    struct object *pending = exception_take();
    char message[MESSAGE_BYTES];
    va_list arguments;

    va_start(arguments, format);
    vsnprintf(message, sizeof message, format, arguments);
    va_end(arguments);
    if (hooks->warn)
        hooks->warn(kind, message);
    warning_unraisable(message);
    exception_restore(pending);
}

void warning_unraisable(const char *where)
{
    struct object *exception = exception_take();

    if (!exception)
        return;
    if (hooks->unraisable)
        hooks->unraisable(exception, where);
    exception_restore(NULL); /* what the hook itself may have left */
    decref(exception);
}
