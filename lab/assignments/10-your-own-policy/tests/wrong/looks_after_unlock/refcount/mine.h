/* mine.h - WRONG: whether it was the last is looked up when the lock is open again.
 *
 * Of two threads that drop the last two references both may then see zero, and both destroy.
 *
 * Score: 0..35
 * Says: did not pass
 * Caught by: objects/tests/test_counting (tsan)
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
    .about = "a byte that is locked, and left too early",
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
    mine_lock(rc);
    rc->count--;
    mine_unlock(rc);
    return rc->count == 0;
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
