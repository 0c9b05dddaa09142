/* mine.h - an atomic number of 32 bits.
 *
 * Half as much memory, and as fast. Four billion references to one object would take 32 GB
 * for the pointers alone.
 *
 * Score: 50..100
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
    .about = "one atomic counter of 32 bits",
    .cost = "one locked read-modify-write",
    .space = "4 bytes",
    .threads = "any; destructors run where the last reference is dropped",
    .needs = "nothing",
    .paper = "the textbook",
};

typedef struct rc {
    _Atomic int32_t count; /* any thread */
} rc_t;

static inline void rc_init(rc_t *rc)
{
    atomic_init(&rc->count, 1);
}

static inline void rc_immortal(rc_t *rc)
{
    atomic_init(&rc->count, 1 << 30);
}

static inline void rc_incref(rc_t *rc)
{
    atomic_fetch_add_explicit(&rc->count, 1, memory_order_relaxed);
}

static inline bool rc_decref(rc_t *rc)
{
    return atomic_fetch_sub_explicit(&rc->count, 1, memory_order_acq_rel) == 1;
}

static inline bool rc_try_incref(rc_t *rc)
{
    int32_t count = atomic_load_explicit(&rc->count, memory_order_relaxed);

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
