/* generator.c - WRONG: what a generator returns does not come out of the `yield from`.
 *
 * As if it were a loop that yields one value after the other: x = yield from g, and x is
 * None.
 *
 * Score: 35
 * Says: "test_next_is_passed_on" did not pass
 * Caught by: coroutines/tests/test_yield_from (debug)
 * The rest: as in the solution
 */
static void end_below(struct drive *d, enum turn turn, struct object *returned /* steals */)
{
    struct generator *g = d->at;

    end(g, turn);
    enter(d, g->parent);
    if (d->closing == g) {
        carry_exit(d, turn, returned);
    } else if (turn == TURN_RETURN) {
        decref(returned);
        carry(d, RESUME_SEND, none());
    } else {
        carry(d, RESUME_THROW, exception_take());
    }
    set_stage(g, CLOSED);
    drop_references(g);
    decref(take_from(d));
}
