/* mine.c - WRONG: it waits besides, not instead.
 *
 * An operation of a millisecond of which a half waits computes for a whole one here, and takes one
 * and a half. The picture has a crossover, elsewhere than it is.
 *
 * Score: 0
 * Says: test_an_operation_computes_its_share
 * Caught by: tests/test_mine (debug)
 * The rest: as in the solution
 */

static int setup(struct job *job)
{
    struct state *s = job_state_new(job, sizeof *s);
    int64_t operation_ns = job->param[OPERATION_US] * NS_PER_US;

    if (!s)
        return -1;
    s->wait_ns = operation_ns * job->param[WAITS_PERCENT] / 100;
    return countdown_loops_in(operation_ns, &s->loops);
}
