/* stats.h - where a thread's time goes, as its global lock sees it.
 *
 * A thread holds the lock, waits for it, or needs none of it: there is nothing else that
 * it could do with a lock. So three times, which add up to the window that is looked at,
 * say how it fared; and counts say how it lost the lock:
 *
 *   forced     at a safe point it was asked to let go, and another thread got the lock
 *   in vain    it let go likewise, and had the lock again before anybody else
 *   voluntary  it detached: for a call that blocks, for a stopped world, or to leave
 *   requests   how often others asked it to let go, heard or not
 *
 * What is here is the arithmetic alone: gil/watch.h has the clock and the points at which
 * it is called. Times are of one clock, in ns. No function here may be called by two
 * threads for the same struct.
 */
#ifndef GIL_STATS_H
#define GIL_STATS_H

#include "gil/histogram.h"

#include <stdint.h>

/* What a thread does with the lock. ABSENT: it has not come yet, or has left. */
enum gil_stand { GIL_ABSENT, GIL_HELD, GIL_WAITING, GIL_FREE, GIL_STANDS };

/* From the first moment on, until before the second; nothing else is counted. */
struct gil_window {
    uint64_t from_ns, to_ns;
};

struct gil_stats {
    uint64_t spent_ns[GIL_STANDS]; /* in the window; of ABSENT none */
    uint64_t forced, in_vain, voluntary, requests;
    struct histogram waits; /* those that reach into the window, each as long as it was: who
                               gets the lock only after the end has waited, too */
};

static inline int gil_window_has(const struct gil_window *w, uint64_t now_ns)
{
    return now_ns >= w->from_ns && now_ns < w->to_ns;
}

/* It stood so from the one moment to the other, of which what lies in the window counts. */
void gil_stats_stood(struct gil_stats *s, const struct gil_window *w, enum gil_stand stand,
                     uint64_t from_ns, uint64_t to_ns);

/* It waited for the lock from the one moment to the other, and got it. */
void gil_stats_waited(struct gil_stats *s, const struct gil_window *w, uint64_t from_ns,
                      uint64_t to_ns);

/* What `more` has counted, too. */
void gil_stats_add(struct gil_stats *s, const struct gil_stats *more);

#endif
