/* section.c - WRONG: the first of two locks is kept while the second is waited for.
 *
 * In the order of addresses no two such threads can wait for each other. But a thread that waits
 * is detached, and the world may be stopped meanwhile: who stopped it then finds a lock that is
 * held by a thread that does not run.
 *
 * Score: 0
 * Says: did not pass
 * Caught by: objects/tests/test_section (debug)
 */
#include "objects/section.h"

#include "gil/lot.h"
#include "gil/mutex.h"

#include <assert.h>

static void wait_for_lock(struct thread *t, struct bytelock *lock)
{
    struct lot_waiter w = { .thread = t, .since_ns = clock_ns() };

    while (!bytelock_spin(lock)) {
        thread_detach(t);
        if (bytelock_wait(lock, &w)) {
            thread_attached(t);
            return;
        }
        thread_attach(t);
    }
}

static void wait_for(struct thread *t, struct section *s)
{
    s->state = SECTION_WAITING;
    wait_for_lock(t, s->first);
    if (s->second)
        wait_for_lock(t, s->second);
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
