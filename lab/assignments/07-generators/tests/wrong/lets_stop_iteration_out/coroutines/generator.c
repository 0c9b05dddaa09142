/* generator.c - WRONG: a StopIteration that the body raises leaves the generator.
 *
 * Whoever loops over it takes that for the end. So a `next` of an empty iterator, deep inside, makes
 * a loop shorter, and nobody is told: what PEP 479 put an end to.
 *
 * Score: 0
 * Says: "test_stop_iteration_that_escapes_becomes_runtime_error" did not pass
 * Caught by: coroutines/tests/test_generator (debug)
 * The rest: as in the solution
 */
static enum step end_root(struct drive *d, enum turn turn)
{
    struct generator *g = d->root;

    end(g, TURN_RETURN);
    set_stage(g, CLOSED);
    if (!g->dying)
        drop_references(g);
    return turn == TURN_RETURN ? STEP_RETURN : STEP_ERROR;
}
