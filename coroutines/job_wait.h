/* job_wait.h - waiting for several jobs: wait and as_completed.
 *
 * `jobs` is an iterable of jobs, of one executor or several; one that comes twice counts
 * once. A job counts as done when it is finished, or cancelled and the executor has come
 * across it (job.h).
 *
 * Source: the semantics are those of CPython 3.11, Lib/concurrent/futures/_base.py.
 */
#ifndef COROUTINES_JOB_WAIT_H
#define COROUTINES_JOB_WAIT_H

#include "coroutines/job.h"

enum job_wait_for {
    JOB_WAIT_FIRST_COMPLETED,
    JOB_WAIT_FIRST_EXCEPTION, /* or all; to be cancelled is none */
    JOB_WAIT_ALL_COMPLETED,
};

/* Waits, detached, until it is so or `timeout_ns` have passed, which is no error. 0, and two
 * new sets, of those that are done and of the others; or -1: TypeError, MemoryError, what
 * iterating raises. */
int job_wait(borrowed jobs, uint64_t timeout_ns, enum job_wait_for what, struct object **done,
             struct object **not_done);

/* An iterator that gives each job once, those first that are done by now, then the others as
 * they come to be; it keeps no reference to what it has given. A step waits, until
 * `timeout_ns` from now: then TimeoutError, and it is exhausted. NULL: as above. */
struct object *job_wait_iterate(borrowed jobs, uint64_t timeout_ns);

#endif
