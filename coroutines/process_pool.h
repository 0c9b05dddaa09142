/* process_pool.h - an executor whose workers are processes.
 *
 * A call is sent to a process by the name of its function, which must be in the table that
 * nursery_start (nursery.h) was given, with a copy of its arguments; what it returns or raises
 * is copied back (message.h). What cannot be copied, or would be longer than
 * MESSAGE_MOST_BYTES with its head, is the job's error and breaks nothing. An
 * exception comes with a cause, _RemoteTraceback, that has the text of what happened there.
 *
 * A thread of the runtime, the manager, has the sockets of all processes. It gives one call to
 * each at a time: so at most as many calls as processes are past being cancelled. (CPython
 * has one more under way.) Jobs' callbacks run on it.
 *
 * A process that dies breaks the pool: the others are killed, and every job that was not done,
 * and every later submit, is BrokenProcessPool. It is seen by its pidfd; nothing that it may
 * have left half done can make the others wait. One that cannot be started, for want of
 * descriptors or processes, breaks it only if there is no other: else those do its part until
 * one can.
 *
 * Cost: two wake-ups each way. Choose it for calls that compute for longer than that.
 */
#ifndef COROUTINES_PROCESS_POOL_H
#define COROUTINES_PROCESS_POOL_H

#include "coroutines/executor.h"

extern const struct type process_pool_type;

/* A new one, without processes yet. `options` may be NULL: at most as many processes as
 * processors. NULL: ValueError, TypeError, MemoryError; RuntimeError, no nursery was started;
 * OSError. */
struct object *process_pool_new(const struct pool_options *options);

/* How many processes it has now: for tests and reports. */
uint32_t process_pool_processes(borrowed pool);

#endif
