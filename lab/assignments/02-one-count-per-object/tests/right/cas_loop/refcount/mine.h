/* mine.h - all three by compare-and-swap.
 *
 * One function changes the count, and refuses to leave zero. A loop costs more than an
 * addition where threads meet, and as good as nothing where they do not.
 *
 * Score: 80..100
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
    .about = "one atomic counter, changed by compare-and-swap",
    .cost = "a load and a compare-and-swap; again, if another thread was faster",
    .space = "8 bytes",
    .threads = "any; destructors run where the last reference is dropped",
    .needs = "nothing",
    .paper = "the textbook",
};

typedef struct rc {
    _Atomic int64_t count; /* any thread */
} rc_t;

/* The count as it was; 0 stays 0. */
static inline int64_t mine_change(rc_t *rc, int64_t by, memory_order order)
{
    int64_t old = atomic_load_explicit(&rc->count, memory_order_relaxed);

    while (old != 0)
        if (atomic_compare_exchange_weak_explicit(&rc->count, &old, old + by, order,
                                                  memory_order_relaxed))
            break;
    return old;
}

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
    mine_change(rc, 1, memory_order_relaxed);
}

static inline bool rc_decref(rc_t *rc)
{
    return mine_change(rc, -1, memory_order_acq_rel) == 1;
}

static inline bool rc_try_incref(rc_t *rc)
{
    return mine_change(rc, 1, memory_order_acquire) != 0;
}

static inline int64_t rc_count(const rc_t *rc)
{
    return atomic_load_explicit(&rc->count, memory_order_relaxed);
}

#endif
