/* timers_forget_order.c - timers.c, but of equal deadlines any one is the first.
 *
 * Instead of: coroutines/timers.c
 * Under: plain
 * Caught by: coroutines/tests/test_timers (debug asan tsan)
 */
#define timers_add right_timers_add
#include "coroutines/timers.c"
#undef timers_add

int timers_add(struct timers *t, struct timer *timer);

int timers_add(struct timers *t, struct timer *timer)
{
    int result = right_timers_add(t, timer);

    timer->sequence = 0;
    return result;
}
