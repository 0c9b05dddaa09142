/* mine.h - WRONG: a decrement that listens, where nobody has told anything.
 *
 * "Acquire is for taking, and the last one takes it all": but acquire sees what others have
 * released, and here nobody releases. What a thread wrote before it dropped its reference may
 * come after the destructor.
 *
 * Score: 0..45
 * Says: did not pass
 * Caught by: objects/tests/test_counting (tsan)
 */
#ifndef OBJECTS_REFCOUNT_MINE_H
#define OBJECTS_REFCOUNT_MINE_H

#include "objects/policy.h"
#include "objects/stats.h"

#include <assert.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#define RC_NEEDS_GIL 0

static const struct policy rc_policy = {
    .about = "one atomic counter; acquire, and no release",
    .cost = "one locked read-modify-write",
    .space = "8 bytes",
    .threads = "any; destructors run where the last reference is dropped",
    .needs = "nothing",
    .paper = "the textbook",
};

typedef struct rc {
    _Atomic int64_t count; /* any thread */
} rc_t;

static inline void rc_init(rc_t *rc)
{
    atomic_init(&rc->count, 1);
}

static inline void rc_immortal(rc_t *rc)
{
    atomic_init(&rc->count, INT64_MAX / 2);
}

static inline void rc_incref(rc_t *rc)
{
    int64_t old = atomic_fetch_add_explicit(&rc->count, 1, memory_order_relaxed);

    assert(old > 0);
    (void)old;
}

static inline bool rc_decref(rc_t *rc)
{
    if (atomic_fetch_add_explicit(&rc->count, -1, memory_order_acquire) > 1)
        return false;
    return true;
}

static inline bool rc_try_incref(rc_t *rc)
{
    int64_t count = atomic_load_explicit(&rc->count, memory_order_relaxed);

    while (count > 0)
        if (atomic_compare_exchange_weak_explicit(&rc->count, &count, count + 1,
                                                  memory_order_acquire, memory_order_relaxed))
            return true;
    return false;
}

static inline int64_t rc_count(const rc_t *rc)
{
    return atomic_load_explicit(&rc->count, memory_order_relaxed);
}

#endif
