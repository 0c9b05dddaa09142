/* timers.h - what is to happen when: a heap of deadlines.
 *
 * Of equal deadlines the one that was set first comes first, always. (CPython's heap leaves
 * their order open.)
 *
 * A 4-ary heap in one array, which holds the deadlines themselves: the four children of an
 * entry fill 64 bytes, so that a step down costs one cache miss and not four, and the timer is
 * looked at only when two deadlines are equal. To set one is cheap, as most new ones are late;
 * to take the first of a million costs some ten such steps.
 *
 * A timer that is cancelled stays where it is (its owner knows), until it is the first or
 * timers_sweep takes it out. Whoever takes one out of the middle would have to know where it
 * stands, and each step would have to write that down.
 *
 * Not to be used by two threads at a time. A timer must stay where it is while it is in there.
 *
 * Source: D. B. Johnson, Priority queues with update and finding minimum spanning trees,
 * Information Processing Letters 4(3), 1975; that four is the number for caches, and that libev
 * does it so: M. Lehmann, ev.c.
 */
#ifndef COROUTINES_TIMERS_H
#define COROUTINES_TIMERS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Stands in what its owner keeps of it. */
struct timer {
    uint64_t when_ns;  /* of clock_ns(); set by the owner */
    uint64_t sequence; /* by timers_add */
};

struct timer_entry {
    uint64_t when_ns;
    struct timer *timer;
};

struct timers {
    struct timer_entry *entry;
    size_t count, capacity;
    uint64_t sequence; /* of the next one */
};

/* All zero is an empty heap. Frees its memory; the timers are their owners'. */
void timers_fini(struct timers *t);

/* 0; -1: MemoryError. */
int timers_add(struct timers *t, struct timer *timer);

/* The one that is due first; NULL: there is none. */
static inline struct timer *timers_first(const struct timers *t)
{
    return t->count ? t->entry[0].timer : NULL;
}

/* Whether there is one for then, or before. */
static inline bool timers_due(const struct timers *t, uint64_t now_ns)
{
    return t->count && t->entry[0].when_ns <= now_ns;
}

/* Takes out the first; there is one. */
struct timer *timers_pop(struct timers *t);

/* Takes out all of which `gone` says so; it is asked once for each, and may free it. */
void timers_sweep(struct timers *t, bool (*gone)(struct timer *timer));

#endif
