/* turn.c - WRONG: what is cancelled is forgotten when its time has come.
 *
 * It is not called, and so all seems well. A server that gives each request a minute, and
 * answers a thousand a second, holds sixty thousand of them.
 *
 * Score: 25
 * Says: "test_timers_that_are_cancelled_go" did not pass
 * Caught by: tests/test_turns (debug)
 * The rest: as in the solution
 */

/* As CPython does it: all of them if there are many, else those that stand in the way. */
static void forget_cancelled(struct loop_object *loop)
{
    struct timers *t = &loop->timers;

    while (timers_due(t, clock_ns()) && handle_of(timers_first(t))->cancelled) {
        is_cancelled(timers_pop(t));
        loop->cancelled_timers--;
    }
}
