/* section.h - critical sections: a container locks itself, if no GIL does it already.
 *
 * Between section_begin and section_end no other thread is in a section of the same
 * object: by the object's own lock of one byte where threads have locks_containers, and
 * else because a GIL lets one thread run at a time. Where there is neither (plain counts,
 * no lock: the accident that the lab measures) nothing is excluded, and containers say
 * what then still holds.
 *
 * A section is not a lock that is held to the end. A thread that waits (for another
 * object's lock, in a call that blocks, for a stopped world) gives up the locks of all the
 * sections that it is in, and takes them again before it goes on: of the innermost at
 * once, of an outer one when that has become the innermost. So nobody waits while it holds
 * a lock, and threads that lock objects in opposite orders cannot deadlock. The price: a
 * section is one step for others only from one such point to the next. After anything
 * that may wait, and that is also a decref, since a destructor may do anything, what was
 * read of the object must be read again.
 *
 * Sections nest as calls do: the last to begin is the first to end. A section of two
 * objects takes both locks, the one at the lower address first. A section of objects that
 * the innermost one holds already is a part of that: it takes nothing, and gives nothing
 * back. Of an object that only an outer one holds it suspends that one, as if it were
 * another thread's.
 *
 * Where the thread `keeps_sections` (--mode biased:naive_containers=1) they are only locks,
 * nested as they come and kept to the end, two objects' in the order in which they are
 * named. That is what one lock per object means at first sight, and it deadlocks: see
 * `lab demo deadlock`.
 *
 * The caller keeps the objects alive to the end of the section. It is attached.
 *
 * For clang's lock analysis there is one capability, `section_held`, for all objects,
 * since in C it cannot name the lock beside a field. So it does not see that a section
 * of one object is used for another; but it does see a field that is touched outside
 * of any. The bodies of these functions are the only code that is exempt from it.
 *
 * Source: S. Gross, PEP 703 (2023), "Critical sections"; CPython's pycore_critical_section.h.
 */
#ifndef OBJECTS_SECTION_H
#define OBJECTS_SECTION_H

#include "gil/attributes.h"
#include "gil/bytelock.h"
#include "gil/thread.h"
#include "objects/object.h"

enum section_state {
    SECTION_SUSPENDED, /* its locks are given up until it is the innermost again */
    SECTION_WAITING,   /* section_enter is taking them */
    SECTION_HELD,
};

/* One that has begun; stands on the caller's stack, and belongs to its thread. */
struct section {
    struct bytelock *first, *second; /* NULL: there is none to hold */
    struct section *outer;           /* the one that it stands in; NULL: in none */
    enum section_state state;
};

struct CAPABILITY("section") section_capability {
    char unused;
};

extern struct section_capability section_held; /* for the analysis: there is no such object */

/* Takes s->first and s->second, when they could not be had at once. */
SLOW_PATH void section_enter(struct section *s);

/* Gives up the locks of all sections of `t`: the caller, or one that it holds
 * (thread_hold). */
void section_suspend(struct thread *t);

/* Gives up the locks of these, from the innermost outwards: of a stack that nobody goes on with. */
void section_abandon(struct section *innermost);

/* Takes the locks of the caller's innermost section, if it was suspended. May wait. */
void section_resume(struct thread *t);

static inline bool section_try(const struct section *s)
{
    if (unlikely(!bytelock_try(s->first)))
        return false;
    if (!s->second || likely(bytelock_try(s->second)))
        return true;
    bytelock_unlock(s->first);
    return false;
}

static inline void section_start(struct section *s, struct thread *t)
{
    if (unlikely(!section_try(s))) {
        section_enter(s);
        return;
    }
    s->state = SECTION_HELD;
    s->outer = t->sections;
    t->sections = s;
}

static inline void section_begin(struct section *s, borrowed o) ACQUIRES(section_held)
    NO_LOCK_ANALYSIS
{
    struct thread *t = thread_self;

    s->first = NULL;
    if (!t->locks_containers)
        return;
    s->first = &((struct object *)o)->lock;
    s->second = NULL;
    section_start(s, t);
}

/* Of two objects, which may be the same one. */
static inline void section_begin_two(struct section *s, borrowed a, borrowed b)
    ACQUIRES(section_held) NO_LOCK_ANALYSIS
{
    struct thread *t = thread_self;
    borrowed one = t->keeps_sections || (uintptr_t)a < (uintptr_t)b ? a : b;
    borrowed other = one == a ? b : a;

    s->first = NULL;
    if (!t->locks_containers)
        return;
    s->first = &((struct object *)one)->lock;
    s->second = one == other ? NULL : &((struct object *)other)->lock;
    section_start(s, t);
}

static inline void section_end(struct section *s) RELEASES(section_held) NO_LOCK_ANALYSIS
{
    struct thread *t;

    if (!s->first)
        return;
    t = thread_self;
    t->sections = s->outer;
    bytelock_unlock(s->first);
    if (s->second)
        bytelock_unlock(s->second);
    if (unlikely(s->outer))
        section_resume(t);
}

/* Tells the analysis that no other thread can reach the container: it is being made,
 * published or destroyed. */
static inline void section_alone(void) LOCK_ATTRIBUTE(assert_capability(section_held))
{
}

#endif
