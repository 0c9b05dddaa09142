/* qsbr.c - the number that is time, and what each thread has seen of it.
 *
 * Why what has passed its goal may be freed. Say that a thread F makes memory unreachable,
 * takes a goal G, and finds that it has passed; that a thread R reads. `now` is only ever
 * changed by read-modify-writes that acquire and release, so of any two the later one
 * sees all that stood before the earlier one.
 *
 *   1. R enters by storing its number and then changing `now` (adding 0), and F takes its
 *      goal by changing `now`. If R's change is the later one, R sees that the memory is
 *      unreachable. If F's is, F sees R's number, or a newer one, whenever it looks; and
 *      that number is below G, for R had read it before.
 *      A plain store would not do: R's reads could be done before others see it, so that
 *      F misses R's number and R the change that F has made.
 *   2. R goes from one number to a higher one by loading `now` with acquire. If it gets G
 *      or more, it sees from then on that the memory is unreachable.
 *   3. R stores its numbers, and the 0 when it leaves, with release after its reads, and F
 *      loads them with acquire. So a read of R's that 1 and 2 do not exclude is over
 *      before F frees.
 *   4. Every thread that may have been reading when the goal was taken is on the list that
 *      F looks through: a thread enters after it was entered there, and leaves before it
 *      is taken off. (A thread that is entered later sees all by 1.)
 *   5. `now` is above a thread's number only if a goal was taken since it was last quiet.
 *
 * No fence and no sequential consistency is needed, because both sides meet in one
 * variable; TSan understands that, too.
 */
#include "gil/qsbr.h"

#include <stddef.h>

static _Atomic uint64_t now = 1; /* atomic */

void qsbr_enter(struct thread *t)
{
    uint64_t seen = atomic_load_explicit(&now, memory_order_relaxed);

    /* Release, since a thread that has entered before may enter again: fact 3. */
    atomic_store_explicit(&t->seen, seen, memory_order_release);
    atomic_fetch_add_explicit(&now, 0, memory_order_acq_rel); /* fact 1 */
}

void qsbr_leave(struct thread *t)
{
    atomic_store_explicit(&t->seen, 0, memory_order_release); /* fact 3 */
}

void qsbr_quiet(struct thread *t)
{
    uint64_t seen = atomic_load_explicit(&now, memory_order_acquire); /* fact 2 */

    atomic_store_explicit(&t->seen, seen, memory_order_release); /* fact 3 */
}

uint64_t qsbr_goal(void)
{
    return atomic_fetch_add_explicit(&now, 1, memory_order_acq_rel) + 1; /* fact 1 */
}

/* A look through all threads, and the lowest number below the goal that it has found. */
struct look {
    uint64_t goal;
    bool ask;
    uint64_t lowest;
    const struct thread *late; /* whose number that is; NULL: none is below the goal */
};

static void look_at(struct thread *t, void *argument)
{
    struct look *look = argument;
    uint64_t seen = atomic_load_explicit(&t->seen, memory_order_acquire); /* fact 3 */

    if (seen == 0 || seen >= look->goal)
        return;
    if (look->ask)
        thread_request(t, BREAKER_QUIET);
    if (look->late && look->lowest <= seen)
        return;
    look->lowest = seen;
    look->late = t;
}

bool qsbr_passed(uint64_t goal, bool ask)
{
    struct look look = { .goal = goal, .ask = ask };

    world_each(look_at, &look);
    return !look.late;
}

const struct thread *qsbr_late(void)
{
    struct look look = { .goal = atomic_load_explicit(&now, memory_order_acquire) }; /* fact 5 */

    world_each(look_at, &look);
    return look.late;
}
