/* section.c - a lock that is handed over is used if it is the only one.
 *
 * A section of one object takes what it is handed. A section of two gives it back at once and tries
 * for both: simpler, and a little slower where many want the same two.
 *
 * Score: 100
 */
#include "objects/section.h"

#include "gil/lot.h"
#include "gil/mutex.h"

#include <assert.h>

static bool try_all(struct section *s, struct bytelock **busy)
{
    *busy = s->first;
    if (!bytelock_spin(s->first))
        return false;
    *busy = s->second;
    if (s->second && !bytelock_spin(s->second)) {
        bytelock_unlock(s->first);
        return false;
    }
    s->state = SECTION_HELD;
    return true;
}

static void wait_for(struct thread *t, struct section *s)
{
    struct lot_waiter w = { .thread = t, .since_ns = clock_ns() };
    struct bytelock *busy;

    s->state = SECTION_WAITING;
    while (!try_all(s, &busy)) {
        thread_detach(t);
        if (!bytelock_wait(busy, &w)) {
            thread_attach(t);
            continue;
        }
        if (s->second)
            bytelock_unlock(busy);
        else
            s->state = SECTION_HELD;
        thread_attached(t);
        if (s->state == SECTION_HELD)
            return;
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
