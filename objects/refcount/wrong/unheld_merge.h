/* unheld_merge.h - WRONG: biased_suspend, but the owner is not held.
 *
 * Whoever finds the owner detached merges in its name, while it may attach and count
 * likewise: both change `local`, and both take what waits.
 *
 * Caught by: objects/tests/test_counting (tsan)
 */
#ifndef OBJECTS_REFCOUNT_WRONG_UNHELD_MERGE_H
#define OBJECTS_REFCOUNT_WRONG_UNHELD_MERGE_H

#include "gil/thread.h"

static inline bool looks_detached(struct thread *t)
{
    return atomic_load_explicit(&t->state, memory_order_seq_cst) == THREAD_DETACHED;
}

static inline void leave_alone(struct thread *t)
{
    (void)t;
}

#define thread_hold looks_detached
#define thread_let_go leave_alone
#include "objects/refcount/biased_suspend.h"
#undef thread_hold
#undef thread_let_go

#endif
