/* unpublished.h - WRONG: biased, but without a state that says "published".
 *
 * So an owner frees after a look at `shared` that finds nothing, for all that a weak
 * reference may do then, and try_incref has to take any word but MERGED for a living
 * object: between the look and the free another thread gets what is dead.
 *
 * Caught by: objects/tests/test_weakref (debug asan tsan)
 */
#ifndef OBJECTS_REFCOUNT_WRONG_UNPUBLISHED_H
#define OBJECTS_REFCOUNT_WRONG_UNPUBLISHED_H

#define rc_publish right_publish
#define rc_try_incref right_try_incref
#include "objects/refcount/biased.h"
#undef rc_publish
#undef rc_try_incref

static inline void rc_publish(rc_t *rc)
{
    (void)rc;
}

static inline bool rc_try_incref(rc_t *rc)
{
    int32_t old = atomic_load_explicit(&rc->shared, memory_order_relaxed);

    if (biased_mine(rc))
        return right_try_incref(rc);
    while (old != BIASED_MERGED)
        if (atomic_compare_exchange_weak_explicit(&rc->shared, &old, old + BIASED_ONE,
                                                  memory_order_acquire, memory_order_relaxed))
            return true;
    return false;
}

#endif
