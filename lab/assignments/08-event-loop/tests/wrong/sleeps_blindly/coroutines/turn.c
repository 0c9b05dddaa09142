/* turn.c - WRONG: it looks for letters, and then goes to sleep.
 *
 * Between the two a letter may come. Who sends it takes the loop for one that is awake, and
 * wakes nobody; it lies there until something else happens.
 *
 * Score: 40
 * Says: "test_call_soon_threadsafe_wakes_a_blocked_loop" did not pass
 * Caught by: coroutines/tests/test_loop (debug)
 * The rest: as in the solution
 */

static uint64_t poll_until_ns(struct loop_object *loop)
{
    if (loop->ready.count || loop->stopping || loop->letters || inbox_look(&loop->inbox))
        return REACTOR_AT_ONCE;
    return loop->timers.count ? timers_first(&loop->timers)->when_ns : REACTOR_FOREVER;
}
