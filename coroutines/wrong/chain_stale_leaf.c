/* chain_stale_leaf.c - generator.c, but a root goes on to believe in the leaf that it remembers.
 *
 * The fault: another drive that reaches this leaf does not break the link. So who shares a
 * generator with somebody else, or steps one in the midst of a chain by itself, leaves a root
 * behind that resumes the leaf, and when that ends goes up somebody else's chain.
 *
 * Instead of: coroutines/generator.c
 * Under: plain
 * Caught by: coroutines/tests/test_yield_from (debug asan tsan)
 */
#include "coroutines/leaf.h"

static inline void join_without_parting(struct leaf_link *root, struct leaf_link *leaf)
{
    if (root == leaf)
        return;
    root->leaf = leaf;
    leaf->root = root;
}

static inline void rise_without_parting(struct leaf_link *g)
{
    g->root = NULL;
}

#define leaf_join join_without_parting
#define leaf_rise rise_without_parting
#include "coroutines/generator.c"
