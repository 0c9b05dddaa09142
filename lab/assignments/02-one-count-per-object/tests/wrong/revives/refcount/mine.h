/* mine.h - WRONG: try_incref is an incref that is sure of success.
 *
 * Whoever finds a pointer in a table asks for a reference, and gets one, also of an object that is
 * just being destroyed. It is destroyed all the same, or twice.
 *
 * Score: 0
 * Says: test_a_destructor_cannot_revive_its_object
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
    .about = "one atomic counter; a try never fails",
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
    return atomic_fetch_sub_explicit(&rc->count, 1, memory_order_acq_rel) == 1;
}

static inline bool rc_try_incref(rc_t *rc)
{
    return atomic_fetch_add_explicit(&rc->count, 1, memory_order_acquire) >= 0;
}

static inline int64_t rc_count(const rc_t *rc)
{
    return atomic_load_explicit(&rc->count, memory_order_relaxed);
}

#endif
