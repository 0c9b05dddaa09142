/* future.c - WRONG: who sets a result calls the callbacks.
 *
 * They run in the middle of whatever he does, before what was ready long ago, and nest as deep
 * as futures wait for one another.
 *
 * Score: 55
 * Says: "test_callbacks_invoked_on_set_result" did not pass
 * Caught by: coroutines/tests/test_future (debug)
 * The rest: as in the solution
 */

static void call_one(struct future_object *f, struct future_callback callback)
{
    loop_unpromise(f->loop);
    if (callback.act(f->loop, callback.target, &f->head) < 0)
        exception_restore(NULL);
    decref(callback.target);
}

static void call_callbacks(struct future_object *f)
{
    struct callbacks taken;

    if (!f->first.act)
        return;
    taken = take_callbacks(f);
    call_one(f, taken.first);
    for (uint32_t i = 0; i < taken.count; i++)
        call_one(f, taken.more[i]);
    free_more(&taken);
}
