/* generator.c - WRONG: GeneratorExit is thrown at the leaf and goes up as any other exception.
 *
 * PEP 380 has what is delegated to closed, and then raises GeneratorExit in the delegator, whatever
 * that was answered with. Here a sub that returns when it is closed makes its delegator go on.
 *
 * Score: 35
 * Says: "test_generator_exit_thrown_closes_a_sub_that_returns" did not pass
 * Caught by: coroutines/tests/test_yield_from (debug)
 * The rest: as in the solution
 */
static enum step drive_throw(struct drive *d, uint8_t stage, struct object **result)
{
    if (stage == CREATED) {
        exception_restore(incref(d->argument));
        return end_root(d, TURN_ERROR);
    }
    (void)throw_exit;
    if (stage == DELEGATING)
        go_to_leaf(d);
    return go_on(d, resume(d, result), result);
}
