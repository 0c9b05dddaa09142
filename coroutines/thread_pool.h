/* thread_pool.h - an executor whose workers are threads of the runtime.
 *
 * Workers run under the global lock of the thread whose submit starts them. One that finds nothing
 * to do waits detached: for a while it looks, then it sleeps (block.h), and the one that has
 * waited least is woken first, for its caches are warm.
 *
 * Cost of a call, beside its own: a job is made and published, passes a queue, and is looked
 * at by two threads. Two cores' figures stand in docs/decisions/27-executors.md.
 *
 * A worker whose initialiser fails breaks the pool: what is queued, and every later submit,
 * is BrokenThreadPool. What a call raises is its job's, and breaks nothing.
 */
#ifndef COROUTINES_THREAD_POOL_H
#define COROUTINES_THREAD_POOL_H

#include "coroutines/executor.h"

extern const struct type thread_pool_type;

/* A new one, without workers yet. `options` may be NULL: at most as many workers as processors
 * and 4, but not more than 32. NULL: ValueError, TypeError, MemoryError. */
struct object *thread_pool_new(const struct pool_options *options);

/* How many workers it has now: for tests and reports. */
uint32_t thread_pool_workers(borrowed pool);

#endif
