/* generator.c - the way down links the root once, when it has come to the last that is alone.
 *
 * Those in between are not run. Where one has another leaf it is one that only this drive, or
 * none, has run since.
 *
 * Score: 100
 * The rest: as in the solution
 */
static void descend(struct drive *d)
{
    struct generator *busy = first_running(d->at), *last = NULL;

    for (struct generator *next; (next = below(d->at)); d->at = next) {
        uint8_t was = RUNNING;

        if (next == busy || !claim(next, &was)) {
            refuse(d, was == RUNNING);
            return;
        }
        next->parent = d->at;
        next->base.outer = d->at->top;
        if (!alone(next))
            continue;
        if (d->at != d->root)
            set_stage(d->at, DELEGATING);
        last = next;
    }
    if (last)
        leaf_join(&d->root->link, &last->link);
    exception_innermost = d->at->top;
}
