/* bytelock.c - waiting for a byte. */
#include "gil/bytelock.h"

#include <sched.h>

void bytelock_lock_slow(struct bytelock *lock)
{
    while (!bytelock_try(lock))
        sched_yield();
}

void bytelock_unlock_slow(struct bytelock *lock)
{
    atomic_store_explicit(&lock->bits, 0, memory_order_release);
}
