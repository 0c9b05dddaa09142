/* timeout.h - a block that is to end by a deadline: Python's `async with asyncio.timeout(...)`.
 *
 * Between timeout_enter and timeout_exit the task that runs is cancelled when the deadline comes.
 * The exit then makes TimeoutError of the CancelledError that ended the block; but only if nobody
 * else has asked the task to end as well since it entered, for then it is not for this block to say
 * that it was the time.
 *
 *     timeout_enter(t); ... what awaits ...; return timeout_exit(t);
 *
 * By the thread of the task's loop. `timeout` must be one.
 *
 * Source: CPython 3.11.7, Lib/asyncio/timeouts.py.
 */
#ifndef COROUTINES_TIMEOUT_H
#define COROUTINES_TIMEOUT_H

#include "coroutines/task.h"

extern const struct type timeout_type;

#define TIMEOUT_NEVER UINT64_MAX

/* At this moment of clock_ns(), or TIMEOUT_NEVER. NULL: MemoryError. */
struct object *timeout_at(uint64_t when_ns);

/* From now on; a delay below 0 is none. */
struct object *timeout_after(int64_t delay_ns);

/* 0; -1: RuntimeError if it was entered before, or no task runs; MemoryError. */
int timeout_enter(borrowed timeout);

/* The block has ended, with the exception that is pending, if one is. Returns 0; or -1 with an
 * exception pending: the same one, or TimeoutError. */
int timeout_exit(borrowed timeout);

/* Another deadline. 0; -1: RuntimeError if it is not entered, or has expired; MemoryError. */
int timeout_reschedule(borrowed timeout, uint64_t when_ns);

uint64_t timeout_when_ns(borrowed timeout);

/* Whether the deadline has come in time to cancel the task. */
bool timeout_expired(borrowed timeout);

#endif
