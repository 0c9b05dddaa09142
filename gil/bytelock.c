/* bytelock.c - waiting for a byte.
 *
 *   1. Only its holder changes the bits from LOCKED | PARKED, and only with the bucket of
 *      the lot locked. So a waiter that sees them there is in the queue before the holder
 *      looks for one: no wake-up is lost.
 *   2. PARKED is set whenever somebody waits at the address while it is locked. It may also
 *      be set when nobody does: who unlocks then finds nobody.
 *   3. A lock that is handed over stays LOCKED in between: nobody can come first.
 */
#include "gil/bytelock.h"

#include "gil/lot.h"
#include "gil/mutex.h"
#include "gil/thread.h"

#include <sched.h>

enum {
    SPINS = 40, /* as WebKit found best, and CPython kept */
    FAIR_NS = NS_PER_MS,
};

/* The bits are loaded again each time. CPython's loop did not until 2026 (gh-135871), so it
 * spun in vain. Who sees others parked does not spin, for it would only come before them. */
bool bytelock_spin(struct bytelock *lock)
{
    for (int i = 0; i < SPINS; i++) {
        uint8_t bits = atomic_load_explicit(&lock->bits, memory_order_relaxed);

        if (bits & BYTELOCK_LOCKED) {
            if (bits & BYTELOCK_PARKED)
                return false;
            sched_yield();
        } else if (atomic_compare_exchange_strong_explicit(
                       &lock->bits, &bits, bits | BYTELOCK_LOCKED, memory_order_acquire,
                       memory_order_relaxed)) {
            return true;
        }
    }
    return false;
}

static bool is_parked(void *lock)
{
    return atomic_load_explicit(&((struct bytelock *)lock)->bits, memory_order_relaxed) ==
           (BYTELOCK_LOCKED | BYTELOCK_PARKED);
}

/* Relaxed: the bit says nothing of what the lock guards, and is looked at again where the
 * bucket's mutex orders it. */
bool bytelock_wait(struct bytelock *lock, struct lot_waiter *w)
{
    uint8_t bits = BYTELOCK_LOCKED;

    atomic_compare_exchange_strong_explicit(&lock->bits, &bits, BYTELOCK_LOCKED | BYTELOCK_PARKED,
                                            memory_order_relaxed, memory_order_relaxed);
    return lot_wait(lock, is_parked, w) == LOT_GIVEN;
}

void bytelock_lock_slow(struct bytelock *lock)
{
    struct lot_waiter w = { .since_ns = clock_ns() };

    while (!bytelock_spin(lock) && !bytelock_wait(lock, &w))
        ;
}

/* To a detached thread only if it can be attached on the spot: a thread that is stopped must
 * not hold a lock that the stopper may want. */
static bool can_give(const struct lot_waiter *w)
{
    return clock_ns() - w->since_ns >= FAIR_NS && (!w->thread || thread_attach_other(w->thread));
}

static enum lot_end pass_on(void *address, const struct lot_waiter *first, bool more)
{
    struct bytelock *lock = address;
    bool given = first && can_give(first);

    /* Release: who takes it without going to the lot sees what was done under it. */
    atomic_store_explicit(&lock->bits, (given ? BYTELOCK_LOCKED : 0) | (more ? BYTELOCK_PARKED : 0),
                          memory_order_release);
    return given ? LOT_GIVEN : LOT_WOKEN;
}

void bytelock_unlock_slow(struct bytelock *lock)
{
    lot_wake(lock, pass_on);
}
