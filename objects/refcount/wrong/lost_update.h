/* lost_update.h - WRONG: an increment made of a load and a store.
 *
 * Each half is atomic, the whole is not: of two increments at once one is lost, and the
 * object is destroyed while somebody still holds it. No tool calls this a race.
 *
 * Caught by: objects/tests/test_counting (debug asan tsan)
 * Caught by: objects/tests/test_model (debug)
 */
#ifndef OBJECTS_REFCOUNT_WRONG_LOST_UPDATE_H
#define OBJECTS_REFCOUNT_WRONG_LOST_UPDATE_H

#define rc_incref right_incref
#include "objects/refcount/atomic.h"
#undef rc_incref

static inline void rc_incref(rc_t *rc)
{
    int64_t old = atomic_load_explicit(&rc->count, memory_order_relaxed);

    atomic_store_explicit(&rc->count, old + 1, memory_order_relaxed);
}

#endif
