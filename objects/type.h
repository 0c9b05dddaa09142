/* type.h - a type is a table of slots.
 *
 * Types are static and const: they are not objects of the heap and are never
 * counted. A slot that a type does not need is NULL; what that means stands with it.
 */
#ifndef OBJECTS_TYPE_H
#define OBJECTS_TYPE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct object;

/* How a step of an iterator or generator ends. With a new reference in *result: what comes
 * next, or what it returned (None if it is no generator); or with an exception pending. */
enum step { STEP_NEXT, STEP_RETURN, STEP_ERROR };

/* An object that somebody else keeps alive: not to be decref'd, returned or stored
 * without an incref. The const is what makes a compiler say so; `incref` takes it
 * away. */
typedef const struct object *borrowed;

struct type {
    const char *name;
    const struct type *base;    /* the exception that this one is a kind of; NULL: none */
    size_t size_bytes;          /* of an instance; 0: ask size_of */
    size_t (*size_of)(borrowed o);

    /* Drops what the object holds, for it is about to be freed; size_of still answers
     * after. NULL: it holds nothing. */
    void (*destroy)(struct object *o);

    /* Drops what the object holds and leaves it whole, but empty: so the collector breaks a
     * cycle. NULL: it cannot be emptied (a tuple), and every cycle through it has another
     * object that can. */
    void (*clear)(struct object *o);

    /* Calls `visit` on every object that this one holds. NULL: none. */
    void (*traverse)(borrowed o, void (*visit)(borrowed held, void *argument), void *argument);

    /* Whether two objects of this type are equal. NULL: only if they are the same one.
     * A dict asks while it is locked: neither fails nor locks nor drops a reference. */
    bool (*equal)(borrowed a, borrowed b);

    /* 0 and *hash, good in all its 64 bits; equal objects have equal ones. -1: TypeError.
     * NULL: from the address. Not hashable: `unhashable`. */
    int (*hash)(borrowed o, uint64_t *hash);
    bool unhashable;

    /* A new iterator over it; an iterator gives itself. NULL: not iterable. */
    struct object *(*iterate)(borrowed o);

    /* Of an iterator: what comes next (iterator.h). */
    enum step (*next)(struct object *o, struct object **result);

    /* Calls it: `call` of function.h. NULL: not callable. */
    struct object *(*call)(borrowed o, borrowed const *arguments, size_t count);

    /* Writes what Python's repr says, cut off to fit. NULL: "<list object>". */
    void (*repr)(borrowed o, char *text, size_t size_bytes);
};

#endif
