/* handle.h - a call that a loop will make later, and that can be called off.
 *
 * It is no container of its own in the collector's eyes, for there may be a million of them: the
 * loop shows the collector what its handles hold. A handle that the loop does not have holds
 * nothing: it lets go of all when it has been called, or is cancelled. So no cycle leads through
 * a handle but through the loop as well.
 *
 * By the loop's thread. `handle` must be one.
 */
#ifndef COROUTINES_HANDLE_H
#define COROUTINES_HANDLE_H

#include "coroutines/ready.h"
#include "coroutines/timers.h"

#include <stddef.h>

extern const struct type handle_type;

/* It will not be called any more; what it would have been called with is dropped. Twice, or after
 * the call, is no harm. */
void handle_cancel(borrowed handle);

bool handle_cancelled(borrowed handle);

/* When it is to be called, of clock_ns(). */
uint64_t handle_when_ns(borrowed handle);

/* ---- for the loop ---- */

struct handle_object {
    struct object head;
    struct timer timer;
    struct callback callback; /* nothing, if act is NULL: it was called, or is cancelled */
    size_t
        *cancelled_timers; /* counts those that are cancelled while they wait; NULL: it does not */
    bool cancelled;
};

/* NULL: MemoryError. */
struct object *handle_new(uint64_t when_ns, loop_action *act, borrowed target, borrowed argument);

/* The action that calls a handle, its target. */
loop_action handle_act;

/* Visits it, and what it holds. */
void handle_traverse(borrowed handle, void (*visit)(borrowed held, void *argument), void *argument);

static inline struct handle_object *handle_of(struct timer *timer)
{
    return (struct handle_object *)((char *)timer - offsetof(struct handle_object, timer));
}

#endif
