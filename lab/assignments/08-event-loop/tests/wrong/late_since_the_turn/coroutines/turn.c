/* turn.c - WRONG: a timer is late from when the turn began.
 *
 * The books then say that every timer was in time, whoever kept the loop: it is asked how late
 * it was when it had already been waited for.
 *
 * Score: 25
 * Says: "test_how_late_a_timer_is_is_counted_from_its_deadline" did not pass
 * Caught by: tests/test_turns (debug)
 * The rest: as in the solution
 */

/* The heap's reference to the handle is the ring's from here on. */
static void take_due(struct loop_object *loop, uint64_t now_ns)
{
    while (timers_due(&loop->timers, now_ns)) {
        struct handle_object *h;

        if (ready_reserve(&loop->ready) < 0) {
            exception_restore(NULL);
            return;
        }
        h = handle_of(timers_pop(&loop->timers));
        loop->cancelled_timers -= h->cancelled;
        h->cancelled_timers = NULL;
        lag_late(loop->lag, clock_ns() - now_ns);
        ready_push(&loop->ready, (struct callback){ handle_act, &h->head, NULL });
    }
}
