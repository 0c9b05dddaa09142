/* generator.c - WRONG: what was thrown becomes what is pending, without a reference for that.
 *
 * The caller drops his own, and so does whoever catches: one too few. What is told is what
 * happens to be in the freed memory's way.
 *
 * Score: 0
 * Says: "test_a_value_sent_to_a_new_one_is_refused_and_it_stays_new" did not pass
 * Caught by: coroutines/tests/test_generator (debug)
 * The rest: as in the solution
 */
static enum step drive_throw(struct drive *d, uint8_t stage, struct object **result)
{
    enum step step;

    if (stage == CREATED) {
        exception_restore((struct object *)d->argument);
        return end_root(d, TURN_ERROR);
    }
    if (stage == DELEGATING && exception_is(d->argument, &generator_exit))
        throw_exit(d);
    else if (stage == DELEGATING)
        go_to_leaf(d);
    step = go_on(d, resume(d, result), result);
    xdecref(d->exit_below);
    return step;
}
