/* mine.c - WRONG: what a task has waited for is counted by nobody.
 *
 * An operation without a wait is counted. One that waits comes back by another turn, which returns:
 * all the work is done, and none of it is there.
 *
 * Score: 0
 * Says: test_an_operation_of_a_task_is_counted_once
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
        return check_wait(t->wait_start_ns, s->wait_ns) < 0 ? TURN_ERROR : frame_return(result);
    }
    count(w, t->start_ns);
    return frame_return(result);
}
