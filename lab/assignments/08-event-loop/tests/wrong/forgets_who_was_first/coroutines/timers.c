/* timers.c - WRONG: of equal deadlines any one is the first.
 *
 * A heap is not stable. Two things that were to happen at the same time happen in one order
 * today and in the other when a third one has been set.
 *
 * Score: 0
 * Says: "test_come_in_order_and_equal_ones_first_in_first_out" did not pass
 * Caught by: coroutines/tests/test_timers (debug)
 * The rest: as in the solution
 */

static bool earlier(const struct timer_entry *a, const struct timer_entry *b)
{
    return a->when_ns < b->when_ns;
}
