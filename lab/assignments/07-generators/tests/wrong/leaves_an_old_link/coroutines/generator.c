/* generator.c - WRONG: only a leaf that is the end of all is linked to the root.
 *
 * Where the lower end of a chain is published nobody is. Then another root goes on to remember a leaf
 * that this drive has run, and the next time does not go by way of those in between: what they
 * handle, and for whom, is as it was then.
 *
 * Score: 35
 * Says: "test_a_sub_sees_what_is_handled_by_whoever_steps_the_chain" did not pass
 * Caught by: coroutines/tests/test_yield_from (debug)
 * The rest: as in the solution
 */
static void descend(struct drive *d)
{
    struct generator *busy = first_running(d->at);
    uint8_t was = RUNNING;

    for (struct generator *next; (next = below(d->at)); d->at = next) {
        if (next == busy || !claim(next, &was)) {
            refuse(d, next == busy || was == RUNNING);
            return;
        }
        next->parent = d->at;
        next->base.outer = d->at->top;
        if (alone(next) && d->at != d->root)
            set_stage(d->at, DELEGATING);
        if (alone(next) && !below(next))
            leaf_join(&d->root->link, &next->link);
    }
    exception_innermost = d->at->top;
}
