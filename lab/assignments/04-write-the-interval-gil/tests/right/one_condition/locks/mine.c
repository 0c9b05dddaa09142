/* mine.c - one condition for all that can change, and everybody looks.
 *
 * Whoever changes anything wakes all who wait for anything. Some wake for nothing; none is
 * forgotten.
 *
 * Score: 80..100
 */
#include "gil/gil.h"
#include "gil/mutex.h"
#include "gil/thread.h"

struct gil_mine {
    struct gil head;
    struct mutex lock;
    pthread_cond_t changed; /* holder or last has */
    struct thread *holder;  /* lock; NULL: free */
    struct thread *last;    /* lock; who held it last */
    uint64_t switches;      /* lock */
    int waiting;            /* lock; for it to be free */
};

enum { INTERVAL_US, FORCE };

static struct gil_mine *self(struct gil *gil)
{
    return (struct gil_mine *)gil;
}

static int init(struct gil *gil)
{
    mutex_init(&self(gil)->lock);
    pthread_cond_init(&self(gil)->changed, NULL);
    return 0;
}

static void fini(struct gil *gil)
{
    pthread_cond_destroy(&self(gil)->changed);
    mutex_fini(&self(gil)->lock);
}

static bool is_asked(struct thread *t)
{
    return atomic_load_explicit(&t->breaker, memory_order_relaxed) & BREAKER_GIL;
}

static void forget(struct thread *t)
{
    if (is_asked(t))
        atomic_fetch_and_explicit(&t->breaker, ~(uint32_t)BREAKER_GIL, memory_order_relaxed);
}

/* Until it is free; asks each time that an interval has passed and nothing has moved. */
static void wait_until_free(struct gil_mine *g) REQUIRES(g->lock)
{
    uint64_t interval_ns = (uint64_t)g->head.param[INTERVAL_US] * NS_PER_US;
    uint64_t until_ns = clock_ns() + interval_ns, seen = g->switches;

    while (g->holder) {
        bool in_time = cond_wait_until(&g->changed, &g->lock, until_ns);

        if (in_time && g->switches == seen)
            continue;
        if (g->holder && g->switches == seen)
            thread_request(g->holder, BREAKER_GIL);
        seen = g->switches;
        until_ns = clock_ns() + interval_ns;
    }
}

static void acquire(struct gil *gil, struct thread *t)
{
    struct gil_mine *g = self(gil);

    mutex_lock(&g->lock);
    g->waiting++;
    wait_until_free(g);
    g->waiting--;
    g->switches += g->last != t;
    g->holder = g->last = t;
    forget(t);
    pthread_cond_broadcast(&g->changed);
    mutex_unlock(&g->lock);
}

static void release(struct gil *gil, struct thread *t)
{
    struct gil_mine *g = self(gil);

    mutex_lock(&g->lock);
    g->holder = NULL;
    pthread_cond_broadcast(&g->changed);
    while (g->head.param[FORCE] && is_asked(t) && g->waiting && g->last == t)
        cond_wait(&g->changed, &g->lock);
    mutex_unlock(&g->lock);
}

static void yield(struct gil *gil, struct thread *t)
{
    release(gil, t);
    acquire(gil, t);
}

const struct gil_class gil_mine = {
    .about = "one condition; who was asked waits for a switch",
    .source = "assignment 04",
    .size_bytes = sizeof(struct gil_mine), .excludes = true,
    .param = {
        { "interval_us", "how long a waiter waits before it asks", 5000, 1, 10000000 },
        { "force", "1: who was asked waits until another has had the lock", 1, 0, 1 },
    },
    .init = init, .fini = fini,
    .acquire = acquire, .release = release, .yield = yield,
};
