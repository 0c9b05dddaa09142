/* generator.c - WRONG: what is thrown at a generator that has not begun is given to its body.
 *
 * There is no `yield` yet at which it could be raised. The body begins with an exception in its
 * hands, and what stands before its first `yield` is run.
 *
 * Score: 15
 * Says: "test_throw_into_a_new_one_runs_nothing_and_closes_it" did not pass
 * Caught by: coroutines/tests/test_generator (debug)
 * The rest: as in the solution
 */
static enum step drive_throw(struct drive *d, uint8_t stage, struct object **result)
{
    enum step step;

    if (stage == DELEGATING && exception_is(d->argument, &generator_exit))
        throw_exit(d);
    else if (stage == DELEGATING)
        go_to_leaf(d);
    step = go_on(d, resume(d, result), result);
    xdecref(d->exit_below);
    return step;
}
