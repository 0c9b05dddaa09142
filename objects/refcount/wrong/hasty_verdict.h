/* hasty_verdict.h - WRONG: buffered, but a count of zero is believed at once.
 *
 * Who hands in applies its increments before its decrements, as the Gilectomy does, and
 * destroys what is then at zero. An increment that came before may still be in another
 * thread's log.
 *
 * Caught by: objects/tests/test_counting (debug asan tsan)
 */
#ifndef OBJECTS_REFCOUNT_WRONG_HASTY_VERDICT_H
#define OBJECTS_REFCOUNT_WRONG_HASTY_VERDICT_H

#define rc_safepoint right_safepoint
#include "objects/refcount/buffered.h"
#undef rc_safepoint

void hand_in_and_judge(void);

static inline void rc_safepoint(void)
{
    hand_in_and_judge();
}

#if RC_IMPLEMENTATION
static void judge_all(rc_t **dead) REQUIRES(buffered.lock)
{
    while (buffered.doubtful != &buffered_end) {
        rc_t *rc = buffered_pop(&buffered.doubtful);

        rc->doubted--; /* as if an epoch were over */
        buffered_judge(rc, dead);
    }
}

void hand_in_and_judge(void)
{
    struct buffered_thread *self = &buffered_self;

    do {
        mutex_lock(&buffered.lock);
        buffered_hand_in(self);
        judge_all(&self->dead);
        mutex_unlock(&buffered.lock);
    } while (!self->destroying && buffered_destroy_dead(self));
}
#endif

#endif
