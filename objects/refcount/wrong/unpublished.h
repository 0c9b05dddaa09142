/* unpublished.h - WRONG: biased, but without a state that says "published".
 *
 * So an owner frees after a look at `shared` that finds nothing, for all that a weak
 * reference may do then, and try_incref has to take any word but MERGED for a living
 * object: between the look and the free another thread gets what is dead. It yields there,
 * and waits a little before, for a moment in which it finds nothing: what is rare would be missed.
 *
 * Caught by: objects/tests/test_weakref (debug asan tsan)
 */
#ifndef OBJECTS_REFCOUNT_WRONG_UNPUBLISHED_H
#define OBJECTS_REFCOUNT_WRONG_UNPUBLISHED_H

#define rc_decref right_decref
#define rc_publish right_publish
#define rc_try_incref right_try_incref
#include "objects/refcount/biased.h"
#undef rc_decref
#undef rc_publish
#undef rc_try_incref

#include <sched.h>

static inline bool rc_decref(rc_t *rc)
{
    bool last;

    for (int i = 0; i < 20000 && biased_mine(rc) && rc->local == 1 &&
                    atomic_load_explicit(&rc->shared, memory_order_relaxed) != BIASED_DEFAULT; i++)
        ;
    last = right_decref(rc);
    if (last)
        sched_yield();
    return last;
}

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
