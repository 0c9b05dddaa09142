/* generator.c - the same by a switch over what a turn has ended in.
 *
 * Score: 100
 * The rest: as in the solution
 */
static void tell_parent(struct drive *d, enum turn turn, struct object *returned /* steals */)
{
    switch (turn) {
    case TURN_RETURN:
        carry(d, RESUME_SEND, returned);
        break;
    default:
        carry(d, RESUME_THROW, exception_take());
    }
}

/* The parent lets go of it last, since it may be the only one that holds it. */
static void end_below(struct drive *d, enum turn turn, struct object *returned /* steals */)
{
    struct generator *ended = d->at, *parent = ended->parent;
    struct object *held;

    end(ended, turn);
    enter(d, parent);
    if (d->closing != ended)
        tell_parent(d, turn, returned);
    else
        carry_exit(d, turn, returned);
    held = take_from(d);
    set_stage(ended, CLOSED);
    drop_references(ended);
    decref(held);
}

static enum step go_on(struct drive *d, enum turn turn, struct object **result)
{
    while (true) {
        switch (turn) {
        case TURN_YIELD:
            if (yielded(d, result))
                return STEP_NEXT;
            break;
        case TURN_FROM:
            delegate(d, *result);
            break;
        case TURN_RETURN:
        case TURN_ERROR:
            if (d->at == d->root)
                return end_root(d, turn);
            end_below(d, turn, *result);
        }
        turn = resume(d, result);
    }
}

static int judge_exit(const struct generator *g, enum step step, struct object **result)
{
    switch (step) {
    case STEP_RETURN:
        return 0;
    case STEP_NEXT:
        decref(*result);
        exception_set(&runtime_error, "%s ignored GeneratorExit", kind_of(g));
        return -1;
    default:
        if (!exception_matches(&generator_exit))
            return -1;
        decref(exception_take());
        *result = none();
        return 0;
    }
}
