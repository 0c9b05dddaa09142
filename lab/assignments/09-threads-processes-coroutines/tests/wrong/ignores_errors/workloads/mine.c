/* mine.c - WRONG: whether it could compute is not asked.
 *
 * Memory runs out, the loop ends early with an exception that nobody takes, and the operation
 * counts.
 *
 * Score: 0
 * Says: test_no_memory_is_said_and_leaves_nothing
 * Caught by: tests/test_mine (debug)
 * The rest: as in the solution
 */

static int step(struct worker *w)
{
    const struct state *s = w->job->state;
    uint64_t start_ns = clock_ns();

    compute(w);
    if (wait_its_share(s->wait_ns) < 0)
        return -1;
    count(w, start_ns);
    return 0;
}
