/* ready.h - what a loop is to call, in order: a ring of callbacks.
 *
 * Places can be promised: a ring with promised places has room for them, so that who was promised
 * one pushes without memory. A loop promises one to each callback of a future and to the next step
 * of each task, for those must happen when their time has come.
 *
 * Not to be used by two threads at a time.
 */
#ifndef COROUTINES_READY_H
#define COROUTINES_READY_H

#include "objects/object.h"

/* What is called: in C, with one object that it is about and another, or NULL; both are borrowed.
 * First it says who it is (loop_enter). 0; or -1 with an exception pending, for the loop's hook. */
typedef int loop_action(borrowed loop, borrowed target, borrowed argument);

struct callback {
    loop_action *act;
    struct object *target;   /* owned */
    struct object *argument; /* owned; NULL: none */
};

struct ready {
    struct callback *callback; /* a ring: `capacity` is a power of two, or 0 */
    size_t capacity, first, count;
    size_t promised;
    size_t room; /* places that are neither taken nor promised: capacity - count - promised */
};

/* All zero is an empty one. Drops what is in it, and its memory; promises are void. */
void ready_fini(struct ready *r);

/* Makes room for one at least. 0; -1: MemoryError. */
SLOW_PATH int ready_grow(struct ready *r);

/* Room for one that is not promised. 0; -1: MemoryError. */
static inline int ready_reserve(struct ready *r)
{
    return likely(r->room) ? 0 : ready_grow(r);
}

static inline void ready_put(struct ready *r, struct callback callback /* steals */)
{
    r->callback[(r->first + r->count++) & (r->capacity - 1)] = callback;
}

/* There is room. */
static inline void ready_push(struct ready *r, struct callback callback /* steals */)
{
    r->room--;
    ready_put(r, callback);
}

/* There is room for the promise; then the promise is kept. */
static inline void ready_promise(struct ready *r)
{
    r->room--;
    r->promised++;
}

static inline void ready_unpromise(struct ready *r)
{
    r->room++;
    r->promised--;
}

static inline void ready_push_promised(struct ready *r, struct callback callback /* steals */)
{
    r->promised--;
    ready_put(r, callback);
}

/* There is one. What those are called with that come after it may be in no cache yet. */
static inline struct callback ready_pop(struct ready *r)
{
    enum { AHEAD = 4 };
    struct callback callback = r->callback[r->first];

    __builtin_prefetch(r->callback[(r->first + AHEAD) & (r->capacity - 1)].target, 1);
    r->first = (r->first + 1) & (r->capacity - 1);
    r->count--;
    r->room++;
    return callback;
}

void ready_traverse(const struct ready *r, void (*visit)(borrowed held, void *argument),
                    void *argument);

/* ---- of one callback ---- */

static inline struct callback callback_of(loop_action *act, borrowed target, borrowed argument)
{
    return (struct callback){ act, incref(target), argument ? incref(argument) : NULL };
}

static inline void callback_publish_into(borrowed container, borrowed target, borrowed argument)
{
    if (likely(!object_has(container, OBJECT_PUBLISHED)))
        return;
    publish(target);
    if (argument)
        publish(argument);
}

static inline void callback_drop(struct callback callback /* steals */)
{
    decref(callback.target);
    xdecref(callback.argument);
}

static inline void callback_traverse(const struct callback *callback,
                                     void (*visit)(borrowed held, void *argument), void *argument)
{
    visit(callback->target, argument);
    if (callback->argument)
        visit(callback->argument, argument);
}

#endif
