/* generator.c - WRONG: one that delegates no more still holds what it delegated to.
 *
 * Nothing is wrong with what it yields. Each `yield from` leaves a generator behind that nobody
 * will drop.
 *
 * Score: 35
 * Says: "test_close_is_passed_on_from_within_to_without" did not pass
 * Caught by: coroutines/tests/test_yield_from (debug)
 * The rest: as in the solution
 */
static void end_below(struct drive *d, enum turn turn, struct object *returned /* steals */)
{
    struct generator *g = d->at;

    end(g, turn);
    enter(d, g->parent);
    if (d->closing == g)
        carry_exit(d, turn, returned);
    else if (turn == TURN_RETURN)
        carry(d, RESUME_SEND, returned);
    else
        carry(d, RESUME_THROW, exception_take());
    set_stage(g, CLOSED);
    drop_references(g);
    take_from(d);
}
