/* locked.h - a mutex in each object, held while its count is changed.
 *
 * What "give every object a lock" costs before anything else is done with that lock:
 * a count in 48 bytes, and two locked instructions and two calls where `atomic` has one
 * instruction. It is here to be compared with, not to be chosen.
 *
 * Invariant: count is the number of references held; 0 means being destroyed.
 */
#ifndef OBJECTS_REFCOUNT_LOCKED_H
#define OBJECTS_REFCOUNT_LOCKED_H

#include "gil/mutex.h"
#include "objects/policy.h"
#include "objects/stats.h"

#include <assert.h>
#include <stdbool.h>
#include <stdint.h>

#define RC_NEEDS_GIL 0

static const struct policy rc_policy = {
    .about = "one ordinary counter and a mutex in each object",
    .cost = "a mutex locked and unlocked around one add",
    .space = "48 bytes",
    .threads = "any; destructors run where the last reference is dropped, nothing locked",
    .needs = "nothing",
    .paper = "the first idea of everyone",
};

/* Nobody tells a policy that an object's memory goes, so the mutex is never destroyed.
 * glibc's normal mutex owns nothing that could leak, and nobody holds it any more: who
 * drops the last reference has locked it after all the others. One of those may still
 * be inside its unlock, but glibc, as POSIX asks, writes nothing there once another can
 * lock; what may follow is a futex call, which takes the address and not the memory. */
typedef struct rc {
    struct mutex lock;
    int64_t count; /* lock */
} rc_t;

static inline void rc_init(rc_t *rc)
{
    mutex_init(&rc->lock);
    rc->count = 1;
}

static inline void rc_immortal(rc_t *rc)
{
    mutex_init(&rc->lock);
    rc->count = INT64_MAX / 2;
}

static inline void rc_incref(rc_t *rc)
{
    rc_lock(&rc->lock, rc);
    assert(rc->count > 0 && "incref of an object that is being destroyed");
    rc->count++;
    mutex_unlock(&rc->lock);
}

static inline bool rc_decref(rc_t *rc)
{
    bool last;

    rc_lock(&rc->lock, rc);
    assert(rc->count > 0 && "decref without a reference");
    last = --rc->count == 0;
    mutex_unlock(&rc->lock);
    return last;
}

static inline bool rc_try_incref(rc_t *rc)
{
    bool held;

    rc_lock(&rc->lock, rc);
    held = rc->count > 0;
    rc->count += held;
    mutex_unlock(&rc->lock);
    return held;
}

static inline int64_t rc_count(const rc_t *rc)
{
    struct mutex *lock = (struct mutex *)&rc->lock;
    int64_t count;

    mutex_lock(lock);
    count = rc->count;
    mutex_unlock(lock);
    return count;
}

#endif
