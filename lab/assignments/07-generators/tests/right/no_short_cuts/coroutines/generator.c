/* generator.c - no step is short: each goes the way that serves all.
 *
 * It may take a few points of speed.
 *
 * Score: 95..100
 * The rest: as in the solution
 */
static inline struct generator *ready_leaf(const struct generator *g)
{
    (void)g;
    return NULL;
}

enum step generator_send(struct object *o, borrowed value, struct object **result)
{
    struct generator *g = as_generator(o);
    enum turn turn;

    if (!claim_suspended(g))
        return send_to_chain(g, value, result);
    g->base.outer = exception_innermost;
    exception_innermost = g->top;
    turn = g->frame.body->resume(&g->frame, RESUME_SEND, value, result);
    return drive_on(g, turn, result);
}
