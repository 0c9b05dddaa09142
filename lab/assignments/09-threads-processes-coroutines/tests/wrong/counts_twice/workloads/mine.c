/* mine.c - WRONG: a task counts when it has computed, and again when it has waited.
 *
 * Twice as many operations a second as threads have: coroutines seem to win everywhere.
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
        count(w, t->start_ns);
        if (s->wait_ns) {
            *result = async_io_sleep(loop_running(), s->wait_ns);
            return *result ? TURN_FROM : TURN_ERROR;
        }
        break;
    default: /* WAITS */
        if (check_wait(t->wait_start_ns, s->wait_ns) < 0)
            return TURN_ERROR;
    }
    count(w, t->start_ns);
    return frame_return(result);
}
