/* mine.h - the word counts the other references, and is -1 at the end.
 *
 * A new object has none but its first, so the word begins at 0. Who finds 0 when it drops was
 * the only one.
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
    .about = "one atomic counter, of the references beyond the first",
    .cost = "one locked read-modify-write",
    .space = "8 bytes",
    .threads = "any; destructors run where the last reference is dropped",
    .needs = "nothing",
    .paper = "the textbook",
};

typedef struct rc {
    _Atomic int64_t others; /* any thread; -1: being destroyed */
} rc_t;

enum { MINE_NOBODY = -1 };

static inline void rc_init(rc_t *rc)
{
    atomic_init(&rc->others, 0);
}

static inline void rc_immortal(rc_t *rc)
{
    atomic_init(&rc->others, INT64_MAX / 4);
}

static inline void rc_incref(rc_t *rc)
{
    int64_t others = atomic_fetch_add_explicit(&rc->others, 1, memory_order_relaxed);

    assert(others > MINE_NOBODY);
    (void)others;
}

static inline bool rc_decref(rc_t *rc)
{
    int64_t others = atomic_fetch_sub_explicit(&rc->others, 1, memory_order_acq_rel);

    assert(others > MINE_NOBODY);
    return others == 0;
}

static inline bool rc_try_incref(rc_t *rc)
{
    int64_t others = atomic_load_explicit(&rc->others, memory_order_relaxed);

    for (;;) {
        if (others == MINE_NOBODY)
            return false;
        if (atomic_compare_exchange_strong_explicit(&rc->others, &others, others + 1,
                                                    memory_order_acq_rel, memory_order_relaxed))
            return true;
    }
}

static inline int64_t rc_count(const rc_t *rc)
{
    return atomic_load_explicit(&rc->others, memory_order_relaxed) + 1;
}

#endif
