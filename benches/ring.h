/* ring.h - one job for every unit of execution: units in a ring pass a token on.
 *
 * A worker and its units make a ring: the worker gives the token, an int, to the first unit, each
 * unit makes one that is greater by one and gives that to the next, and the last gives it back.
 * So what differs between the workloads ring_* is the unit alone, and how one hands over to the
 * next:
 *
 *   ring_generator   stackless; the worker resumes each and takes what it yields
 *   ring_stackful    the same, but each has a stack of its own
 *   ring_task        a stackless coroutine that an event loop drives; it awaits a future, and sets
 *                    the next one's
 *   ring_greenlet    a stack of its own; it switches to the next
 *   ring_thread      of the operating system; it blocks, and wakes the next
 *
 * The unit that is counted is the hand-over, of which a lap has one for each unit, and one more.
 */
#ifndef BENCHES_RING_H
#define BENCHES_RING_H

#include "benches/workload.h"
#include "objects/exception.h"
#include "objects/int.h"

#include <inttypes.h>

/* The first parameter of each. With a sanitizer it takes milliseconds to make a stack or a
 * thread. */
enum { RING_UNITS };
enum { RING_UNITS_STANDARD = SANITIZED ? 3 : 16, RING_UNITS_MOST = 100000 };
#define RING_ABOUT "in the ring of each thread, which is one more"

/* What a unit does. NULL: MemoryError. */
static inline struct object *ring_turn(struct object *token /* steals */)
{
    int64_t value = int_value(token);

    decref(token);
    return int_new(value + 1);
}

/* What came back of 0: counts the lap. 0, or -1 with an exception pending. */
static inline int ring_end_lap(struct worker *w,
                               struct object *token /* steals; NULL: an exception is pending */)
{
    int64_t units = w->job->param[RING_UNITS];
    bool right = token && int_value(token) == units;

    if (token && !right)
        exception_set(&runtime_error, "the token of %" PRId64 " units is %" PRId64, units,
                      int_value(token));
    xdecref(token);
    if (right)
        worker_count(w, (uint64_t)units + 1);
    safepoint(w->thread);
    return right ? 0 : -1;
}

#endif
