/* bridge.h - between a loop and other threads: calls that a loop has made elsewhere, and
 * coroutines that others have run by a loop.
 *
 * A job (job.h) is completed by any thread and waited for by blocking; a future (future.h)
 * belongs to a loop's thread, which must not block. Here one is made of the other. The one that
 * blocks a loop, be it a read of a file or a long computation, is called elsewhere instead:
 *
 *     result = io_read(...)                  blocks the loop and all that runs on it
 *     await run_in_executor(loop, NULL, f)   blocks a thread of a pool; the loop goes on
 *
 * Cost: beside the job a future and a letter (inbox.h), and a wake-up of the loop if it sleeps.
 *
 * Why nothing is lost, and nobody waits for ever:
 *
 *   1. What completes a job cannot fail, so the letter that tells the loop is there before the
 *      call is submitted.
 *   2. Whoever sends the letter holds the future, and so the loop, until it is sent and the loop
 *      has been woken.
 *   3. A loop that is closed takes no letters; the result is dropped with the letter, by the
 *      thread that brought it.
 *   4. A coroutine that a loop drops before its end (it was closed, or the coroutine is part of
 *      a cycle that is collected) cancels the job that stands for it.
 *   5. The letter is announced to the loop (loop_expect) until it has come, or the future was
 *      cancelled, or the job died undone: so a hub that waits for it alone does not see LoopExit.
 *
 * All of these need an attached thread; but for run_coroutine_threadsafe that of the loop, or any
 * if the loop does not run. What is handed over is published, and so is the loop.
 *
 * Source: the semantics are those of CPython 3.11, Lib/asyncio/futures.py (_chain_future),
 * base_events.py, threads.py and tasks.py; where we differ stands in docs/decisions/30-bridge.md.
 */
#ifndef COROUTINES_BRIDGE_H
#define COROUTINES_BRIDGE_H

#include "coroutines/future.h"
#include "coroutines/job.h"

/* A future that is done, in a turn of the loop, when the job is, with the same outcome. It cannot
 * be set by others. To cancel it cancels the job, if that has not begun; if it has, it goes on and
 * its result is dropped. An outcome that is concurrent.futures' CancelledError becomes the loop's;
 * a StopIteration, which no await can raise, becomes the cause of a RuntimeError. Of a future, or
 * task, it is that itself. NULL: TypeError, MemoryError, RuntimeError: the loop is closed. */
struct object *wrap_future(borrowed loop, borrowed job);

/* Submits the call to the executor and wraps its job. `executor` NULL: to the loop's own, a pool
 * of threads "asyncio_0", "asyncio_1" and so on that is made when it is first needed. NULL: what
 * submit raises; RuntimeError, "Event loop is closed" or "Executor shutdown has been called". */
struct object *run_in_executor(borrowed loop, borrowed executor /* may be NULL */,
                               borrowed function, borrowed const *arguments, size_t count);

/* What is called without naming an executor is called there from now on. The loop shuts it down
 * when it is closed, without waiting. 0; -1: TypeError, it is no pool of threads. */
int set_default_executor(borrowed loop, borrowed executor);

/* A future that is done when the threads of the loop's own executor have left; no call is
 * accepted by it from now on. What was submitted is done before, and the loop runs meanwhile:
 * calls may wait for coroutines of it. NULL: MemoryError, RuntimeError. */
struct object *shutdown_default_executor(borrowed loop);

/* A coroutine that returns, or raises, what such a call in the running loop's own executor does.
 * Nothing is submitted before it is awaited. NULL: MemoryError. */
struct object *to_thread_new(borrowed function, borrowed const *arguments, size_t count);

/* By any thread: a job that is done when the coroutine, which the loop runs as a task, has ended.
 * It is pending meanwhile, so to cancel it cancels the task; of a coroutine that was not begun by
 * then nothing is run. The loop's own thread must not wait for it. NULL: TypeError, MemoryError;
 * RuntimeError, the loop is closed, and then the coroutine is still the caller's. */
struct object *run_coroutine_threadsafe(borrowed loop, borrowed coroutine);

#endif
