/* queue_loses_wake.c - queue.c, but who was woken and cannot go on wakes nobody.
 *
 * The fault: each one that is cancelled is taken for one that was not woken yet. What it was woken
 * for stays in the queue, and the next in line waits on beside it.
 *
 * Instead of: coroutines/queue.c
 * Under: plain
 * Caught by: coroutines/tests/test_queue (debug asan tsan)
 */
#include "coroutines/future.h"

#define future_state(waiter) FUTURE_PENDING
#include "coroutines/queue.c"
