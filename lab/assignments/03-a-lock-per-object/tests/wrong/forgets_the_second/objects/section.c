/* section.c - WRONG: of a section of two objects only one is given up.
 *
 * As long as sections have one object nobody sees it. The other object stays locked while its
 * holder sleeps.
 *
 * Score: 0
 * Says: did not pass
 * Caught by: objects/tests/test_section (debug)
 */
#include "objects/section.h"

#include "gil/lot.h"
#include "gil/mutex.h"

#include <assert.h>

/* Both locks, or none. `had` is one that the caller has been handed. Returns the lock that
 * somebody else holds; NULL: the section holds its own. */
static struct bytelock *take(struct section *s, struct bytelock *had)
{
    struct bytelock *wanted[2] = { s->first, s->second };

    for (int i = 0; i < 2; i++) {
        if (!wanted[i] || wanted[i] == had || bytelock_spin(wanted[i]))
            continue;
        for (int k = 0; k < 2; k++)
            if (wanted[k] && (k < i || wanted[k] == had))
                bytelock_unlock(wanted[k]);
        return wanted[i];
    }
    s->state = SECTION_HELD;
    return NULL;
}

/* Detached: so no stopped world and no other thread finds it with a lock. */
static void wait_for(struct thread *t, struct section *s)
{
    struct lot_waiter w = { .thread = t, .since_ns = clock_ns() };
    struct bytelock *busy;

    s->state = SECTION_WAITING;
    busy = take(s, NULL);
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
