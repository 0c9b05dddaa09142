/* future.c - callbacks are put into the ring one after the other.
 *
 * None is handed over: the ring takes references of its own, and the future drops its own. A
 * little slower, and one thing less to know.
 *
 * Score: 100
 * The rest: as in the solution
 */

/* Of one that is done: at once, which is the next turn. */
static int push_now(struct future_object *f, loop_action *act, borrowed target, bool promised)
{
    if (!promised && loop_promise(f->loop) < 0)
        return -1;
    loop_push_promised(f->loop, act, target, &f->head);
    return 0;
}

static void pass_on_one(struct future_object *f, struct future_callback callback)
{
    loop_push_promised(f->loop, callback.act, callback.target, &f->head);
    decref(callback.target);
}

static void pass_on_more(struct future_object *f, const struct callbacks *taken)
{
    for (uint32_t i = 0; i < taken->count; i++)
        pass_on_one(f, taken->more[i]);
    free_more(taken);
}

static void call_callbacks(struct future_object *f)
{
    struct callbacks taken = take_callbacks(f);

    if (taken.first.act)
        pass_on_one(f, taken.first);
    pass_on_more(f, &taken);
}
