/* hosted.h - for units that host many workers on a thread, and for workloads that are awaited. */
#ifndef BENCHES_HOSTED_H
#define BENCHES_HOSTED_H

#include "benches/unit.h"
#include "objects/int.h"

/* The worker sees the window for the first time. */
SLOW_PATH void seat_enter(struct seat *s);

/* Whether there is another step to do. */
static inline bool seat_goes_on(struct seat *s)
{
    int phase = atomic_load_explicit(s->worker.carrier->phase, memory_order_relaxed);

    if (unlikely(phase == PHASE_WINDOW && !s->entered))
        seat_enter(s);
    return phase != PHASE_OVER;
}

static inline struct seat *seat_of(struct worker *w)
{
    return (struct seat *)w;
}

/* Of the int that await_step, and what a unit calls, is given. */
static inline struct worker *worker_at(borrowed address)
{
    return (struct worker *)(uintptr_t)int_value(address);
}

static inline struct seat *seat_at(borrowed address)
{
    return seat_of(worker_at(address));
}

/* Runs the only worker of the carrier, step after step. As `host`. */
int hosted_run_thread(struct carrier *c);

/* Makes each seat's address. 0; -1: MemoryError. To be undone in both cases. */
int hosted_make_addresses(struct carrier *c);
void hosted_drop_addresses(struct carrier *c);

/* Runs the carrier's workers as tasks of a loop, until all have ended. As `host`. */
int hosted_run_tasks(struct carrier *c);

/* Beforehand, if something is to be set up that needs the loop, or taken down after it. */
struct hosted_around {
    int (*open)(struct carrier *c, borrowed loop); /* 0 or -1; `close` is called all the same */
    void (*close)(struct carrier *c);
};
int hosted_run_tasks_with(struct carrier *c, const struct hosted_around *around);

/* Has `function` called with the worker: at once where tasks compute themselves, by a thread of
 * the pool in hybrid, and w->thread is who calls. What TURN_FROM wants: a future, done when the
 * call has returned; that is None. NULL: what the function raised, MemoryError. It must touch
 * nothing that other workers touch, for it may run beside them; and what leads to what it uses and is
 * left to the collector (cycles.c) is found by the thread that was called: that must be published. */
struct object *unit_compute(struct worker *w, int (*function)(struct worker *w));

#endif
