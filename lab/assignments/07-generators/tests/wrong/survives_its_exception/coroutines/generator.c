/* generator.c - WRONG: only one that has returned is closed.
 *
 * A body that has raised is resumed again, where it was not left, in a frame that holds
 * nothing any more.
 *
 * Score: 0
 * Says: "test_stop_iteration_of_a_next_inside_becomes_runtime_error" did not pass
 * Caught by: coroutines/tests/test_generator (debug)
 * The rest: as in the solution
 */
static enum step end_root(struct drive *d, enum turn turn)
{
    struct generator *g = d->root;

    end(g, turn);
    if (!g->dying)
        drop_references(g);
    if (turn != TURN_RETURN) {
        set_stage(g, SUSPENDED);
        return STEP_ERROR;
    }
    set_stage(g, CLOSED);
    return STEP_RETURN;
}
