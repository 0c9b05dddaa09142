/* mine.h - a lock of one byte around an ordinary number.
 *
 * The number is anybody's, one at a time. Slower than an atomic addition by the second
 * instruction that it takes to unlock, and right.
 *
 * Score: 50..100
 */
#ifndef OBJECTS_REFCOUNT_MINE_H
#define OBJECTS_REFCOUNT_MINE_H

#include "objects/policy.h"
#include "objects/stats.h"

#include <sched.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#define RC_NEEDS_GIL 0

static const struct policy rc_policy = {
    .about = "a byte that is locked, and a plain counter",
    .cost = "a byte locked and unlocked around one add",
    .space = "16 bytes",
    .threads = "any; destructors run where the last reference is dropped",
    .needs = "nothing",
    .paper = "the textbook",
};

typedef struct rc {
    _Atomic bool locked; /* atomic */
    int64_t count;       /* locked */
} rc_t;

static inline void mine_lock(rc_t *rc)
{
    while (atomic_exchange_explicit(&rc->locked, true, memory_order_acquire))
        sched_yield();
}

static inline void mine_unlock(rc_t *rc)
{
    atomic_store_explicit(&rc->locked, false, memory_order_release);
}

static inline void rc_init(rc_t *rc)
{
    atomic_init(&rc->locked, false);
    rc->count = 1;
}

static inline void rc_immortal(rc_t *rc)
{
    atomic_init(&rc->locked, false);
    rc->count = INT64_MAX / 2;
}

static inline void rc_incref(rc_t *rc)
{
    mine_lock(rc);
    rc->count++;
    mine_unlock(rc);
}

static inline bool rc_decref(rc_t *rc)
{
    bool last;

    mine_lock(rc);
    last = --rc->count == 0;
    mine_unlock(rc);
    return last;
}

static inline bool rc_try_incref(rc_t *rc)
{
    bool alive;

    mine_lock(rc);
    alive = rc->count > 0;
    rc->count += alive;
    mine_unlock(rc);
    return alive;
}

static inline int64_t rc_count(const rc_t *rc)
{
    int64_t count;

    mine_lock((rc_t *)rc);
    count = rc->count;
    mine_unlock((rc_t *)rc);
    return count;
}

#endif
