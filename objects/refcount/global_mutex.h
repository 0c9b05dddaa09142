/* global_mutex.h - one ordinary counter per object, and one mutex round all of them.
 *
 * How the first Python without a global lock counted: Greg Stein's free threading patch
 * to Python 1.4 (1996), on systems that had no atomic addition. It was right, and 4 to 7
 * times slower on one thread. More threads make it worse: who counts anything waits
 * for everybody who counts anything else. Here to be compared with, not to be chosen;
 * it is what a finer lock (locked.h) and an atomic addition (atomic.h) are cures for.
 *
 * Invariant: count is the number of references held; 0 means being destroyed.
 */
#ifndef OBJECTS_REFCOUNT_GLOBAL_MUTEX_H
#define OBJECTS_REFCOUNT_GLOBAL_MUTEX_H

#include "gil/mutex.h"
#include "objects/policy.h"
#include "objects/stats.h"

#include <assert.h>
#include <stdbool.h>
#include <stdint.h>

#define RC_NEEDS_GIL 0

static const struct policy rc_policy = {
    .about = "one ordinary counter per object, and one mutex round all of them",
    .cost = "a mutex, the same for all, locked and unlocked around one add",
    .space = "8 bytes",
    .threads = "any; destructors run where the last reference is dropped, nothing locked",
    .needs = "nothing",
    .paper = "G. Stein, free threading patch to Python 1.4, 1996",
};

typedef struct rc {
    int64_t count; /* global_mutex */
} rc_t;

/* Held for one addition; it takes no other. */
extern struct mutex global_mutex;

/* Not locked: nobody else sees the object yet. */
static inline void rc_init(rc_t *rc)
{
    rc->count = 1;
}

static inline void rc_immortal(rc_t *rc)
{
    rc->count = INT64_MAX / 2;
}

static inline void rc_incref(rc_t *rc)
{
    rc_lock(&global_mutex, rc);
    assert(rc->count > 0 && "incref of an object that is being destroyed");
    rc->count++;
    mutex_unlock(&global_mutex);
}

/* What the count was must be known before the mutex is let go of: after that another
 * may drop the last reference, and the object is gone. */
static inline bool rc_decref(rc_t *rc)
{
    bool last;

    rc_lock(&global_mutex, rc);
    assert(rc->count > 0 && "decref without a reference");
    last = --rc->count == 0;
    mutex_unlock(&global_mutex);
    return last;
}

static inline bool rc_try_incref(rc_t *rc)
{
    bool held;

    rc_lock(&global_mutex, rc);
    held = rc->count > 0;
    rc->count += held;
    mutex_unlock(&global_mutex);
    return held;
}

static inline int64_t rc_count(const rc_t *rc)
{
    int64_t count;

    mutex_lock(&global_mutex);
    count = rc->count;
    mutex_unlock(&global_mutex);
    return count;
}

#if RC_IMPLEMENTATION
/* On a line of its own, lest its neighbours be blamed for what it costs. */
_Alignas(64) struct mutex global_mutex = MUTEX_INIT;
#endif

#endif
