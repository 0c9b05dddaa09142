/* counted_down.h - WRONG: immortal, but a decref does not look whether the object is.
 *
 * Increments skip the object and decrements do not, so that everybody writes its cache
 * line, and in the end it is mortal.
 *
 * Caught by: objects/tests/test_counting (debug asan tsan)
 */
#ifndef OBJECTS_REFCOUNT_WRONG_COUNTED_DOWN_H
#define OBJECTS_REFCOUNT_WRONG_COUNTED_DOWN_H

#define rc_decref right_decref
#include "objects/refcount/immortal.h"
#undef rc_decref

static inline bool rc_decref(rc_t *rc)
{
    return --rc->count == 0;
}

#endif
