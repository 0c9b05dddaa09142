/* high_waits.c - a wrong lock: a high thread waits for an interval, as if all were equal.
 *
 * `priority`, but nobody is asked when a high thread comes and finds a low one: the lock goes to
 * the right one next, and too late.
 *
 * Caught by: gil/tests/test_priority (debug asan tsan).
 */
#define gil_priority gil_high_waits

struct gil;
struct thread;

static void acquire(struct gil *gil, struct thread *t);

#define acquire(gil, t) right_acquire(gil, t)
#include "gil/locks/priority.c"
#undef acquire

static void acquire(struct gil *gil, struct thread *t)
{
    struct gil_priority *g = self(gil);
    struct waiter w = { .thread = t };
    bool given;

    mutex_lock(&g->lock);
    if (g->holder && is_low(g->holder))
        wait_for_turn(g, &w);
    given = g->holder == t;
    mutex_unlock(&g->lock);
    if (!given)
        right_acquire(gil, t);
}
