/* execution.h - what of a thread's state belongs to the stack that it runs on.
 *
 * Some things that the runtime keeps for a thread are about the calls that are under way: which
 * sections they are in, how deep destructors are nested in them. Who leaves a stack amid such
 * calls and goes on with another (coroutines/stackful.h) takes them off the thread, and puts them
 * on again, perhaps on another thread, when the stack is come back to:
 *
 *      execution_leave(&one);      the thread is as one that has just started
 *      execution_enter(&other);
 *
 * Whoever leaves a stack gives up the locks of its sections, as before a call that blocks
 * (section.h), and takes that of the innermost again when it is back. So what runs meanwhile may
 * lock the same objects, and what was read of them must be read again.
 *
 * The blocks in which exceptions are handled belong to the stack, too, but those of a generator
 * stand on its caller's: exception_innermost is for who switches. An exception that is pending is
 * on its way from one to the other.
 *
 * Between the two nothing may wait or count. The caller is attached.
 */
#ifndef OBJECTS_EXECUTION_H
#define OBJECTS_EXECUTION_H

#include "gil/attributes.h"
#include "gil/thread.h"
#include "objects/object.h"

struct section;

/* One that has not begun is all zero. Who has it off the thread owns it. */
struct execution {
    struct section *sections; /* the innermost; their locks are given up */
    int nesting;              /* destructors of containers that are running */
    struct object *waiting;   /* the last one that waits for the outermost of them */
};

/* The calling thread's destructors (object.c). */
struct destroying {
    int nesting;               /* as above */
    struct object *waiting;    /* NULL: none */
    bool postpones;            /* the world is stopped: programs must not run */
    struct object *unfinished; /* the last one that waits for its end; NULL: none */
};

extern _Thread_local struct destroying object_destroying;

/* Destroys what has waited for a destructor that will not go on. */
void object_destroy_waiting(struct object **waiting);

SLOW_PATH void execution_take_off(struct execution *e);
SLOW_PATH void execution_put_on(struct execution *e);

static inline void execution_leave(struct execution *e)
{
    *e = (struct execution){ 0 };
    if (unlikely(thread_self->sections || object_destroying.nesting))
        execution_take_off(e);
}

/* May wait, for a section's lock. */
static inline void execution_enter(struct execution *e)
{
    if (unlikely(e->sections || e->nesting))
        execution_put_on(e);
}

/* Nobody will come back to it. */
void execution_abandon(struct execution *e);

#endif
