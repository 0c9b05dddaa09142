/* relaxed_decrement.h - WRONG: a decrement that publishes nothing and collects nothing.
 *
 * Every count is right, on x86 even every answer; but nothing orders what a thread
 * wrote into an object before the destructor that reads it in another.
 *
 * Caught by: objects/tests/test_counting (tsan)
 */
#ifndef OBJECTS_REFCOUNT_WRONG_RELAXED_DECREMENT_H
#define OBJECTS_REFCOUNT_WRONG_RELAXED_DECREMENT_H

#define rc_decref right_decref
#include "objects/refcount/atomic.h"
#undef rc_decref

static inline bool rc_decref(rc_t *rc)
{
    return atomic_fetch_sub_explicit(&rc->count, 1, memory_order_relaxed) == 1;
}

#endif
