/* trace.h - what happened at a lock, moment by moment: a ring for each thread.
 *
 * A ring has a fixed number of places. When it is full the oldest moment makes room for
 * the newest: then all rings end together, at the end of what was looked at, and what led
 * to a thing that went wrong is what is kept. Nor does the price change when a ring is
 * full: one that stopped to write would make the thread faster from there on. What was
 * dropped is counted, as far as it lay in the window that somebody wants to see.
 *
 * The clock is the kernel's monotonic one. A bare time-stamp counter is read some 15 ns
 * sooner, but must be calibrated, may differ between sockets and stands still on some
 * virtual machines; and what is recorded here is a switch of threads or a call that
 * blocks, of microseconds.
 *
 * One thread writes; others read when it has ended.
 */
#ifndef GIL_TRACE_H
#define GIL_TRACE_H

#include "gil/stats.h"

#include <stddef.h>
#include <stdint.h>

enum moment_kind {
    MOMENT_ATTACH,   /* it wants the lock: waits from here */
    MOMENT_YIELD,    /* asked to, it lets go at a safe point: waits from here */
    MOMENT_GOT,      /* it has the lock: runs from here */
    MOMENT_DETACH,   /* it lets go: waits until that is done */
    MOMENT_RELEASED, /* and that is done: detached from here */
    MOMENT_REQUEST,  /* it asked another to let go: `whom` */
    MOMENT_KINDS
};

struct moment {
    uint64_t ns;
    uint32_t kind, whom; /* whom: the number of a thread, in watch.h */
};

struct trace_ring {
    struct moment *place; /* owned: `places` of them, a power of two */
    size_t places;
    uint64_t written;     /* moments, ever */
    uint64_t dropped;     /* of those that were overwritten: moments in the window */
};

/* Room for at least `places` moments, of which every page is there. 0, or -1 and ENOMEM. */
int trace_ring_init(struct trace_ring *r, size_t places);
void trace_ring_fini(struct trace_ring *r);

/* The window is the one that is known now: an old moment counts as dropped if it began in
 * it. */
void trace_ring_write(struct trace_ring *r, const struct gil_window *w, struct moment m);

/* How many moments are kept, and the oldest but `i` of them. */
size_t trace_ring_count(const struct trace_ring *r);
const struct moment *trace_ring_at(const struct trace_ring *r, size_t i);

#endif
