/* section.c - the busy lock is waited for first, and then the other tried.
 *
 * A loop over the pair, that begins with whichever was busy last: a lock that one has just waited
 * for is had, and the other is often free by then. Who finds it held lets go of the first. So again
 * nobody waits with a lock in hand.
 *
 * Score: 100
 */
#include "objects/section.h"

#include "gil/lot.h"
#include "gil/mutex.h"

#include <assert.h>

static void swap(struct bytelock **a, struct bytelock **b)
{
    struct bytelock *c = *a;

    *a = *b;
    *b = c;
}

/* Waits, detached, until it may be free. True: it has been handed over. */
static bool wait_in_lot(struct thread *t, struct bytelock *lock, struct lot_waiter *w)
{
    thread_detach(t);
    if (bytelock_wait(lock, w))
        return true;
    thread_attach(t);
    return false;
}

static void wait_for(struct thread *t, struct section *s)
{
    struct lot_waiter w = { .thread = t, .since_ns = clock_ns() };
    struct bytelock *one = s->first, *other = s->second;
    bool handed = false;

    s->state = SECTION_WAITING;
    for (;;) {
        bool had = handed || bytelock_spin(one);

        if (had && (!other || bytelock_spin(other)))
            s->state = SECTION_HELD;
        else if (had) {
            bytelock_unlock(one);
            swap(&one, &other);
        }
        if (handed)
            thread_attached(t);
        if (s->state == SECTION_HELD)
            return;
        handed = wait_in_lot(t, one, &w);
    }
}

/* Locks that are kept: for `lab demo deadlock`. */
static void wait_and_keep(struct thread *t, struct bytelock *lock)
{
    struct lot_waiter w = { .thread = t, .since_ns = clock_ns() };

    while (!bytelock_spin(lock)) {
        bool given;

        thread_detach(t);
        given = bytelock_wait(lock, &w);
        if (given) {
            thread_attached(t);
            return;
        }
        thread_attach(t);
    }
}

static void keep(struct thread *t, struct section *s)
{
    s->state = SECTION_WAITING;
    wait_and_keep(t, s->first);
    if (s->second)
        wait_and_keep(t, s->second);
    s->state = SECTION_HELD;
}

static bool has(const struct section *s, const struct bytelock *lock)
{
    return !lock || lock == s->first || lock == s->second;
}

static bool is_part_of(const struct section *s, const struct section *outer)
{
    return outer && outer->state == SECTION_HELD && has(outer, s->first) && has(outer, s->second);
}

void section_enter(struct section *s)
{
    struct thread *t = thread_self;

    if (is_part_of(s, t->sections)) {
        s->first = NULL;
        return;
    }
    if (!t->keeps_sections)
        section_suspend(t);
    s->outer = t->sections;
    t->sections = s;
    if (t->keeps_sections)
        keep(t, s);
    else
        wait_for(t, s);
}

static void give_up(struct section *s)
{
    if (s->state != SECTION_HELD)
        return;
    s->state = SECTION_SUSPENDED;
    if (s->second)
        bytelock_unlock(s->second);
    bytelock_unlock(s->first);
}

void section_abandon(struct section *innermost)
{
    while (innermost) {
        give_up(innermost);
        innermost = innermost->outer;
    }
}

void section_suspend(struct thread *t)
{
    section_abandon(t->sections);
}

void section_resume(struct thread *t)
{
    if (t->sections && t->sections->state == SECTION_SUSPENDED)
        wait_for(t, t->sections);
}
