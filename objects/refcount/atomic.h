/* atomic.h - one atomic counter per object, which any thread may change.
 *
 * The textbook policy, and the baseline the others are measured against. It
 * scales with the number of objects, not of threads: two threads that incref the
 * same object fight for its cache line even if both only read the object.
 *
 * Invariant: count is the number of references held; 0 means being destroyed.
 */
#ifndef OBJECTS_REFCOUNT_ATOMIC_H
#define OBJECTS_REFCOUNT_ATOMIC_H

#include "objects/policy.h"
#include "objects/stats.h"

#include <assert.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#define RC_NEEDS_GIL 0

static const struct policy rc_policy = {
    .about = "one atomic counter per object",
    .cost = "one locked read-modify-write",
    .space = "8 bytes",
    .threads = "any; destructors run where the last reference is dropped",
    .needs = "nothing",
    .paper = "the textbook; Rust's Arc and Swift count so",
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
    /* cut 02, 10: one more reference; which memory order is enough, and why? | (void)rc; */
    /* Relaxed is enough: the caller holds a reference, so the count cannot reach zero
     * meanwhile, and whoever handed over the pointer synchronised already. */
    int64_t old = atomic_fetch_add_explicit(&rc->count, 1, memory_order_relaxed);

    assert(old > 0 && "incref of an object that is being destroyed");
    (void)old;
    /* end of cut */
}

static inline bool rc_decref(rc_t *rc)
{
    /* cut 02, 10: one less; was it the last, and who must see whose writes? | return !rc; */
    /* The decrement publishes our writes to whoever drops the last reference; the load
     * collects everybody else's. (A fence would do instead of the load, but TSan does
     * not understand fences.) */
    int64_t old = atomic_fetch_sub_explicit(&rc->count, 1, memory_order_release);

    assert(old > 0 && "decref without a reference");
    if (old > 1)
        return false;
    (void)atomic_load_explicit(&rc->count, memory_order_acquire);
    return true;
    /* end of cut */
}

static inline bool rc_try_incref(rc_t *rc)
{
    /* cut 02, 10: one more, unless there is none left; and in which order? | return !rc; */
    /* Acquire: sees what was written by those whose decrements went before, as it would if
     * one of them had handed over its reference. */
    int64_t count = atomic_load_explicit(&rc->count, memory_order_relaxed);

    while (count > 0) {
        if (atomic_compare_exchange_weak_explicit(&rc->count, &count, count + 1,
                                                  memory_order_acquire, memory_order_relaxed))
            return true;
        rc_note_retry(rc);
    }
    return false;
    /* end of cut */
}

static inline int64_t rc_count(const rc_t *rc)
{
    return atomic_load_explicit(&rc->count, memory_order_relaxed);
}

#endif
