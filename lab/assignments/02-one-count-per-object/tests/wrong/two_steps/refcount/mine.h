/* mine.h - WRONG: `_Atomic` is taken for a promise about the whole line.
 *
 * The count is atomic, and so are its load and its store. What lies between them is not: of
 * two threads that drop at once one overwrites what the other has done. Increments are right,
 * so the count ends too high, and what nobody holds is never destroyed.
 *
 * Score: 0
 * Says: did not pass
 * Caught by: objects/tests/test_counting (debug)
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
    .about = "one atomic counter, changed in two steps",
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
    rc->count = rc->count - 1;
    return rc->count == 0;
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
