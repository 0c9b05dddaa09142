/* never_atomic.h - WRONG: dynamic, but a published object is counted plainly as before.
 *
 * As if the bit were never set: of two changes at once one is lost.
 *
 * Caught by: objects/tests/test_counting (debug asan tsan)
 */
#ifndef OBJECTS_REFCOUNT_WRONG_NEVER_ATOMIC_H
#define OBJECTS_REFCOUNT_WRONG_NEVER_ATOMIC_H

#define rc_publish right_publish
#include "objects/refcount/dynamic.h"
#undef rc_publish

static inline void rc_publish(rc_t *rc)
{
    (void)rc;
}

#endif
