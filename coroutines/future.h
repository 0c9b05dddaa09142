/* future.h - a result that is not there yet.
 *
 * Whoever will have it sets it, or an exception, once; whoever needs it awaits the future, or
 * adds a callback. Callbacks are never called by the one that sets: the loop calls them in its
 * next turn, in the order in which they were added.
 *
 * A future belongs to a loop and is used by the loop's thread; it may be dropped by any. An
 * exception that nobody has asked for when the future dies goes to the loop's hook, once.
 *
 * Awaited, it gives itself, once, to the task that runs; when that goes on, it returns its result
 * or raises. It keeps nothing for who awaits it, so it is its own iterator, and an await makes no
 * object. (CPython makes one.)
 *
 * `future` must be one, or a task, in all of these.
 *
 * Source: CPython 3.11, Lib/asyncio/futures.py, and Modules/_asynciomodule.c for the messages.
 */
#ifndef COROUTINES_FUTURE_H
#define COROUTINES_FUTURE_H

#include "coroutines/loop.h"

extern const struct type future_type;

enum future_state { FUTURE_PENDING, FUTURE_CANCELLED, FUTURE_FINISHED };

/* A pending one; NULL: MemoryError. */
struct object *future_new(borrowed loop);

/* Whether it is a future or a task. */
bool future_is(borrowed o);

borrowed future_loop(borrowed future);

/* What was set; NULL: what was set is an exception, CancelledError if it was cancelled,
 * InvalidStateError if it is not done. Asked for, an exception counts as retrieved. */
struct object *future_result(borrowed future);

/* The exception that was set, or None; NULL: CancelledError, InvalidStateError. */
struct object *future_exception(borrowed future);

/* 0; -1: InvalidStateError if it is done, RuntimeError if it is a task's or its callbacks cannot
 * be called, TypeError if the exception is a StopIteration. */
int future_set_result(borrowed future, borrowed result);
int future_set_exception(borrowed future, borrowed exception);

/* 1: it is cancelled, or if it is a task it will be asked to end (task.h); 0: it was done.
 * `message` is the CancelledError's, or NULL. -1: RuntimeError, its callbacks cannot be called. */
int future_cancel(borrowed future, borrowed message);

/* Has the loop call it with the future when that is done. 0 or -1. */
int future_add_done_callback(borrowed future, borrowed callable);

/* How often it had been added. */
int future_remove_done_callback(borrowed future, borrowed callable);

/* ---- for tasks, and who else is built on it ---- */

/* `target` and the future are what it is called with. */
struct future_callback {
    loop_action *act;
    struct object *target; /* owned */
};

struct future_object {
    struct object head;
    struct object *loop;          /* set once; owned */
    struct object *result;        /* owned; of a cancelled one the message, or NULL */
    struct object *exception;     /* owned; of a cancelled one what ended it, or NULL */
    struct future_callback first; /* no act: there is no callback */
    struct future_callback *more; /* that came after the first; NULL: capacity is 0 */
    uint32_t count, capacity;     /* of them */
    int (*cancel)(borrowed future, borrowed message); /* set once */
    uint8_t state;                                    /* enum future_state */
    bool awaited; /* it has just been given by an await, to a task */
    bool tells;   /* nobody has asked for its exception */
};

static inline struct future_object *as_future(borrowed o)
{
    return (struct future_object *)o;
}

static inline enum future_state future_state(borrowed future)
{
    return as_future(future)->state;
}

/* Whether it is not pending. */
static inline bool future_done(borrowed future)
{
    return as_future(future)->state != FUTURE_PENDING;
}

static inline bool future_cancelled(borrowed future)
{
    return as_future(future)->state == FUTURE_CANCELLED;
}

/* Fills all after the header of a new object that begins like a future. */
void future_init(struct future_object *f, borrowed loop,
                 int (*cancel)(borrowed future, borrowed message));

/* As future_add_done_callback, in C. With `promised` the place in the loop is one that the caller
 * was promised; then it takes memory only if the future has another callback already. */
int future_on_done(borrowed future, loop_action *act, borrowed target, bool promised);

/* Takes it back, once. */
void future_not_on_done(borrowed future, loop_action *act, borrowed target);

/* Those of one that nobody will finish, for its loop is closed. */
void future_forget_callbacks(borrowed future);

/* For those that need not ask whether it is done: of a pending one whose callbacks can be called.
 */
void future_finish(struct future_object *f, struct object *result /* steals */);

/* The same, by an action of the loop, which then does no more: it calls the first of the callbacks
 * itself, as the loop would have done in the next turn. What that returns. */
int future_finish_here(struct future_object *f, struct object *result /* steals */);
void future_fail(struct future_object *f, struct object *exception /* steals */);
void future_end_cancelled(struct future_object *f, borrowed message, borrowed cause);

/* Of one that is done, whose outcome is nobody's business any more: it is pending, as a new one is. */
void future_begin_again(struct future_object *f);

/* The action of what releases a waiter: its target, a future, gets None as its result if it has
 * none. */
loop_action future_act_release;

/* future_cancel of a future that has nothing below it. */
int future_cancel_plain(borrowed future, borrowed message);

/* A new CancelledError with this message, or NULL; NULL: MemoryError. */
struct object *cancelled_error_new(borrowed message);

/* A new CancelledError with its message, or the one that ended it; NULL: MemoryError. */
struct object *future_cancelled_error(borrowed future);

/* The slots of a type that begins like a future. `destroy` frees what future_init made. */
void future_destroy(struct object *o);
void future_clear(struct object *o);
void future_traverse(borrowed o, void (*visit)(borrowed held, void *argument), void *argument);
bool future_unfinished(borrowed o);
void future_finish_unseen(struct object *o); /* tells that its exception was never retrieved */
void future_tell_lost(struct object *o, const char *message);
enum step future_next(struct object *o, struct object **result);
void future_repr(borrowed o, char *text, size_t size_bytes);

/* " finished result=42>" and the like, behind what a type's repr begins with. */
const char *future_state_name(borrowed o);
void future_write_state(borrowed o, char *text, size_t size_bytes);

#endif
