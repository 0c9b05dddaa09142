/* turn.c - WRONG: an exception in a callback ends the loop.
 *
 * The loop has a thousand other things to do, and none of them has done wrong.
 *
 * Score: 40
 * Says: "test_an_exception_in_a_callback_goes_to_the_hook_and_the_rest_runs" did not pass
 * Caught by: coroutines/tests/test_loop (debug)
 * The rest: as in the solution
 */

static SLOW_PATH int tell_failure(struct loop_object *loop, borrowed source)
{
    loop_tell(&loop->head, "Exception in callback", exception_pending(), source);
    return -1;
}
