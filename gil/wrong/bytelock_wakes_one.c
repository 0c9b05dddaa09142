/* bytelock_wakes_one.c - a wrong lock: who wakes one waiter forgets the others.
 *
 * The bit that somebody waits is cleared with the first wake-up, so nobody who unlocks later
 * looks for the second.
 *
 * Instead of: gil/bytelock.c
 * Caught by: gil/tests/test_bytelock (debug asan tsan).
 */
#include "gil/lot.h"

typedef enum lot_end (*decision)(void *address, const struct lot_waiter *first, bool more);

static decision right_decision;

static enum lot_end forget_the_others(void *address, const struct lot_waiter *first, bool more)
{
    (void)more;
    return right_decision(address, first, false);
}

static void wake_one(void *address, decision decide)
{
    right_decision = decide; /* always the same one */
    lot_wake(address, forget_the_others);
}

#define lot_wake wake_one
#include "gil/bytelock.c"
