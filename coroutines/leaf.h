/* leaf.h - the link between the root of a chain of delegations and its leaf.
 *
 * A generator that delegates is resumed by resuming the last one of its chain. It would take as
 * long to find that as the chain is long; so whoever was resumed last as a root remembers it.
 * What it remembers is no cache that has to be looked at again, but one link with two
 * ends, and whatever makes it untrue breaks it.
 *
 * Invariant: r->leaf == l if and only if l->root == r.
 *
 * Only for generators that no other thread can reach at the moment (generator.c, fact 4).
 */
#ifndef COROUTINES_LEAF_H
#define COROUTINES_LEAF_H

#include "gil/attributes.h"

#include <stddef.h>

struct leaf_link {
    struct leaf_link *root; /* who remembers it as its leaf; NULL: nobody */
    struct leaf_link *leaf; /* what it remembers; NULL: nothing, it is to be found */
};

/* It has ended, or goes: neither end of what it was part of is left. */
static inline void leaf_part(struct leaf_link *g)
{
    if (g->root)
        g->root->leaf = NULL;
    if (g->leaf)
        g->leaf->root = NULL;
    g->root = g->leaf = NULL;
}

/* It is resumed as a root itself: who remembers it as a leaf does so no more. */
static inline void leaf_rise(struct leaf_link *g)
{
    if (g->root)
        g->root->leaf = NULL;
    g->root = NULL;
}

/* `root` has reached `leaf`, or itself, which it need not remember. */
static inline void leaf_join(struct leaf_link *root, struct leaf_link *leaf)
{
    if (likely(root->leaf == leaf))
        return;
    leaf_part(leaf);
    if (root == leaf)
        return;
    if (root->leaf)
        root->leaf->root = NULL;
    root->leaf = leaf;
    leaf->root = root;
}

#endif
