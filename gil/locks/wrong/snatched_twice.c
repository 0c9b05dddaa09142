/* snatched_twice.c - a wrong lock: a turn is snatched, and left to the one that had it.
 *
 * `deadline`, but who comes before the one whose turn it is begins, and that one begins, too.
 *
 * Caught by: gil/tests/test_deadline (debug asan tsan).
 */
#define gil_deadline gil_snatched_twice

struct gil;
struct thread;

static void acquire(struct gil *gil, struct thread *t);

#define acquire(gil, t) right_acquire(gil, t)
#include "gil/locks/deadline.c"
#undef acquire

static void acquire(struct gil *gil, struct thread *t)
{
    struct gil_deadline *g = self(gil);
    bool snatched;

    mutex_lock(&g->lock);
    snatched = can_snatch(g, t);
    if (snatched)
        begin(g, t);
    mutex_unlock(&g->lock);
    if (!snatched)
        right_acquire(gil, t);
}
