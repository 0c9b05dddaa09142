/* thread.h - threads of the runtime: attached, detached, suspended.
 *
 * A thread may touch objects only while it is attached. Before a call that may
 * block it detaches, which lets go of the global lock, so that others run; after
 * the call it attaches again. A thread that computes passes safe points: there,
 * and nowhere else, it yields the lock, stops for a stopped world, and does what
 * others have queued for it.
 *
 *            start            world_stop by another
 *   (none) ---------> DETACHED -----------------> SUSPENDED
 *                     |      ^ <----------------- ^
 *              attach v      |    world_start     | safe point or detach
 *                     ATTACHED -------------------+ while the world is being stopped
 *
 * Any attached thread may also hold a detached one, for the few instructions in which it
 * does something in its name: DETACHED -> HELD -> DETACHED (thread_hold, thread_let_go).
 *
 * Source: the three states of PEP 703 (S. Gross, 2023), section "Thread states".
 *
 * Threads that share objects are one world: the threads of all locks, unless a lock has a
 * world of its own. Who stops the world stops its own one, and others run on.
 *
 * Hooks: where this floor must call a higher one it goes through struct
 * thread_hooks, which the runtime fills.
 */
#ifndef GIL_THREAD_H
#define GIL_THREAD_H

#include "gil/attributes.h"

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

struct gil;
struct thread;

/* All zero at first; stays until the last thread of its locks has left. */
struct thread_world {
    const struct thread *stopper; /* world.lock; NULL while it runs */
    int threads;                  /* world.lock */
};

enum thread_state { THREAD_DETACHED, THREAD_ATTACHED, THREAD_SUSPENDED, THREAD_HELD };

/* Bits of the breaker word: what a thread is asked to do at its next safe point. */
enum breaker {
    BREAKER_GIL = 1,   /* ask the lock's yield */
    BREAKER_STOP = 2,  /* the world is being stopped */
    BREAKER_MERGE = 4, /* call hooks->safepoint: counts wait to be merged */
    BREAKER_QUIET = 8, /* call hooks->quiet: memory waits until no thread reads it */
    BREAKER_COLLECT = 16, /* call hooks->collect: there may be garbage in cycles */
    BREAKER_PULSE = 32, /* the watchdog wants to know whether it passes safe points */
};

/* What the floors above need to be told. Each may be NULL. All run attached and, but for
 * `collect` and `after_block`, pass no safe point: they may run inside one. */
struct thread_hooks {
    int (*start)(struct thread *t);         /* 0, or -1 and errno: the thread is not started */
    void (*stop)(struct thread *t);         /* its last act while attached */
    void (*safepoint)(struct thread *t);    /* BREAKER_MERGE was set; it has been cleared */
    bool (*due)(struct thread *t);          /* BREAKER_MERGE is set: is it to be done at this safe
                                             * point? If not it stays, for who counts them */
    void (*before_block)(struct thread *t); /* about to detach. BREAKER_MERGE has been
                                               cleared; while it is set again it is called again */
    void (*after_block)(struct thread *t);  /* has attached again; may detach once more */
    void (*quiet)(struct thread *t);        /* BREAKER_QUIET was set; it has been cleared */
    void (*collect)(struct thread *t);      /* BREAKER_COLLECT, likewise; may stop the world */
};

enum { GIL_WORDS = 2 }; /* as many as the lock needs that needs most: `deadline` */

struct thread {
    _Atomic uint32_t breaker;         /* any thread sets bits; the thread itself clears them */
    _Atomic int state;                /* atomic; enum thread_state */
    struct gil *gil;                  /* set once; never NULL, the lock `none` is a lock */
    bool locks_containers;            /* set once; no lock excludes others, so containers must */
    bool keeps_sections;              /* set once, by the lock: a thread that waits keeps what its
                                         sections have locked, though that may deadlock */
    const struct thread_hooks *hooks; /* set once */
    int64_t gil_words[GIL_WORDS];     /* the lock; what it keeps of each thread, 0 at the start */
    _Atomic uint64_t seen;            /* itself; read by any: gil/qsbr.h; 0: it reads nothing */
    struct section *sections;         /* the thread itself: objects/section.h; NULL: in none */
    const char *name;                 /* set once; NULL: it has none. For who must be named */
    struct { uint64_t asked_ns, told_ns; } pulse; /* world.lock; the watchdog's */
    struct watched *watched;          /* set once, by who watches the lock; NULL: nobody does */
    struct thread *next, **link;      /* world.lock */
};

/* The calling thread's, NULL before thread_start and after thread_stop. */
extern _Thread_local struct thread *thread_self;

/* The caller becomes a thread of the runtime, attached. 0, or -1 and the errno of
 * hooks->start. `t` must stay where it is until thread_stop. `locks_containers` and
 * `name` are what the caller set in it beforehand; all else is filled here. */
int thread_start(struct thread *t, struct gil *gil, const struct thread_hooks *hooks);

/* The caller, attached, leaves the runtime. */
void thread_stop(struct thread *t);

/* Between detach and attach the thread must not touch an object, nor incref or
 * decref one. errno is kept by both. */
void thread_detach(struct thread *t);
void thread_attach(struct thread *t);

/* For those who look on (gil/watch.h, probes): `t` is about to be asked for the lock. */
void thread_note_request(struct thread *t);

/* Ask `t` (any thread, which must not stop meanwhile) to act at its next safe point. */
static inline void thread_request(struct thread *t, uint32_t bits)
{
    if (bits & BREAKER_GIL)
        thread_note_request(t);
    /* Release, with the acquire in the slow path: who asks has queued its request
     * before. The breaker's fast load is relaxed, for it only decides to look. And in one
     * order with all detaching: see thread.c, fact 6. */
    atomic_fetch_or_explicit(&t->breaker, bits, memory_order_seq_cst);
}

void thread_safepoint_slow(struct thread *t);

/* A safe point: one relaxed load and a branch that is predicted not taken. Any
 * other thread may have run when it returns, and the world may have been stopped.
 * errno is kept. */
static inline void safepoint(struct thread *t)
{
    if (unlikely(atomic_load_explicit(&t->breaker, memory_order_relaxed)))
        thread_safepoint_slow(t);
}

/* Stops every other thread of the caller's world at a safe point or while it is detached;
 * returns when all have stopped: what they wrote is visible, and none attaches or
 * starts before world_start. The caller is attached and must not detach or pass a
 * safe point before that. While another stops the world the caller is stopped
 * itself, as at a safe point, and takes its turn after. */
void world_stop(struct thread *t);
void world_start(struct thread *t);

/* Holds `t`, another thread of the runtime, where it is detached or suspended: until
 * thread_let_go it does not attach, and what it wrote before is visible to the caller, as
 * what the caller writes will be to it. False: it is attached, or another holds it; if the
 * caller had asked it by BREAKER_MERGE before, it calls a hook for that before it is
 * detached. The caller is attached, knows that `t` does not leave meanwhile, passes no safe
 * point, and does not wait for anything, for `t` may be about to attach. */
bool thread_hold(struct thread *t);
void thread_let_go(struct thread *t);

/* Attaches `t`, a detached thread that waits for something which the caller is about to give
 * it, and which no stopped thread may own: so it has that from the first moment in which it
 * is attached. False: it is stopped or held, and must not be given it. The lock of both is
 * one that does not exclude. When `t` goes on it calls thread_attached, not thread_attach. */
bool thread_attach_other(struct thread *t);
void thread_attached(struct thread *t);

/* Calls `visit` for every registered thread of every world, none of which leaves meanwhile. It
 * may ask them (thread_request) and nothing more. */
void world_each(void (*visit)(struct thread *t, void *argument), void *argument);

/* For a visitor: whether this thread stops its world, or has stopped it. */
bool world_is_stopped_by(const struct thread *t);

/* From now on, while a thread waits for its world to stop, `tell` is called each second
 * with one that is still attached: it has passed no safe point since. NULL: nobody is. */
void world_tell_late(void (*tell)(const struct thread *late, uint64_t waited_ns));

/* How many threads are registered now, in all worlds: for tests and reports. */
int world_threads(void);

/* The same, in the world of `t`. */
int world_size(const struct thread *t);

/* For gil/fork.c: takes the list of threads, and lets go of it. In the child the world runs, and
 * the calling thread is the one on the list, if it is of the runtime. */
void world_before_fork(void);
void world_after_fork(bool in_child);

/* Then, in the child: the calling thread goes on under a new lock, attached if it was. */
void thread_begin_anew(struct thread *t, struct gil *gil);

#endif
