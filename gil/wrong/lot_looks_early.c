/* lot_looks_early.c - a wrong parking lot: the waiter looks before the queue is locked.
 *
 * Who wakes in between finds nobody, and the waiter waits for ever.
 *
 * Instead of: gil/lot.c
 * Caught by: gil/tests/test_lot (debug asan tsan).
 */
#define lot_wait wait_in_queue
#include "gil/lot.c"
#undef lot_wait

enum lot_end lot_wait(void *address, bool (*fit)(void *address), struct lot_waiter *w);

static bool yes(void *address)
{
    (void)address;
    return true;
}

enum lot_end lot_wait(void *address, bool (*fit)(void *address), struct lot_waiter *w)
{
    return fit(address) ? wait_in_queue(address, yes, w) : LOT_UNFIT;
}
