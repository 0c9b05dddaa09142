/* generator.c - WRONG: a generator that yields when it is closed has been closed, it is said.
 *
 * It has swallowed GeneratorExit, stands at another `yield`, and keeps all that it has. Whoever closed
 * it believes that its files are closed.
 *
 * Score: 25
 * Says: "test_yielding_in_close_is_an_error_and_it_stays_usable" did not pass
 * Caught by: coroutines/tests/test_generator (debug)
 * The rest: as in the solution
 */
static int judge_exit(const struct generator *g, enum step step, struct object **result)
{
    (void)g;
    if (step == STEP_ERROR) {
        if (!exception_matches(&generator_exit))
            return -1;
        exception_restore(NULL);
        *result = none();
    }
    return 0;
}
