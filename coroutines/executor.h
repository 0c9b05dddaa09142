/* executor.h - who makes calls elsewhere: the contract of thread_pool.h and process_pool.h.
 *
 * submit gives a job for each call (job.h). Calls are begun in the order in which they were
 * submitted; how many at a time is the pool's affair. An executor is an object: when the
 * last reference to it is dropped its workers do what is queued and leave, as after a
 * shutdown that does not wait.
 *
 *     pool of        to choose when
 *     threads        calls share objects; they block, or there is no global lock
 *     processes      calls compute, and what goes in and out is small: it is copied twice
 *
 * How many workers run is for threads and processes alike: none at first; a submit starts
 * one only if fewer are free than calls wait, until there are as many as there may be.
 *
 * Before the global lock is deleted all workers must have left: recruit_join_all (recruit.h)
 * waits for those of executors that were shut down or dropped.
 *
 * All functions need an attached thread. `executor` must be one. Those that may wait say so;
 * they detach meanwhile.
 *
 * Source: the semantics are those of CPython 3.11, Lib/concurrent/futures/; where we differ
 * stands in docs/decisions/27-executors.md.
 */
#ifndef COROUTINES_EXECUTOR_H
#define COROUTINES_EXECUTOR_H

#include "coroutines/job.h"

/* What one kind of executor provides. */
struct executor_class {
    struct object *(*submit)(borrowed executor, borrowed function, borrowed const *arguments,
                             size_t count);
    int (*shutdown)(borrowed executor, bool wait, bool cancel_jobs);

    /* One job for several calls: of `function` with each row of `rows`, a tuple of tuples. Its
     * result is a list of theirs. NULL: it would be of no use. */
    struct object *(*submit_chunk)(borrowed executor, borrowed function, borrowed rows);
};

/* Begins each. */
struct executor_object {
    struct object head;
    const struct executor_class *class; /* set once */
};

/* Of a pool, when it is made. What is 0 or NULL is the standard. */
struct pool_options {
    int workers;              /* at most; 0: as many as CPython takes */
    bool workers_given;       /* `workers` is what somebody asked for: 0 is an error */
    const char *name;         /* prefix of the workers' names; not copied */
    borrowed initialiser;     /* called by each worker before all else */
    borrowed const *arguments; /* its arguments */
    size_t count;
    uint32_t spin;            /* looks before a thread sleeps that waits for work, or for a
                               * result (block.h); POOL_NO_SPIN: none */
    int tasks_per_child;      /* processes: how many calls each makes at most */
    bool tasks_given;         /* as workers_given */
};

#define POOL_NO_SPIN UINT32_MAX

/* A job that will call `function` with at most ARGUMENTS_MOST arguments, which the job holds.
 * NULL: MemoryError; RuntimeError, it was shut down, or no worker can be started; what the
 * pool says when it is broken. May wait for a worker to start. */
struct object *executor_submit(borrowed executor, borrowed function, borrowed const *arguments,
                               size_t count);

/* An iterator over the results of function(a, b, ...), with a from the first of `iterables`,
 * b from the second, until one of them ends: in their order. All calls are submitted at once,
 * in here. A step waits for its result, until `timeout_ns` from now: then TimeoutError. An
 * error, and dropping the iterator, cancels the jobs whose results have not been taken. Several
 * threads may step it: each result is given once.
 * NULL: what iterating or submitting raises. */
struct object *executor_map(borrowed executor, borrowed function, borrowed const *iterables,
                            size_t count, uint64_t timeout_ns);

/* The same, but a pool of processes is sent up to `chunk` calls at a time, which costs one way
 * there and back; an error of one is that of all of its chunk. Of that iterator a step while
 * another thread is in one is ValueError, which ends nothing. Where calls are not copied it makes
 * no difference. NULL: also ValueError, `chunk` is 0 for a pool of processes. */
struct object *executor_map_in_chunks(borrowed executor, borrowed function,
                                      borrowed const *iterables, size_t count, uint64_t timeout_ns,
                                      size_t chunk);

/* No more is accepted. `cancel_jobs`: what is queued is cancelled; else it is still done.
 * `wait`: until all workers have left, which must not be asked by one of them: RuntimeError.
 * May be called again. 0, or -1. */
int executor_shutdown(borrowed executor, bool wait, bool cancel_jobs);

/* ---- for pools ---- */

/* What is queued in a pool; the pool's lock. First in, first out, linked through the jobs,
 * and so it needs no memory. Owns a reference to each. */
struct job_queue {
    struct job_object *first, *last;
    uint32_t length;
};

void job_queue_put(struct job_queue *q, struct object *job /* steals */);

/* The caller's; NULL: it is empty. */
struct object *job_queue_take(struct job_queue *q);

/* False: it is not there. Else the caller's. */
bool job_queue_remove(struct job_queue *q, borrowed job);

/* Of those that a shutdown has taken out of a queue: cancels each. */
void job_queue_cancel(struct job_queue *q);

/* ... or a pool that is broken: each has such an exception. */
void job_queue_fail(struct job_queue *q, const struct type *kind, const char *message);

/* -1: ValueError, TypeError. Fills in the standard values. */
int pool_options_check(struct pool_options *options, int standard_workers);

#endif
