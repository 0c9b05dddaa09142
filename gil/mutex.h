/* mutex.h - a pthread mutex and condition that the lock analysis understands.
 *
 * Nothing but the annotated types: pthread's functions cannot fail for a normal
 * mutex that its holder uses as it must, and asserts say so in debug builds.
 */
#ifndef GIL_MUTEX_H
#define GIL_MUTEX_H

#include "gil/attributes.h"

#include <assert.h>
#include <errno.h>
#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>
#include <time.h>

enum { NS_PER_US = 1000, NS_PER_MS = 1000000, NS_PER_S = 1000000000 };

struct CAPABILITY("mutex") mutex {
    pthread_mutex_t os;
};

#define MUTEX_INIT { PTHREAD_MUTEX_INITIALIZER }

static inline void mutex_init(struct mutex *m)
{
    pthread_mutex_init(&m->os, NULL);
}

static inline void mutex_fini(struct mutex *m)
{
    int error = pthread_mutex_destroy(&m->os);

    assert(!error && "a mutex is destroyed while held");
    (void)error;
}

static inline void mutex_lock(struct mutex *m) ACQUIRES(m) NO_LOCK_ANALYSIS
{
    int error = pthread_mutex_lock(&m->os);

    assert(!error);
    (void)error;
}

static inline void mutex_unlock(struct mutex *m) RELEASES(m) NO_LOCK_ANALYSIS
{
    int error = pthread_mutex_unlock(&m->os);

    assert(!error);
    (void)error;
}

/* The monotonic clock, in ns. */
static inline uint64_t clock_ns(void)
{
    struct timespec now;

    clock_gettime(CLOCK_MONOTONIC, &now);
    return (uint64_t)now.tv_sec * NS_PER_S + (uint64_t)now.tv_nsec;
}

static inline struct timespec timespec_of_ns(uint64_t ns)
{
    return (struct timespec){ .tv_sec = (time_t)(ns / NS_PER_S), .tv_nsec = (long)(ns % NS_PER_S) };
}

/* False if `deadline_ns` (of clock_ns) has passed. May wake for no reason. */
static inline bool cond_wait_until(pthread_cond_t *cond, struct mutex *m, uint64_t deadline_ns)
    REQUIRES(m)
{
    struct timespec deadline = timespec_of_ns(deadline_ns);

    return pthread_cond_clockwait(cond, &m->os, CLOCK_MONOTONIC, &deadline) != ETIMEDOUT;
}

static inline void cond_wait(pthread_cond_t *cond, struct mutex *m) REQUIRES(m)
{
    pthread_cond_wait(cond, &m->os);
}

#endif
