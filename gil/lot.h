/* lot.h - a parking lot: threads wait at an address, in the order in which they came.
 *
 * A lock in every object has no room for a queue of its own. So the queues stand here, in
 * a few buckets that addresses hash to, and the lock need only say with a bit that somebody
 * waits. What stands at the address is not looked at but by the caller's functions, which
 * run while the bucket is locked: between the waiter's last look and its place in the
 * queue nobody can wake, so no wake-up is lost.
 *
 * (Objects that are kept instead of freed are said to be parked, too: that is audit.h.)
 *
 * Source: F. Pizlo, "Locking in WebKit", 2016; as in CPython's Python/parking_lot.c.
 */
#ifndef GIL_LOT_H
#define GIL_LOT_H

#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>

struct thread;

/* How a wait ended. */
enum lot_end {
    LOT_WAITS, /* it has not */
    LOT_UNFIT, /* there was nothing to wait for */
    LOT_WOKEN,
    LOT_GIVEN, /* and what it waited for is its own now */
};

/* One who waits; stands on its stack. */
struct lot_waiter {
    struct thread *thread;   /* set once: who waits detached; NULL: somebody, as it is */
    uint64_t since_ns;       /* set once: of clock_ns, when it began to want this */
    void *address;           /* the bucket's lock; so are those below */
    enum lot_end end;
    pthread_cond_t woken;
    struct lot_waiter *next; /* who came later to the same bucket */
};

/* Waits at `address` until woken, if `fit` says that there is a reason. `w` has its thread
 * and its time. LOT_UNFIT, LOT_WOKEN or LOT_GIVEN. What was written before the wake is
 * visible. */
enum lot_end lot_wait(void *address, bool (*fit)(void *address), struct lot_waiter *w);

/* Wakes the one who came first to `address`. `decide` says how its wait ends: LOT_WOKEN or
 * LOT_GIVEN. It is called in any case, with NULL if nobody waits, and with whether there are
 * `more` who do; it must not wait. */
void lot_wake(void *address,
              enum lot_end (*decide)(void *address, const struct lot_waiter *first, bool more));

/* At which address a thread waits now, detached; NULL: at none. For who looks for deadlocks:
 * what the thread wrote before it waited is visible. */
void *lot_where(const struct thread *t);

/* For gil/fork.c: takes every bucket, and lets go of them; in the child nobody waits. */
void lot_before_fork(void);
void lot_after_fork(bool in_child);

#endif
