/* queue.h - items from tasks to tasks of one loop, first in, first out.
 *
 * Who gets from an empty queue waits until there is an item; who puts into a full one, until there
 * is room. Those that wait are woken one for each item, or place, in the order in which they came.
 * One that is cancelled loses nothing: an item stays in the queue until somebody goes on with it,
 * and who was woken and cannot go on wakes the next.
 *
 * To wait for the end of all work there is a second count: an item that was put is unfinished until
 * queue_task_done is called for it, and queue_join waits until none is.
 *
 * Not between threads: a queue belongs to the loop on which somebody first waited for it
 * (RuntimeError "... is bound to a different event loop"), and is used by that loop's thread.
 * Threads hand over by way of loop_call_soon_threadsafe, or of an executor.
 *
 * `queue` must be one in all of these. NULL and -1: MemoryError, and what is said; RuntimeError, who
 * waits is on a loop that is closed. Then nothing was put, and nothing taken.
 *
 * Source: CPython 3.11, Lib/asyncio/queues.py.
 */
#ifndef COROUTINES_QUEUE_H
#define COROUTINES_QUEUE_H

#include "objects/object.h"

extern const struct type queue_type;

/* Full with so many items; 0 or less: never. */
struct object *queue_new(int64_t maxsize);

int64_t queue_maxsize(borrowed queue);
size_t queue_size(borrowed queue);
bool queue_empty(borrowed queue);
bool queue_full(borrowed queue);

/* Coroutines: one returns an item, the other None. */
struct object *queue_get(borrowed queue);
struct object *queue_put(borrowed queue, borrowed item);

/* The same at once: QueueEmpty, QueueFull (queue_empty_error, queue_full_error) if that would mean
 * to wait. */
struct object *queue_get_nowait(borrowed queue);
int queue_put_nowait(borrowed queue, borrowed item);

/* What was got is done. -1: also ValueError, more often than there were items. */
int queue_task_done(borrowed queue);

/* A coroutine that returns None when no item is unfinished. */
struct object *queue_join(borrowed queue);

#endif
