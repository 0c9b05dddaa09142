/* inbox_sleeps_blindly.c - inbox.c, but who goes to sleep looks first and then says so.
 *
 * The fault: between the two, where a loop asks how long it may sleep, a letter may come.
 * Its sender sees a reader that is awake and wakes nobody, and the word that says ASLEEP takes the
 * letter's place. An armed flag beside the list, set after the look, loses the wake-up alone.
 *
 * Instead of: coroutines/inbox.c
 * Under: atomic
 * Caught by: coroutines/tests/test_inbox (debug asan tsan)
 */
#define inbox_sleep right_inbox_sleep
#include "coroutines/inbox.c"
#undef inbox_sleep

#include <sched.h>

bool inbox_sleep(struct inbox *b);

bool inbox_sleep(struct inbox *b)
{
    if (atomic_load_explicit(&b->head, memory_order_relaxed))
        return false;
    sched_yield(); /* so that it shows on a machine that is busy, too */
    atomic_store_explicit(&b->head, &inbox_asleep, memory_order_relaxed);
    return true;
}
