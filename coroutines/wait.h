/* wait.h - waiting for some of many, for one as long as one likes, and for each as it comes.
 *
 * Source: CPython 3.11, Lib/asyncio/tasks.py, wait, wait_for and as_completed.
 */
#ifndef COROUTINES_WAIT_H
#define COROUTINES_WAIT_H

#include "coroutines/task.h"

enum wait_until { WAIT_FIRST_COMPLETED, WAIT_FIRST_EXCEPTION, WAIT_ALL };

#define WAIT_FOREVER INT64_MAX

/* A coroutine that returns a tuple of two sets, of those futures and tasks that are done and of
 * those that are not, as soon as one is done, one has failed or all are done, or the time is over:
 * then nothing is cancelled. It raises ValueError if there are none, TypeError if one is no future.
 * NULL: MemoryError. */
struct object *wait_new(borrowed const *futures, size_t count, int64_t timeout_ns,
                        enum wait_until until);

/* A coroutine that returns what the awaitable gives. If the time is over before, that is cancelled,
 * and when it has ended it raises TimeoutError, or returns what came of it all the same. If it is
 * cancelled itself, so is the awaitable, and waited for. Without any time a coroutine is never
 * begun. NULL: MemoryError. */
struct object *wait_for_new(borrowed awaitable, int64_t timeout_ns);

/* An iterator that gives as many coroutines as there are different awaitables; the first of them
 * that is awaited returns, or raises, what comes first, and so on; TimeoutError when the time is
 * over. NULL: as ensure_future. */
struct object *as_completed(borrowed loop, borrowed const *awaitables, size_t count,
                            int64_t timeout_ns);

#endif
