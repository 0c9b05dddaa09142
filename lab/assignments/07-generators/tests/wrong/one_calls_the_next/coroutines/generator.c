/* generator.c - WRONG: each generator resumes the one that it delegates to by a call.
 *
 * As the equivalent code in PEP 380 has it, and it is right, as long as the C stack is deep enough; a
 * step costs as much as the chain is long. And nobody in it knows who else is being run.
 *
 * Score: 35
 * Says: "test_a_deep_chain_is_sent_to_without_stack" did not pass
 * Caught by: coroutines/tests/test_yield_from (debug)
 * The rest: as in the solution
 */
static void descend(struct drive *d)
{
    exception_innermost = d->at->top;
}

static void go_to_leaf(struct drive *d)
{
    descend(d);
}
