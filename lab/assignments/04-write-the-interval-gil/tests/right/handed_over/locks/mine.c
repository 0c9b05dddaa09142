/* mine.c - who was asked gives the lock to one that waits, by name.
 *
 * So it need not wait for a switch: there has been one. Who was not asked leaves the lock free,
 * and signals. Waiters stand in a list, each with a condition of its own.
 *
 * Score: 80..100
 */
#include "gil/gil.h"
#include "gil/mutex.h"
#include "gil/thread.h"

struct waiter {
    struct thread *thread; /* set once */
    pthread_cond_t woken;
    struct waiter *next; /* lock */
};

struct gil_mine {
    struct gil head;
    struct mutex lock;
    struct thread *holder; /* lock; NULL: free */
    struct waiter *first;  /* lock; in the order in which they came */
    uint64_t turns;        /* lock; how often the holder has changed */
};

enum { INTERVAL_US, FORCE };

static struct gil_mine *self(struct gil *gil)
{
    return (struct gil_mine *)gil;
}

static int init(struct gil *gil)
{
    mutex_init(&self(gil)->lock);
    return 0;
}

static void fini(struct gil *gil)
{
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

static void join_line(struct gil_mine *g, struct waiter *w) REQUIRES(g->lock)
{
    struct waiter **end = &g->first;

    while (*end)
        end = &(*end)->next;
    *end = w;
    pthread_cond_init(&w->woken, NULL);
}

static void leave_line(struct gil_mine *g, struct waiter *w) REQUIRES(g->lock)
{
    struct waiter **link = &g->first;

    while (*link != w)
        link = &(*link)->next;
    *link = w->next;
    pthread_cond_destroy(&w->woken);
}

static void wait_in_line(struct gil_mine *g, struct waiter *w) REQUIRES(g->lock)
{
    while (g->holder && g->holder != w->thread) {
        uint64_t turn = g->turns;
        uint64_t until_ns = clock_ns() + (uint64_t)g->head.param[INTERVAL_US] * NS_PER_US;
        bool in_time = cond_wait_until(&w->woken, &g->lock, until_ns);

        if (!in_time && g->holder && g->holder != w->thread && g->turns == turn)
            thread_request(g->holder, BREAKER_GIL);
    }
}

static void acquire(struct gil *gil, struct thread *t)
{
    struct gil_mine *g = self(gil);
    struct waiter w = { .thread = t };

    mutex_lock(&g->lock);
    if (g->holder) {
        join_line(g, &w);
        wait_in_line(g, &w);
        leave_line(g, &w);
    }
    g->turns += g->holder != t;
    g->holder = t;
    forget(t);
    mutex_unlock(&g->lock);
}

static void release(struct gil *gil, struct thread *t)
{
    struct gil_mine *g = self(gil);
    struct waiter *first;

    mutex_lock(&g->lock);
    first = g->first;
    g->holder = first && is_asked(t) && g->head.param[FORCE] ? first->thread : NULL;
    g->turns += g->holder != NULL;
    if (first)
        pthread_cond_signal(&first->woken);
    mutex_unlock(&g->lock);
}

static void yield(struct gil *gil, struct thread *t)
{
    release(gil, t);
    acquire(gil, t);
}

const struct gil_class gil_mine = {
    .about = "asked, it is given to the first that waits; else left free",
    .source = "assignment 04",
    .size_bytes = sizeof(struct gil_mine), .excludes = true,
    .param = {
        { "interval_us", "how long a waiter waits before it asks", 5000, 1, 10000000 },
        { "force", "1: who was asked waits until another has had the lock", 1, 0, 1 },
    },
    .init = init, .fini = fini,
    .acquire = acquire, .release = release, .yield = yield,
};
