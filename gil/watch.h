/* watch.h - a global lock seen from inside: who has it, who waits, who was asked.
 *
 * To watch a lock is to put another class in the place of its own: one that looks at the
 * clock, calls the lock's function, and looks at the clock again. Every lock passes there,
 * for gil/thread.c calls acquire, release and yield through the class and nothing else
 * does. So a lock that nobody watches costs what it always did, to the instruction; and
 * no lock knows of this.
 *
 * Each thread that enters is given a `watched`, which it alone writes while it runs, on
 * cache lines of its own; others only add to `asked`, when they ask it to let go, and then
 * they write to its breaker as well. One word is shared by all, for who had the lock last:
 * its holder writes it, and only if it is another than before.
 *
 * What happens outside the window is not counted. Until watch_open there is none.
 */
#ifndef GIL_WATCH_H
#define GIL_WATCH_H

#include "gil/gil.h"
#include "gil/mutex.h"
#include "gil/stats.h"
#include "gil/trace.h"

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

struct thread;

/* One thread, also when it has left. */
struct watched {
    _Alignas(128) struct gil_stats stats; /* itself, but for stats.requests: see asked */
    enum gil_stand stand;                 /* itself */
    uint64_t since_ns;                    /* itself */
    bool traced;                          /* set once: there is a ring */
    struct trace_ring ring;               /* itself */
    const struct thread *thread;          /* set once; it may be gone */
    uint32_t number;                      /* set once: from 0, by who entered first */
    struct watched *next;                 /* watch.lock */
    _Alignas(128) _Atomic uint64_t asked; /* any thread */
};

struct watch {
    struct gil_class class; /* first: what the lock's `class` points to meanwhile; set once */
    const struct gil_class *own; /* set once: the lock's */
    struct gil *gil;             /* set once */
    size_t places;               /* set once: of each ring; 0: none */
    _Atomic uint64_t from_ns, to_ns;           /* the lab's; read by all */
    _Alignas(128) const struct thread *last;   /* gil */
    _Alignas(128) struct mutex lock;
    struct watched *first;                     /* lock: newest first */
    uint32_t count;                            /* lock */
    bool incomplete;                           /* lock: there was no memory for a thread */
    struct trace_ring outsiders; /* lock: requests by threads that nobody watches */
};

/* Watches the lock, which no thread has entered yet. `places`: of a ring for each thread; 0:
 * nothing is recorded. NULL and ENOMEM. */
struct watch *watch_begin(struct gil *gil, size_t places);

/* The window begins, or ends, now; who is at a lock in this very moment may miss it by as
 * long as a cache line takes to another core. */
void watch_open(struct watch *w);
void watch_close(struct watch *w);

/* When every watched thread has left: the lock has its own class again. */
void watch_end(struct watch *w);

/* What was counted of a thread that has left. */
void watch_take(const struct watched *of, struct gil_stats *stats);

/* For thread.c: somebody, of the runtime or not, is about to ask `t`, which is watched. */
void watch_asked(struct thread *t);

/* And: `t`, the caller, which is watched, was attached by another, without its lock. */
void watch_attached(struct thread *t);

#endif
