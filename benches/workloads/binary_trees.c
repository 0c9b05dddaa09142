/* binary_trees.c - trees of tuples are built, their nodes counted, and dropped.
 *
 * Allocation and nothing else, of objects that hold one another: dropping the root frees
 * the tree, so a count reaches zero for each node. After binary-trees of the Computer
 * Language Benchmarks Game, itself an adaptation of H. Boehm's GCBench.
 */
#include "benches/workload.h"
#include "objects/exception.h"
#include "objects/none.h"
#include "objects/tuple.h"

enum { DEPTH };

static struct object *make_tree(struct thread *t, int64_t depth)
{
    struct object *child[2] = { none(), none() }, *tree = NULL;

    safepoint(t);
    if (depth > 0) {
        child[0] = make_tree(t, depth - 1);
        child[1] = child[0] ? make_tree(t, depth - 1) : NULL;
    }
    if (child[1])
        tree = tuple_new(2, child);
    xdecref(child[0]);
    xdecref(child[1]);
    return tree;
}

static int64_t count_nodes(borrowed tree)
{
    if (tree == none())
        return 0;
    return 1 + count_nodes(tuple_get(tree, 0)) + count_nodes(tuple_get(tree, 1));
}

static int step(struct worker *w)
{
    int64_t depth = w->job->param[DEPTH], expected = ((int64_t)2 << depth) - 1, nodes;
    struct object *tree = make_tree(w->thread, depth);

    if (!tree)
        return -1;
    nodes = count_nodes(tree);
    decref(tree);
    if (nodes == expected) {
        worker_count(w, (uint64_t)nodes);
        return 0;
    }
    exception_set(&runtime_error, "a tree of depth %lld has %lld nodes, not %lld",
                  (long long)depth, (long long)nodes, (long long)expected);
    return -1;
}

const struct workload workload_binary_trees = {
    .about = "trees of tuples are built, their nodes counted, and dropped",
    .unit = "node", .kind = KIND_CPU, .shares = SHARES_NOTHING, .least_threads = 1,
    .isolated = true,
    .param = { { "depth", "of each tree, of 2^(depth+1) - 1 nodes", 7, 0, 20 } },
    .roles = { { .name = "worker", .per_thread = 1, .step = step } },
};
