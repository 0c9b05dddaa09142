/* mine.c - WRONG: what is thrown into the task is not looked at.
 *
 * Whoever cancels it, or closes its loop, raises an exception where it waits. It goes on as if its
 * time had come, and counts what it has not done.
 *
 * Score: 35
 * Says: test_a_task_that_is_cancelled_gives_up
 * Caught by: tests/test_mine (debug)
 * The rest: as in the solution
 */

static enum turn go_on(struct frame *f, struct worker *w, struct object **result)
{
    const struct state *s = w->job->state;
    struct times *t = frame_locals(f);

    switch (f->at++) {
    case BEGINS:
        t->start_ns = clock_ns();
        *result = unit_compute(w, compute);
        return *result ? TURN_FROM : TURN_ERROR;
    case COMPUTES:
        t->wait_start_ns = clock_ns();
        if (s->wait_ns) {
            *result = async_io_sleep(loop_running(), s->wait_ns);
            return *result ? TURN_FROM : TURN_ERROR;
        }
        break;
    default: /* WAITS */
        break;
    }
    count(w, t->start_ns);
    return frame_return(result);
}

static enum turn await(struct frame *f, enum resume how, borrowed argument, struct object **result)
{
    (void)how, (void)argument;
    return go_on(f, worker_at(f->reference[0]), result);
}
