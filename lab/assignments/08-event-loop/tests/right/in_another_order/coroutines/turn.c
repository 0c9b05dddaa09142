/* turn.c - the same turn, put otherwise.
 *
 * What is to be called is counted as it becomes ready, and not by what is in the ring; the room
 * for a timer is asked for when its turn has come.
 *
 * Score: 100
 * The rest: as in the solution
 */

/* As CPython does it: all of them if there are many, else those that stand in the way. */
static void forget_cancelled(struct loop_object *loop)
{
    const size_t live = loop->timers.count - loop->cancelled_timers;
    struct timer *first;

    if (loop->timers.count > TIMERS_SWEPT && loop->cancelled_timers > live) {
        timers_sweep(&loop->timers, is_cancelled);
        loop->cancelled_timers = 0;
    }
    while ((first = timers_first(&loop->timers)) && handle_of(first)->cancelled) {
        loop->cancelled_timers--;
        is_cancelled(timers_pop(&loop->timers));
    }
}

static uint64_t poll_until_ns(struct loop_object *loop)
{
    const struct timer *first = timers_first(&loop->timers);
    bool idle = !loop->ready.count && !loop->letters && !loop->stopping;

    if (!idle || !inbox_sleep(&loop->inbox))
        return REACTOR_AT_ONCE;
    return first ? first->when_ns : REACTOR_FOREVER;
}

/* The heap's reference to the handle is the ring's from here on. */
static void make_ready(struct loop_object *loop, struct handle_object *h, uint64_t now_ns)
{
    lag_late(loop->lag, now_ns - h->timer.when_ns);
    if (h->cancelled)
        loop->cancelled_timers--;
    h->cancelled_timers = NULL;
    ready_push(&loop->ready, (struct callback){ handle_act, &h->head, NULL });
}

/* How many were due, and had room. */
static size_t take_due(struct loop_object *loop, uint64_t now_ns)
{
    size_t taken = 0;

    for (; timers_due(&loop->timers, now_ns) && ready_reserve(&loop->ready) == 0; taken++)
        make_ready(loop, handle_of(timers_pop(&loop->timers)), now_ns);
    exception_restore(NULL); /* what has no room comes in the next turn */
    return taken;
}

static SLOW_PATH int tell_failure(struct loop_object *loop, borrowed source)
{
    bool ends = exception_matches(&keyboard_interrupt) || exception_matches(&system_exit);

    if (!ends) {
        struct object *e = exception_take();

        loop_tell(&loop->head, "Exception in callback", e, source);
        decref(e);
    }
    return ends ? -1 : 0;
}

HOT_PATH int turn_run(struct loop_object *loop)
{
    uint64_t now_ns, until_ns;
    int result;

    forget_cancelled(loop);
    until_ns = poll_until_ns(loop);
    if (unlikely(loop->ends_idle))
        until_ns = poll_unless_idle(loop, until_ns);
    if (poll_files(loop, until_ns) < 0)
        return -1;
    now_ns = clock_ns();
    lag_turn_begins(loop->lag, now_ns);
    if (unlikely(loop_interrupts(&loop->head) != loop->interrupts_seen) && be_interrupted(loop) < 0)
        return -1;
    loop->calls.behind = loop->ready.count - loop->calls.before;
    loop->calls.behind += take_due(loop, now_ns);
    if (calls_left(&loop->calls))
        loop->idle = false;
    result = call_all(loop);
    lag_turn_ends(loop->lag, clock_ns());
    return result;
}
