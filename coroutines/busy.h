/* busy.h - how long to wait before another look at what nobody tells of.
 *
 * A Unix socket whose queue is full, of connections or of messages, makes who connects or sends to
 * its address wait. Linux says to nobody when there is room again; poll calls such a sender ready
 * all the while. So one looks again and again: soon at first, for the peer is likely about to make
 * room, and less and less often.
 */
#ifndef COROUTINES_BUSY_H
#define COROUTINES_BUSY_H

#include "gil/mutex.h"

enum { BUSY_FIRST_NS = 1 * NS_PER_MS, BUSY_MOST_NS = 64 * NS_PER_MS };

/* The wait after one of `before_ns`; 0: there was none. */
static inline int64_t busy_delay_ns(int64_t before_ns)
{
    if (before_ns == 0)
        return BUSY_FIRST_NS;
    return before_ns < BUSY_MOST_NS ? 2 * before_ns : BUSY_MOST_NS;
}

#endif
