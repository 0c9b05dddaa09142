/* turn.c - WRONG: a handle that goes into the ring is counted once more.
 *
 * The heap had a reference, which nobody drops: it was the ring's from then on. Each timer that
 * fires leaves its handle behind for ever, and no test of what is called, and when, sees it.
 *
 * Score: 25
 * Says: blocks are left over
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
        lag_late(loop->lag, now_ns - h->timer.when_ns);
        ready_push(&loop->ready, callback_of(handle_act, &h->head, NULL));
    }
}
