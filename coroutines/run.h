/* run.h - a whole program of coroutines: from the first to the last, on a loop of its own.
 *
 * Source: CPython 3.11, Lib/asyncio/runners.py and base_events.py, run_until_complete.
 */
#ifndef COROUTINES_RUN_H
#define COROUTINES_RUN_H

#include "coroutines/task.h"

/* Runs the loop until the awaitable is done, and returns its result. NULL: what it raises; what
 * ensure_future and loop_run_forever raise; RuntimeError if the loop was stopped before. */
struct object *run_until_complete(borrowed loop, borrowed awaitable);

/* Closes the asynchronous generators that the loop has seen and that are alive; the hook is told of
 * what they raise. The loop runs meanwhile. 0 or -1. */
int shutdown_generators(borrowed loop);

/* Python's asyncio.run: makes a loop, runs the coroutine as its main task, cancels the tasks that
 * are left and waits for them, closes asynchronous generators, waits for the threads of the loop's
 * own executor, and closes the loop. `hooks` may be NULL.
 * NULL: what it raises; RuntimeError if this thread runs a loop, ValueError if it is no coroutine,
 * OSError, MemoryError.
 */
struct object *run(borrowed coroutine, const struct loop_hooks *hooks);

/* The same on a loop that the caller has made; it is closed in the end. So another thread, or a
 * signal handler, may call loop_interrupt: the first time the main task is cancelled, and what then
 * comes of run_on is KeyboardInterrupt; the second time it comes at once. */
struct object *run_on(borrowed loop, borrowed coroutine);

#endif
