/* function.h - what can be called: functions written in C, and methods bound to an object.
 *
 * A function is an object that is counted, since CPython's are: who calls one takes a
 * reference to it and drops it, and a function that all threads call is one of the counts
 * they fight for. What it needs beside its arguments it keeps in a closure: a cell, a
 * tuple of cells, whatever object its maker chose.
 *
 * A method is a function together with the object to which it is applied. CPython makes
 * one for each `o.f` that is not at once called; class.h has call_method for those that
 * are.
 *
 * A call passes its arguments as they stand in an array (PEP 590, vectorcall), so that
 * none is counted or copied on the way.
 */
#ifndef OBJECTS_FUNCTION_H
#define OBJECTS_FUNCTION_H

#include "objects/object.h"

extern const struct type function_type, method_type;

enum {
    ARGUMENTS_MOST = 16, /* of one call, the object of a method included */
    ARGUMENTS_ANY = -1,
};

/* What a function does. `closure` is its own, or NULL; a method's object is arguments[0].
 * A new reference, or NULL with an exception pending. */
typedef struct object *native(borrowed closure, borrowed const *arguments, size_t count);

/* For those who call so often that they call the body by themselves, as function_call does. */
struct function_object {
    struct object head;
    const char *name;       /* set once */
    native *body;           /* set once */
    int count;              /* set once; of its arguments, or ARGUMENTS_ANY */
    struct object *closure; /* set once; owned, or NULL */
};

/* `name` is not copied. It takes exactly `count` arguments, or ARGUMENTS_ANY. `closure` may
 * be NULL; it is kept by a new reference. NULL: MemoryError. */
struct object *function_new(const char *name, native *body, int count, borrowed closure);

/* Lives as long as the function does. */
const char *function_name(borrowed function);

/* A callable that calls `function` with `self` before its arguments; NULL: MemoryError. */
struct object *method_new(borrowed function, borrowed self);

/* What the callable returns; NULL: TypeError if it is none or wants other arguments, or
 * whatever it raises itself. The caller keeps all of them alive. At most ARGUMENTS_MOST. */
struct object *call(borrowed callable, borrowed const *arguments, size_t count);

#endif
