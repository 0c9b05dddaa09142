/* mine.h - plain until another thread may see the object, atomic from then on.
 *
 * After Ungar, Grove and Franke, Dynamic Atomicity, DLS 2017. What a thread keeps to itself costs
 * no locked instruction; whoever hands it to another says so before.
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
#define RC_HAS_PUBLISH 1

static const struct policy rc_policy = {
    .about = "plain until it is published, atomic from then on",
    .cost = "one add to memory; once published one locked read-modify-write",
    .space = "16 bytes",
    .threads = "any; destructors run where the last reference is dropped",
    .needs = "nothing",
    .paper = "the textbook",
};

/* While only its maker has seen it, additions need not be atomic. */
typedef struct rc {
    _Atomic int64_t count; /* its maker; once it is shared, any thread */
    bool shared;           /* set once, before another thread sees it */
} rc_t;

static inline int64_t mine_add(rc_t *rc, int64_t by, memory_order order)
{
    int64_t old;

    if (rc->shared)
        return atomic_fetch_add_explicit(&rc->count, by, order);
    old = atomic_load_explicit(&rc->count, memory_order_relaxed);
    atomic_store_explicit(&rc->count, old + by, memory_order_relaxed);
    return old;
}

static inline void rc_init(rc_t *rc)
{
    atomic_init(&rc->count, 1);
    rc->shared = false;
}

static inline void rc_immortal(rc_t *rc)
{
    atomic_init(&rc->count, INT64_MAX / 2);
    rc->shared = true;
}

static inline void rc_incref(rc_t *rc)
{
    mine_add(rc, 1, memory_order_relaxed);
}

static inline bool rc_decref(rc_t *rc)
{
    return mine_add(rc, -1, memory_order_acq_rel) == 1;
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

static inline void rc_publish(rc_t *rc)
{
    rc->shared = true;
}

#endif
