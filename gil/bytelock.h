/* bytelock.h - a lock of one byte, small enough to stand in every object.
 *
 * Two bits: LOCKED, and PARKED: somebody waits in the parking lot (lot.h), so whoever
 * unlocks must go there. A lock that nobody wants costs one compare-and-swap, and one
 * more to give back.
 *
 * Who comes while it is free takes it, even before one who has just been woken to take it:
 * so a lock is not idle while threads are on their way. But who has waited for a millisecond
 * is handed it, locked, so nobody waits for ever.
 *
 * Source: WebKit's WTF::Lock (F. Pizlo, "Locking in WebKit", 2016), and CPython's PyMutex
 * after it (PEP 703, Python/lock.c).
 */
#ifndef GIL_BYTELOCK_H
#define GIL_BYTELOCK_H

#include "gil/attributes.h"

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

struct lot_waiter;

enum { BYTELOCK_LOCKED = 1, BYTELOCK_PARKED = 2 };

struct bytelock {
    _Atomic uint8_t bits; /* atomic; 0: free, and nobody waits */
};

static inline void bytelock_init(struct bytelock *lock)
{
    atomic_init(&lock->bits, 0);
}

/* False: somebody holds it, or waits for it. Acquires what the last holder released. */
static inline bool bytelock_try(struct bytelock *lock)
{
    uint8_t bits = 0;

    return atomic_compare_exchange_strong_explicit(&lock->bits, &bits, BYTELOCK_LOCKED,
                                                   memory_order_acquire, memory_order_relaxed);
}

/* Tries for a short while. False: somebody holds it. */
SLOW_PATH bool bytelock_spin(struct bytelock *lock);

/* Waits in the lot, if somebody holds it. True: it has been handed to the caller, and
 * w->thread, if there is one, has been attached (thread_attach_other). False: it may be
 * free by now. */
SLOW_PATH bool bytelock_wait(struct bytelock *lock, struct lot_waiter *w);

SLOW_PATH void bytelock_lock_slow(struct bytelock *lock);
SLOW_PATH void bytelock_unlock_slow(struct bytelock *lock);

/* Waits as the caller is, attached or not: no safe point. For locks that are held for a few
 * instructions. */
static inline void bytelock_lock(struct bytelock *lock)
{
    if (unlikely(!bytelock_try(lock)))
        bytelock_lock_slow(lock);
}

static inline void bytelock_unlock(struct bytelock *lock)
{
    uint8_t bits = BYTELOCK_LOCKED;

    if (unlikely(!atomic_compare_exchange_strong_explicit(
            &lock->bits, &bits, 0, memory_order_release, memory_order_relaxed)))
        bytelock_unlock_slow(lock);
}

#endif
