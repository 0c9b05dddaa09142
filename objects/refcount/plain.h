/* plain.h - one ordinary counter per object, for threads that take turns.
 *
 * CPython's counting. Right while a global lock lets one thread at a time touch
 * objects, and the fastest there is. Without the lock two increments at once can
 * become one, and the object is freed while somebody still holds it; or two
 * decrements become one, and it is never freed.
 *
 * Invariant (under a GIL): count is the number of references held; 0 means being
 * destroyed.
 */
#ifndef OBJECTS_REFCOUNT_PLAIN_H
#define OBJECTS_REFCOUNT_PLAIN_H

#include "objects/policy.h"

#include <stdbool.h>
#include <stdint.h>

#define RC_NEEDS_GIL 1

static const struct policy rc_policy = {
    .about = "one ordinary counter per object",
    .cost = "one add to memory, no ordering",
    .space = "8 bytes",
    .threads = "one at a time; destructors run where the last reference is dropped",
    .needs = "a GIL",
    .paper = "G. Collins, A method for overlapping and erasure of lists, CACM 3(12), 1960",
};

typedef struct rc {
    int64_t count; /* gil */
} rc_t;

static inline void rc_init(rc_t *rc)
{
    rc->count = 1;
}

static inline void rc_immortal(rc_t *rc)
{
    rc->count = INT64_MAX / 2;
}

/* No assert on the count here or below: without a GIL it may be anything, and that
 * is what the audit reports. */
static inline void rc_incref(rc_t *rc)
{
    rc->count++;
}

static inline bool rc_decref(rc_t *rc)
{
    return --rc->count == 0;
}

static inline bool rc_try_incref(rc_t *rc)
{
    if (rc->count == 0)
        return false;
    rc->count++;
    return true;
}

static inline int64_t rc_count(const rc_t *rc)
{
    return rc->count;
}

#endif
