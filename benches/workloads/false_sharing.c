/* false_sharing.c - each thread counts an object of its own, and they are neighbours.
 *
 * Nothing is shared but what memory is moved in: a count that one thread writes takes the
 * cache line away from the others, whose counts stand in it. With apart=1 the same objects
 * stand at least two lines apart (processors fetch lines in pairs), and what lies between
 * is padding. The quotient of the two is what the allocator's choice of places costs.
 */
#include "benches/workload.h"
#include "objects/exception.h"
#include "objects/int.h"

#include <assert.h>
#include <stdlib.h>

enum { APART };
enum {
    LINE_BYTES = 64, APART_BYTES = 2 * LINE_BYTES,
    POOL = 16, /* objects per worker: however small, every APART_BYTES there is one */
    ROUNDS = 1024
};

_Static_assert(POOL * sizeof(struct int_object) >= 2 * APART_BYTES, "the pool is too small");

static struct object **pool;  /* owned, with what it holds; by address */
static struct object **mine;  /* owned; of each worker, one out of the pool */
static size_t pooled;

static int by_address(const void *a, const void *b)
{
    uintptr_t x = (uintptr_t)*(struct object *const *)a, y = (uintptr_t)*(struct object *const *)b;

    return (x > y) - (x < y);
}

static int fill_pool(size_t size)
{
    while (pooled < size && (pool[pooled] = int_new((int64_t)pooled)))
        publish(pool[pooled++]);
    qsort(pool, pooled, sizeof *pool, by_address);
    return pooled == size ? 0 : -1;
}

static uintptr_t line_of(borrowed o)
{
    return (uintptr_t)o / LINE_BYTES;
}

/* The row of neighbours that touches the fewest lines. */
static void choose_neighbours(size_t count)
{
    size_t best = 0;

    for (size_t i = 1; i + count <= pooled; i++)
        if (line_of(pool[i + count - 1]) - line_of(pool[i]) <
            line_of(pool[best + count - 1]) - line_of(pool[best]))
            best = i;
    for (size_t i = 0; i < count; i++)
        mine[i] = pool[best + i];
}

static void choose_apart(size_t count)
{
    size_t chosen = 0;

    for (size_t i = 0; i < pooled && chosen < count; i++)
        if (!chosen || (uintptr_t)pool[i] - (uintptr_t)mine[chosen - 1] >= APART_BYTES)
            mine[chosen++] = pool[i];
    assert(chosen == count);
}

/* Made by the lab's thread, so under `biased` nobody counts its own. */
static int setup(struct job *job)
{
    size_t count = (size_t)job->workers;

    pool = calloc(count * POOL, sizeof(struct object *));
    mine = calloc(count, sizeof(struct object *));
    if (!pool || !mine) {
        exception_set_no_memory();
        return -1;
    }
    if (fill_pool(count * POOL) < 0)
        return -1;
    if (job->param[APART])
        choose_apart(count);
    else
        choose_neighbours(count);
    return 0;
}

static int step(struct worker *w)
{
    borrowed object = mine[w->index];

    for (int i = 0; i < ROUNDS; i++) {
        struct object *o = incref(object);

        barrier(o);
        decref(o);
        safepoint(w->thread);
    }
    worker_count(w, ROUNDS);
    return 0;
}

static int check(struct job *job, uint64_t ops)
{
    (void)ops;
    for (int i = 0; i < job->workers; i++) {
        if (refcount(mine[i]) == 1)
            continue;
        exception_set(&runtime_error, "object %d has %lld references, not 1", i,
                      (long long)refcount(mine[i]));
        return -1;
    }
    return 0;
}

static void teardown(struct job *job)
{
    (void)job;
    while (pooled)
        decref(pool[--pooled]);
    free(pool);
    free(mine);
    pool = mine = NULL;
}

const struct workload workload_false_sharing = {
    .about = "each thread counts an object of its own, and they are neighbours",
    .unit = "reference", .kind = KIND_CPU, .shares = SHARES_HANDOVER, .least_threads = 1,
    .param = { { "apart", "1 if at least 128 bytes lie between them", 0, 0, 1 } },
    .roles = { { .name = "reader", .per_thread = 1, .step = step } },
    .setup = setup, .check = check, .teardown = teardown,
};
