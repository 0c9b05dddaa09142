/* turn.c - WRONG: it polls, and does not wait.
 *
 * All comes in time, and one processor is busy with nothing. On a machine with a battery it is
 * felt in the hand.
 *
 * Score: 25
 * Says: "test_a_loop_that_waits_for_a_timer_sleeps" did not pass
 * Caught by: tests/test_turns (debug)
 * The rest: as in the solution
 */

static uint64_t poll_until_ns(struct loop_object *loop)
{
    if (loop->ready.count || loop->stopping || loop->letters || !inbox_sleep(&loop->inbox))
        return REACTOR_AT_ONCE;
    return loop->timers.count ? REACTOR_AT_ONCE : REACTOR_FOREVER;
}
