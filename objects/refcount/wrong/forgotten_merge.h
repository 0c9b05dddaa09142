/* forgotten_merge.h - WRONG: biased, but nobody drains what was queued.
 *
 * A safe point does nothing, and a thread that ends leaves its queue behind: whatever
 * others have queued for it is never destroyed.
 *
 * Caught by: objects/tests/test_counting (debug asan tsan)
 */
#ifndef OBJECTS_REFCOUNT_WRONG_FORGOTTEN_MERGE_H
#define OBJECTS_REFCOUNT_WRONG_FORGOTTEN_MERGE_H

#define rc_safepoint right_safepoint
#define rc_thread_stop right_thread_stop
#include "objects/refcount/biased.h"
#undef rc_safepoint
#undef rc_thread_stop

void forget_and_unregister(void);

static inline void rc_safepoint(void)
{
}

static inline void rc_thread_stop(void)
{
    forget_and_unregister();
}

#if RC_IMPLEMENTATION
void forget_and_unregister(void)
{
    do
        while (biased_pop(&biased_self))
            ;
    while (!biased_leave(&biased_self));
    biased_self.id = 0;
}
#endif

#endif
