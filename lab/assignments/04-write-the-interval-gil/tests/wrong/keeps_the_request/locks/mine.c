/* mine.c - WRONG: a request is answered, and stays.
 *
 * The breaker is cleared nowhere. So from the first request on this thread yields at each of
 * its safe points, a switch each: the interval is of no use any more.
 *
 * Score: 0
 * Says: did not pass
 * Caught by: gil/tests/test_locks (debug)
 */
#include "gil/gil.h"
#include "gil/mutex.h"
#include "gil/thread.h"

struct gil_mine {
    struct gil head;
    struct mutex lock;
    pthread_cond_t free;     /* nobody holds it */
    pthread_cond_t switched; /* another holds it than before */
    struct thread *holder;   /* lock; NULL: free */
    struct thread *last;     /* lock; who held it last */
    uint64_t switches;       /* lock */
    int waiting;             /* lock; for it to be free */
};

enum { INTERVAL_US, FORCE };

static struct gil_mine *self(struct gil *gil)
{
    return (struct gil_mine *)gil;
}

static int init(struct gil *gil)
{
    mutex_init(&self(gil)->lock);
    pthread_cond_init(&self(gil)->free, NULL);
    pthread_cond_init(&self(gil)->switched, NULL);
    return 0;
}

static void fini(struct gil *gil)
{
    pthread_cond_destroy(&self(gil)->free);
    pthread_cond_destroy(&self(gil)->switched);
    mutex_fini(&self(gil)->lock);
}

static bool is_asked(struct thread *t)
{
    return atomic_load_explicit(&t->breaker, memory_order_relaxed) & BREAKER_GIL;
}

/* One interval; and if nothing has moved in it, the holder is asked. */
static void wait_a_while(struct gil_mine *g) REQUIRES(g->lock)
{
    uint64_t before = g->switches;
    uint64_t until_ns = clock_ns() + (uint64_t)g->head.param[INTERVAL_US] * NS_PER_US;

    g->waiting++;
    if (!cond_wait_until(&g->free, &g->lock, until_ns) && g->holder && g->switches == before)
        thread_request(g->holder, BREAKER_GIL);
    g->waiting--;
}

static void take(struct gil_mine *g, struct thread *t) REQUIRES(g->lock)
{
    g->holder = t;
    if (g->last != t) {
        g->last = t;
        g->switches++;
        pthread_cond_broadcast(&g->switched);
    }
}

static void acquire(struct gil *gil, struct thread *t)
{
    struct gil_mine *g = self(gil);

    mutex_lock(&g->lock);
    while (g->holder)
        wait_a_while(g);
    take(g, t);
    mutex_unlock(&g->lock);
}

static void release(struct gil *gil, struct thread *t)
{
    struct gil_mine *g = self(gil);

    mutex_lock(&g->lock);
    g->holder = NULL;
    pthread_cond_signal(&g->free);
    if (g->head.param[FORCE] && is_asked(t))
        while (g->waiting && g->last == t)
            cond_wait(&g->switched, &g->lock);
    mutex_unlock(&g->lock);
}

static void yield(struct gil *gil, struct thread *t)
{
    release(gil, t);
    acquire(gil, t);
}

const struct gil_class gil_mine = {
    .about = "wrong: a request is never forgotten",
    .source = "assignment 04",
    .size_bytes = sizeof(struct gil_mine), .excludes = true,
    .param = {
        { "interval_us", "how long a waiter waits before it asks", 5000, 1, 10000000 },
        { "force", "1: who was asked waits until another has had the lock", 1, 0, 1 },
    },
    .init = init, .fini = fini,
    .acquire = acquire, .release = release, .yield = yield,
};
