/* section.c - waiting for the locks of a section, and giving them up to wait.
 *
 * The sections of a thread are a list from the innermost outwards. Why nobody waits for
 * ever, but where a thread keeps_sections: then none of this holds:
 *
 *   1. Who is not attached holds no section's lock. Before a thread detaches, its hook
 *      suspends all its sections; it takes a lock only while attached; and who hands one
 *      to a waiting thread attaches it first (thread_attach_other), or does not.
 *   2. Who waits for a section's lock is detached, or spins for a bounded time and holds
 *      none: section_enter suspends the thread's sections before it tries a second time,
 *      and take holds both locks or neither. So no circle of waiting threads can close.
 *   3. So a stopper finds the lock of every object free, but for its own sections'. Those
 *      it gives up itself by 2, without detaching: in a stopped world a section waits for
 *      nothing.
 *   4. When a section goes on, it holds its locks: a thread that has attached resumes its
 *      innermost section, and who ends a section resumes the next one. Of the sections
 *      further out nobody looks at the objects until they are the innermost.
 *   5. Who is handed a lock holds it for a section that is HELD, or gives it up, before it
 *      runs a hook: a hook may detach, and then 1 must find it.
 *   6. A section that is WAITING belongs to the frame that waits for it, further down the
 *      stack: a hook that runs meanwhile leaves it alone. Otherwise each waking that comes
 *      too late would nest another wait in the last one.
 */
#include "objects/section.h"

#include "gil/lot.h"
#include "gil/mutex.h"

#include <assert.h>

/* NULL, and the section holds its locks; or the one that somebody else holds, and it holds
 * none. `given`: of its locks the one that it holds already; NULL: none. */
static struct bytelock *take(struct section *s, struct bytelock *given)
{
    /* cut 03: both or none; `given` is held | return s->state == SECTION_HELD ? given : NULL; */
    struct bytelock *one = given ? given : s->first;
    struct bytelock *other = one == s->first ? s->second : s->first;

    if (!given && !bytelock_spin(one))
        return one;
    if (other && !bytelock_spin(other)) {
        bytelock_unlock(one);
        return other;
    }
    s->state = SECTION_HELD;
    return NULL;
    /* end of cut */
}

static void wait_and_take(struct thread *t, struct section *s)
{
    struct lot_waiter w = { .thread = t, .since_ns = clock_ns() };
    struct bytelock *busy = take(s, NULL);

    while (busy) {
        thread_detach(t);
        if (bytelock_wait(busy, &w)) {
            busy = take(s, busy);
            thread_attached(t);
        } else {
            thread_attach(t);
            busy = take(s, NULL);
        }
    }
}

/* Takes one, and gives up none meanwhile. */
static void wait_and_keep(struct thread *t, struct bytelock *lock)
{
    struct lot_waiter w = { .thread = t, .since_ns = clock_ns() };
    bool given = false;

    while (!given && !bytelock_spin(lock)) {
        thread_detach(t);
        given = bytelock_wait(lock, &w);
        if (given)
            thread_attached(t);
        else
            thread_attach(t);
    }
}

static void nest(struct thread *t, struct section *s)
{
    wait_and_keep(t, s->first);
    if (s->second)
        wait_and_keep(t, s->second);
    s->state = SECTION_HELD;
}

static bool holds(const struct section *s, const struct bytelock *lock)
{
    return lock == s->first || lock == s->second;
}

/* Whether it needs no lock but those that the innermost section holds. (In a hook that one
 * may hold none.) */
static bool is_part_of(const struct section *s, const struct section *innermost)
{
    return innermost && innermost->state == SECTION_HELD && holds(innermost, s->first) &&
           (!s->second || holds(innermost, s->second));
}

void section_enter(struct section *s)
{
    struct thread *t = thread_self;

    /* cut 03: which section needs no lock, and which locks must not be kept? | (void)is_part_of; */
    if (is_part_of(s, t->sections)) {
        s->first = NULL;
        return;
    }
    if (!t->keeps_sections)
        section_suspend(t);
    /* end of cut */
    s->state = SECTION_WAITING;
    s->outer = t->sections;
    t->sections = s;
    if (t->keeps_sections)
        nest(t, s);
    else
        wait_and_take(t, s);
}

static void give_up(struct section *s)
{
    /* cut 03: give up its locks, and remember that | (void)s; */
    s->state = SECTION_SUSPENDED;
    bytelock_unlock(s->first);
    if (s->second)
        bytelock_unlock(s->second);
    /* end of cut */
}

void section_abandon(struct section *innermost)
{
    for (struct section *s = innermost; s; s = s->outer)
        if (s->state == SECTION_HELD)
            give_up(s);
}

void section_suspend(struct thread *t)
{
    section_abandon(t->sections);
}

void section_resume(struct thread *t)
{
    /* cut 03: which section takes its locks again, and which does not? | (void)t; */
    struct section *s = t->sections;

    if (!s || s->state != SECTION_SUSPENDED)
        return;
    s->state = SECTION_WAITING;
    wait_and_take(t, s);
    /* end of cut */
}
