/* job.h - a call that is to be made elsewhere, and what becomes of it.
 *
 * What concurrent.futures calls a Future, and here a job, for the event loop has futures of
 * another kind: a job is completed by one thread and waited for by others, its callbacks
 * run where it is completed, and whoever asks for its result blocks.
 *
 *             cancel                  set_running
 *    PENDING ------------> CANCELLED -------------> CANCELLED_AND_NOTIFIED
 *       |
 *       | set_running            set_result, set_exception
 *       +-------------> RUNNING ---------------------------> FINISHED
 *
 * It is cancelled only while it is pending. Then result() ends at once, and callbacks have
 * run; those who wait for several jobs (job_wait.h) hear of it when the executor comes
 * across it. RUNNING is set by the executor: whether a cancel right after a submit comes
 * in time is a race.
 *
 * The call itself, function and arguments, is held by the job until it is made, and let go
 * of before the result is seen: nobody who has the result finds the arguments still held.
 *
 * A job is published. Each of these is one step for other threads and needs an attached
 * one. `job` must be a job. Timeouts are in ns, or BLOCK_FOREVER.
 *
 * Source: the semantics are those of CPython 3.11, Lib/concurrent/futures/_base.py.
 */
#ifndef COROUTINES_JOB_H
#define COROUTINES_JOB_H

#include "coroutines/block.h"
#include "objects/object.h"

/* In this order: from CANCELLED on it is done. */
enum job_state {
    JOB_PENDING,
    JOB_RUNNING,
    JOB_CANCELLED,
    JOB_CANCELLED_AND_NOTIFIED,
    JOB_FINISHED,
};

extern const struct type job_type;

/* ---- for everybody ---- */

/* True: it is cancelled, now or before. False: it runs, or is finished. Callbacks run in
 * here. */
bool job_cancel(borrowed job);

/* A new reference to what the call returned. NULL: what it raised, the same exception;
 * CancelledError; TimeoutError, and the job goes on; RuntimeError, if a watchdog has ended
 * this wait (deadlock.h). */
struct object *job_result(borrowed job, uint64_t timeout_ns);

/* A new reference to what the call raised, or None. NULL as job_result, but for that. */
struct object *job_exception(borrowed job, uint64_t timeout_ns);

/* `callable` is called with the job once that is done: by the thread that completes or
 * cancels it, attached, in the order in which they were added; at once if it is done. What
 * it raises is told (job_tell_errors) and the others still run. A job may be cancelled
 * where an iterator is dropped, so it should be short. 0, or -1: MemoryError. */
int job_add_done_callback(borrowed job, borrowed callable);

/* From now on this is called with what nobody else would hear of: an exception in a
 * callback, in an initialiser; attached. `what` says where, as CPython's log does; `job` may
 * be NULL. NULL: nobody is told. */
typedef void job_error(const char *what, borrowed job, borrowed exception);
void job_tell_errors(job_error *tell);

/* ---- for executors, and who plays one ---- */

/* One who is told when a job is done. Stands where its owner likes, until it is told or
 * has unfollowed. */
struct follower {
    struct follower *next; /* the job's lock */
    bool of_result;        /* set once; is told when the job is cancelled, not when notified */

    /* With the job's lock held: must not touch an object, nor wait. Returns a word to be
     * ended (block.h), or NULL. `failed`: it has an exception. */
    _Atomic uint32_t *(*tell)(struct follower *f, bool failed);
};

/* One of those that are called when the job is done, in C. Stands where its owner likes: `held`
 * may be what it stands in. */
struct job_notice {
    struct job_notice *next; /* the job's lock */
    struct object *held;     /* set once; owned by the notice; what the collector sees of it */

    /* The job is done, or NULL: it was dropped before. Attached, with nothing locked; must not
     * fail. It drops `held`, and then the notice may be gone. */
    void (*end)(struct job_notice *n, borrowed job);
};

struct staff;
struct hand;

struct job_object {
    struct object head;
    _Atomic uint32_t state; /* lock; read by any: enum job_state */
    struct bytelock lock;
    bool failed;            /* set once, before FINISHED: the outcome is an exception */
    uint16_t count;         /* set once; of arguments */
    uint32_t spin;          /* set once; looks of who waits for it before it sleeps */
    struct object *outcome; /* set once, before FINISHED; owned */
    struct object *function;      /* owned; of who runs it, after the queue; NULL: none any more */
    _Atomic(const char *) name;   /* atomic; of the function, while it is there; or NULL */
    struct follower *followers;   /* lock; in the order in which they came */
    struct job_notice *notices;   /* lock; likewise */
    struct job_notice **end;      /* lock; where the next one goes */
    _Atomic(const struct staff *) staff; /* atomic; in whose queue it waits: deadlock.h */
    _Atomic(const struct hand *) hand;   /* atomic; who runs it */
    struct job_object *next;      /* the queue's lock */
    struct object *argument[];    /* owned; as `function` */
};

static inline struct job_object *as_job(borrowed o)
{
    return (struct job_object *)o;
}

/* Acquire: who sees that it is finished sees the outcome. */
static inline enum job_state job_state(borrowed job)
{
    return atomic_load_explicit(&as_job(job)->state, memory_order_acquire);
}

static inline bool job_is_done(borrowed job)
{
    return job_state(job) >= JOB_CANCELLED;
}

static inline bool job_is_cancelled(borrowed job)
{
    return job_is_done(job) && job_state(job) != JOB_FINISHED;
}

static inline bool job_is_running(borrowed job)
{
    return job_state(job) == JOB_RUNNING;
}

/* A new pending one, published, which is to call `function` (NULL: nobody calls anything;
 * it is completed by hand). NULL: MemoryError. */
struct object *job_new(borrowed function, borrowed const *arguments, size_t count, uint32_t spin);

/* 1: it runs from now on. 0: it was cancelled, and everybody knows by now. -1: RuntimeError,
 * for this was said before. */
int job_set_running(borrowed job);

/* Completes it: 0, or -1: InvalidStateError, it is done already. Callbacks run in here. */
int job_set_result(borrowed job, borrowed result);
int job_set_exception(borrowed job, borrowed exception);

/* Calls the function, lets go of it and its arguments, and completes the job, which runs.
 * `done`, unless NULL, is called before that can be seen, with the job's lock held; but not if
 * a program's callbacks follow, which run in here and may take any time. */
void job_run(borrowed job, void (*done)(void *argument), void *argument);

/* Lets go of the call: it will not be made, or not here. */
void job_drop_call(borrowed job);

/* Takes the pending exception for its own. It does not fail: memory is all that is missing. */
void job_fail(borrowed job);

/* It will not be run by anybody: cancels it, if it is pending, and notifies. */
void job_abandon(borrowed job);

/* As job_result, with a deadline. */
struct object *job_result_until(borrowed job, uint64_t deadline_ns);

/* As job_add_done_callback, in the same row, but it needs no memory and so cannot fail. Publishes
 * what the notice holds. */
void job_notify(borrowed job, struct job_notice *n);

/* False: it is done, for this follower, and will not tell. */
bool job_follow(borrowed job, struct follower *f);

/* After it the follower is not being told, nor will be. */
void job_unfollow(borrowed job, struct follower *f);

/* Tells, if somebody is to be told, and drops the pending exception. */
void job_report(const char *what, borrowed job);

#endif
