/* mine.h - WRONG: a decrement that tells, and does not listen.
 *
 * Release makes known what this thread wrote into the object. But the thread that drops the
 * last reference is about to read what all others wrote, and asks for none of it: the
 * destructor may see old words. On x86 each locked instruction does both, so only
 * ThreadSanitizer sees it there; on 64-bit ARM it goes wrong.
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
    .about = "one atomic counter; release, and no acquire",
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
    int64_t before = atomic_fetch_sub_explicit(&rc->count, 1, memory_order_release);

    return before == 1;
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
