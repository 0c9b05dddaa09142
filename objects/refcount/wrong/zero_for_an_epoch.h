/* zero_for_an_epoch.h - WRONG: sharded, with Refcache's rule: what stands at zero for an
 * epoch is dead.
 *
 * What a thread takes and drops again between two flushes leaves its shard as if it had
 * not been used. So a reference that two threads hand to and fro is never seen, and its
 * object is destroyed under their hands.
 *
 * Caught by: objects/tests/test_counting (debug asan tsan)
 */
#ifndef OBJECTS_REFCOUNT_WRONG_ZERO_FOR_AN_EPOCH_H
#define OBJECTS_REFCOUNT_WRONG_ZERO_FOR_AN_EPOCH_H

#define rc_decref right_decref
#include "objects/refcount/sharded.h"
#undef rc_decref

static inline bool rc_decref(rc_t *rc)
{
    uint32_t hot = sharded_hot(rc);

    if (!hot || !sharded_self.of[hot].increments)
        return right_decref(rc);
    sharded_self.of[hot].increments--;
    return false;
}

#endif
