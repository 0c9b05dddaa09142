/* turn.c - WRONG: it waits for whole milliseconds, rounded down.
 *
 * As poll() and epoll_wait() take them. Of 2.9 ms it sleeps 2; through the last 0.9 it turns in
 * circles, for what is due is not due yet. asyncio has had this fault; it rounds up.
 *
 * Score: 25..40
 * Says: did not pass
 * Caught by: tests/test_turns (debug)
 * The rest: as in the solution
 */

/* So many whole milliseconds from now. */
static uint64_t in_milliseconds(uint64_t when_ns)
{
    uint64_t now_ns = clock_ns();

    return when_ns < now_ns + NS_PER_MS ? REACTOR_AT_ONCE
                                        : when_ns - (when_ns - now_ns) % NS_PER_MS;
}

static uint64_t poll_until_ns(struct loop_object *loop)
{
    if (loop->ready.count || loop->stopping || loop->letters || !inbox_sleep(&loop->inbox))
        return REACTOR_AT_ONCE;
    return loop->timers.count ? in_milliseconds(timers_first(&loop->timers)->when_ns)
                              : REACTOR_FOREVER;
}
