/* free_at_exit.h - WRONG: biased, but a thread that ends frees all that was queued.
 *
 * As if a queued object were garbage. It has lost one reference; others may hold it.
 *
 * Caught by: objects/tests/test_counting (debug asan tsan)
 */
#ifndef OBJECTS_REFCOUNT_WRONG_FREE_AT_EXIT_H
#define OBJECTS_REFCOUNT_WRONG_FREE_AT_EXIT_H

#define rc_thread_stop right_thread_stop
#include "objects/refcount/biased.h"
#undef rc_thread_stop

void free_and_unregister(void);

static inline void rc_thread_stop(void)
{
    free_and_unregister();
}

#if RC_IMPLEMENTATION
void free_and_unregister(void)
{
    rc_t *rc;

    do
        while ((rc = biased_pop(&biased_self)))
            rc_destroy(rc);
    while (!biased_leave(&biased_self));
    biased_self.id = 0;
}
#endif

#endif
