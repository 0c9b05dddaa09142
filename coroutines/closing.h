/* closing.h - the asynchronous generators that a loop has seen, to be closed by it.
 *
 * What such a generator awaits in its finally blocks can only be awaited by a task. So one that is
 * dropped before its end is handed to its loop, which makes a task of its closing, whichever
 * thread drops it; and who ends a loop closes those that are left (run.h). The loop does not keep
 * them alive: it has weak references.
 *
 * A generator may outlive its loop. So its hooks know the loop by a number, and look it up; of a
 * loop that has gone nothing is found, and the generator is closed as one without a loop.
 *
 * Source: CPython 3.11, Lib/asyncio/base_events.py, _asyncgen_firstiter_hook and what follows.
 */
#ifndef COROUTINES_CLOSING_H
#define COROUTINES_CLOSING_H

#include "coroutines/async_generator.h"

/* A loop's part; stands in the loop. */
struct closing {
    uint64_t number;     /* set once */
    struct object *loop; /* set once; borrowed: it is the loop's own part */
    struct object *seen; /* owner of the loop; owned: a list of weak references; NULL: none */
    size_t looked;       /* owner; how long the list was when it was last looked through */
    struct closing *next, **link; /* closings.lock */
};

/* The loop begins; and is destroyed. */
void closing_enter(struct closing *c, struct object *loop);
void closing_leave(struct closing *c);

/* For the thread that runs the loop. */
struct async_generator_hooks closing_hooks(const struct closing *c);

/* A new list of those that are alive; the loop forgets them. NULL: MemoryError. */
struct object *closing_take(struct closing *c);

#endif
