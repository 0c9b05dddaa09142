/* deadlock.h - names the workers of pools that wait for one another, for ever.
 *
 * Two programs that everybody writes once: two calls that each wait for the other's result,
 * and a call in a pool of one that submits another to the same pool and waits for it. No
 * pool can prevent them; from outside the program hangs. But they can be seen: a worker that
 * blocks in job_result says so, and for which job. A look goes through those that do:
 *
 *     a wait can end   if its job is done,
 *                      or runs on a thread that is not waiting, or whose own wait can end,
 *                      or is queued in a pool that has, or may start, such a thread.
 *
 * What is left when nothing more can be said to end is deadlocked. That a timeout would end
 * it does not count; nor does that somebody outside could cancel what is queued.
 *
 * Why no false alarm. Who waits stands on the list until its wait has ended, and leaves it
 * under the lock that a look holds. So during a look each of those found can do nothing, and
 * of a job that only they could complete and that is not done at any moment of the look,
 * nothing can change.
 *
 * None of this costs a call that does not block.
 */
#ifndef COROUTINES_DEADLOCK_H
#define COROUTINES_DEADLOCK_H

#include "coroutines/job.h"

/* A pool, as far as it matters here; and a worker of one. */
struct staff {
    const char *name; /* set once */
    uint32_t most;    /* set once; workers, and it has as many if anything is queued */
};

struct hand {
    const char *name;          /* set once */
    const struct staff *staff; /* set once */
};

/* The calling thread's, if it is a worker; else NULL. */
extern _Thread_local const struct hand *deadlock_self;

/* One who waits for a job; stands on its stack. */
struct waiting {
    struct follower follower;
    _Atomic uint32_t word;   /* atomic; block.h */
    borrowed job;            /* set once */
    const struct hand *hand; /* set once; NULL: not a worker, and none of our business */
    uint64_t since_ns;       /* set once */
    bool ended;              /* deadlocks.lock; by a watchdog */
    bool told, ends, found;  /* deadlocks.lock; of who looks */
    struct waiting *next, **link; /* deadlocks.lock */
};

/* For job.c: around the wait of a worker. */
void deadlock_enter(struct waiting *w);

/* Whether a watchdog has ended the wait. */
bool deadlock_leave(struct waiting *w);

/* One of the deadlocked. Names live as long as the call. */
struct deadlocked {
    const char *worker;  /* who waits */
    const char *awaited; /* the function for whose result; "": it has just been cancelled */
    const char *runs_on; /* the worker that is in it; NULL: it is queued, or was till just now */
    const char *pool;    /* where it is queued, or was; NULL: nowhere */
};

/* Called with those that wait for one another, some lock held: it must not wait, nor touch an
 * object. True: end it: the wait of the first raises RuntimeError. */
typedef bool deadlock_tell(const struct deadlocked *who, int count);

/* One look, at this moment of the clock: tells once of each deadlock in which all have waited
 * for `patience_ns`. Returns how many it told of. Any thread. */
int deadlock_look(uint64_t now_ns, uint64_t patience_ns, deadlock_tell *tell);

/* A thread of its own, one at a time, which looks four times in that time. 0; -1 and errno: no
 * such thread. */
int deadlock_watch_start(uint64_t patience_ns, deadlock_tell *tell);

/* If it runs. */
void deadlock_watch_stop(void);

#endif
