/* warning.h - what no caller can be told: warnings, and errors where nobody waits for one.
 *
 * A destructor has no caller that could be given an exception: the object's last reference
 * was dropped by somebody who is busy with something else. CPython writes such errors, and
 * its warnings, to standard error. Below lab/ nothing prints; so they go to a hook, and where
 * none is set they are dropped.
 *
 * The hooks are one set for the whole runtime. They are called attached, on the thread on
 * which it happened, with no exception pending, and may be called by several threads at once.
 */
#ifndef OBJECTS_WARNING_H
#define OBJECTS_WARNING_H

#include "objects/object.h"

struct warning_hooks {
    /* `kind` is such as runtime_warning. An exception that it leaves pending, of a warning that is
     * to be an error, goes to the other hook. */
    void (*warn)(const struct type *kind, const char *message);

    /* `exception` was raised in the end of what `where` names, and nobody handles it. */
    void (*unraisable)(borrowed exception, const char *where);
};

/* Returns those that were set before. NULL: none. What is set must stay where it is, and no
 * other thread warns meanwhile. */
const struct warning_hooks *warning_set_hooks(const struct warning_hooks *hooks);

/* The message is of printf's form. What is pending stays so. */
__attribute__((format(printf, 2, 3)))
void warn(const struct type *kind, const char *format, ...);

/* Takes the pending exception, and tells the hook of it. */
void warning_unraisable(const char *where);

#endif
