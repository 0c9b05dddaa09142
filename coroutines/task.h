/* task.h - a coroutine that a loop drives: a future whose result is what the coroutine returns.
 *
 * A task takes its first step in the turn after it was made, in the order in which tasks were made;
 * each step runs the coroutine until it awaits something that is not there. The loop holds a task
 * until it is done, so one that was made and forgotten is not lost. (CPython's loop does not hold
 * it, and such a task may vanish in the middle.)
 *
 * To cancel a task is to ask it to end: CancelledError is raised in the coroutine at its next step,
 * from what it awaits if that can be cancelled. It may catch it; what it then returns is its
 * result. Each request is counted, until uncancel takes it back, so that a block which has asked
 * for its own end (timeout.h, task_group.h) knows whether somebody else has, too.
 *
 * A step takes no memory but what the coroutine takes. Where some is missing (for the second one
 * who awaits a future), MemoryError is raised in the coroutine.
 *
 * A task is a future: all of future.h holds, but it cannot be set. By the loop's thread, but a task
 * may be dropped by any.
 *
 * Source: CPython 3.11, Lib/asyncio/tasks.py.
 */
#ifndef COROUTINES_TASK_H
#define COROUTINES_TASK_H

#include "coroutines/future.h"

extern const struct type task_type;

/* Python's create_task. `name` is a str, or NULL: "Task-1" and so on, by loop. NULL: TypeError if
 * it is no coroutine, RuntimeError, MemoryError. */
struct object *task_new(borrowed loop, borrowed coroutine, borrowed name);

/* The same, but the first step is taken at once, on the loop that runs: a coroutine that need not
 * wait is done when this returns, and the loop has no work of it. Source: CPython 3.12's
 * eager_task_factory. NULL: also KeyboardInterrupt and SystemExit that it raised. */
struct object *task_new_eager(borrowed loop, borrowed coroutine, borrowed name);

/* Python's ensure_future: a future itself, a task of a coroutine, or of one that awaits the
 * awaitable. NULL: TypeError, ValueError if the future is another loop's, MemoryError. */
struct object *ensure_future(borrowed loop, borrowed awaitable);

/* If it is destroyed while it is pending, nobody is told: it was made for who waits for it, and
 * that one knows. */
void task_hush(borrowed task);

/* The task whose step runs on this thread; NULL: none. */
borrowed task_current(void);

/* A new reference to a str; NULL: MemoryError. */
struct object *task_name(borrowed task);
void task_set_name(borrowed task, borrowed name);

/* Lives as long as the task. */
borrowed task_coroutine(borrowed task);

/* How many requests to cancel it there were that were not taken back; the latter takes one back and
 * says how many are left. */
int task_cancelling(borrowed task);
int task_uncancel(borrowed task);

#endif
