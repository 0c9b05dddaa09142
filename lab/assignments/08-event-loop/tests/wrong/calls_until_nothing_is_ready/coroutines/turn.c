/* turn.c - WRONG: a turn ends when nothing is ready any more.
 *
 * It saves polls, and is faster in every benchmark. One callback that calls itself again is
 * enough, and no timer, no file and no other thread is heard any more.
 *
 * Score: 25
 * Says: calls of another before it is called: 500
 * Caught by: tests/test_turns (debug)
 * The rest: as in the solution
 */

static HOT_PATH int call_all(struct loop_object *loop)
{
    struct calls *calls = &loop->calls;
    size_t left;

    while ((left = calls_left(calls)) || (calls->behind = left = loop->ready.count)) {
        size_t count = unlikely(loop->debug) ? 1 : lag_group(loop->lag, left);
        int result = call_group(loop, count);

        lag_called(loop->lag, count);
        if (unlikely(loop->debug))
            tell_slow(loop);
        if (unlikely(result < 0))
            return -1;
    }
    return 0;
}
