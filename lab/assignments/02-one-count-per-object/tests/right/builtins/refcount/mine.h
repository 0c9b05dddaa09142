/* mine.h - gcc's own operations, and one order that does for all who drop.
 *
 * Acquire and release in the same instruction: stronger than needed for all but the last, and
 * on x86 the same instruction.
 *
 * Score: 80..100
 */
#ifndef OBJECTS_REFCOUNT_MINE_H
#define OBJECTS_REFCOUNT_MINE_H

#include "objects/policy.h"
#include "objects/stats.h"

#include <stdbool.h>
#include <stdint.h>

#define RC_NEEDS_GIL 0

static const struct policy rc_policy = {
    .about = "one counter, by gcc's builtins",
    .cost = "one locked read-modify-write",
    .space = "8 bytes",
    .threads = "any; destructors run where the last reference is dropped",
    .needs = "nothing",
    .paper = "the textbook",
};

typedef struct rc {
    int64_t references; /* any thread, by __atomic builtins alone */
} rc_t;

static inline void rc_init(rc_t *rc)
{
    rc->references = 1;
}

static inline void rc_immortal(rc_t *rc)
{
    rc->references = (int64_t)1 << 60;
}

static inline void rc_incref(rc_t *rc)
{
    __atomic_add_fetch(&rc->references, 1, __ATOMIC_RELAXED);
}

static inline bool rc_decref(rc_t *rc)
{
    return __atomic_sub_fetch(&rc->references, 1, __ATOMIC_ACQ_REL) == 0;
}

static inline bool rc_try_incref(rc_t *rc)
{
    int64_t seen = __atomic_load_n(&rc->references, __ATOMIC_RELAXED);

    do
        if (seen == 0)
            return false;
    while (!__atomic_compare_exchange_n(&rc->references, &seen, seen + 1, true, __ATOMIC_ACQUIRE,
                                        __ATOMIC_RELAXED));
    return true;
}

static inline int64_t rc_count(const rc_t *rc)
{
    return __atomic_load_n(&rc->references, __ATOMIC_RELAXED);
}

#endif
