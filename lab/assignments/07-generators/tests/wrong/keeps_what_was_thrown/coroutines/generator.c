/* generator.c - WRONG: whoever is thrown at keeps the exception.
 *
 * generator_throw takes its caller's reference, also on failure; what is raised takes one of its own. One
 * that nobody drops is left over each time.
 *
 * Score: 15
 * Says: "test_throw_into_a_new_one_runs_nothing_and_closes_it" did not pass
 * Caught by: coroutines/tests/test_generator (debug)
 * The rest: as in the solution
 */
enum step generator_throw(struct object *o, struct object *exception, struct object **result)
{
    struct drive d = { .root = as_generator(o), .how = RESUME_THROW, .argument = exception,
                       .throws = true };
    uint8_t stage;

    if (unlikely(!exception_check(exception))) {
        decref(exception);
        return STEP_ERROR;
    }
    if (!begin(&d, &stage))
        return throw_in_vain(d.root, stage, exception);
    return drive_throw(&d, stage, result);
}
