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

/* What `async for` and `async with` ask; each gives an awaitable, but for iterate, which gives
 * what is asked for `next`. NULL: it has no such method. */
struct async_slots {
    struct object *(*iterate)(borrowed o);
    struct object *(*next)(borrowed o);
    struct object *(*enter)(borrowed o);
    struct object *(*exit)(borrowed o, borrowed exception); /* None: there was none */
};

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
     * object that can. Nobody else can reach the object. Neither this nor `destroy` may
     * keep a reference to it. */
    void (*clear)(struct object *o);

    /* Of a container that has something to do before it goes, such as a generator that is
     * suspended within a finally block. `unfinished`: whether that is so; `finish` does it,
     * and then it is not so any more. It is called once nobody holds the object, and runs
     * whatever a program has there, but it takes no reference to the object itself, for that
     * is not brought back to life. NULL, both: it only drops what it holds. */
    bool (*unfinished)(borrowed o);
    void (*finish)(struct object *o);

    /* Other threads are about to see it; then what it holds is published. NULL: that is all the
     * same to it. */
    void (*publish)(struct object *o);

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

    /* Of what takes part in a delegation (coroutines/generator.h), as Python's methods of
     * these names; the step is as of `next`. NULL: it has no such method. */
    enum step (*send)(struct object *o, borrowed value, struct object **result);
    enum step (*throw)(struct object *o, struct object *exception /* steals */,
                       struct object **result);
    int (*close)(struct object *o);

    /* What is stepped when it is awaited: Python's __await__. NULL: not awaitable. */
    struct object *(*await)(borrowed o);
    const struct async_slots *async; /* NULL: it has none of these */

    /* Calls it: `call` of function.h. NULL: not callable. */
    struct object *(*call)(borrowed o, borrowed const *arguments, size_t count);

    /* Writes what Python's repr says, cut off to fit. NULL: "<list object>". */
    void (*repr)(borrowed o, char *text, size_t size_bytes);
};

#endif
