/* timers.c - WRONG: what is left of a heap is taken for a heap.
 *
 * Those that are cancelled go, the others move up, and each has new children. As long as few are
 * cancelled nobody sees it.
 *
 * Score: 0
 * Says: "test_sweep_keeps_the_others_and_their_order" did not pass
 * Caught by: coroutines/tests/test_timers (debug)
 * The rest: as in the solution
 */

void timers_sweep(struct timers *t, bool (*gone)(struct timer *timer))
{
    t->count = keep_others(t, gone);
}
