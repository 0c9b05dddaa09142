/* generator.c - WRONG: each step goes down all of the chain.
 *
 * What it yields is right, and it takes no stack. A step through a hundred costs a hundred.
 *
 * Score: 85..90
 * Says: levels of a send: 100 (all points up to 0, none from 100)
 * Caught by: tests/test_steps (debug)
 * The rest: as in the solution
 */
static void go_to_leaf(struct drive *d)
{
    descend(d);
}

static inline struct generator *ready_leaf(const struct generator *g)
{
    (void)g;
    return NULL;
}
