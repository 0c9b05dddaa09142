/* late_look.h - WRONG: global_mutex, but a decref looks at the count after unlocking.
 *
 * Of two threads that drop the last two references both may then see zero, and both
 * destroy the object. It yields in between: what is rare would be seen by TSan alone.
 *
 * Caught by: objects/tests/test_counting (debug asan tsan)
 */
#ifndef OBJECTS_REFCOUNT_WRONG_LATE_LOOK_H
#define OBJECTS_REFCOUNT_WRONG_LATE_LOOK_H

#define rc_decref right_decref
#include "objects/refcount/global_mutex.h"
#undef rc_decref

#include <sched.h>

static inline bool rc_decref(rc_t *rc)
{
    mutex_lock(&global_mutex);
    rc->count--;
    mutex_unlock(&global_mutex);
    sched_yield();
    return rc->count == 0;
}

#endif
