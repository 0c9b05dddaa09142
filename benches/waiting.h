/* waiting.h - threads of a workload that wait for one another.
 *
 * A thread must not wait for another while it is attached, nor attach while it holds what
 * others wait for. So it waits like this, and whoever changes `ready` wakes it:
 *
 *     wait_begin(w->thread, &lock);
 *     while (!ready && !job_stopping(w->job))
 *         cond_wait(&changed, &lock);
 *     wait_end(w->thread, &lock);
 *
 * In between the thread is detached: it may pass pointers on, but look into no object. For
 * a few instructions that wait for nothing an attached thread may just take the lock.
 */
#ifndef BENCHES_WAITING_H
#define BENCHES_WAITING_H

#include "benches/workload.h"
#include "gil/mutex.h"

static inline void wait_begin(struct thread *t, struct mutex *lock) ACQUIRES(lock)
{
    thread_detach(t);
    mutex_lock(lock);
}

static inline void wait_end(struct thread *t, struct mutex *lock) RELEASES(lock)
{
    mutex_unlock(lock);
    thread_attach(t);
}

/* Relaxed: whoever waits asks with the lock, which wake_all takes after the flag is set. */
static inline bool job_stopping(const struct job *job)
{
    return atomic_load_explicit(&job->stopping, memory_order_relaxed);
}

/* For `interrupt`. With the lock, or it might come between a look and the wait. */
static inline void wake_all(struct mutex *lock, pthread_cond_t *changed)
{
    mutex_lock(lock);
    pthread_cond_broadcast(changed);
    mutex_unlock(lock);
}

#endif
