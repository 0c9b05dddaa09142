/* mine.h - WRONG: `volatile`, which is for devices and not for threads.
 *
 * It makes the compiler load and store each time, as two steps. Nothing keeps another thread
 * from coming in between, and nothing orders what is written around it.
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
#include <stdbool.h>
#include <stdint.h>

#define RC_NEEDS_GIL 0

static const struct policy rc_policy = {
    .about = "one volatile counter",
    .cost = "one add to memory",
    .space = "8 bytes",
    .threads = "any; destructors run where the last reference is dropped",
    .needs = "nothing",
    .paper = "the textbook",
};

typedef struct rc {
    volatile int64_t count; /* any thread, it says */
} rc_t;

static inline void rc_init(rc_t *rc)
{
    rc->count = 1;
}

static inline void rc_immortal(rc_t *rc)
{
    rc->count = INT64_MAX / 2;
}

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
