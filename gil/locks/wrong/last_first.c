/* last_first.c - a wrong queue: it is handed to the one that came last.
 *
 * It excludes, and no wake-up is lost; but who came first may wait for ever, while those
 * that came later hand the lock to each other. That is what a queue is to prevent.
 *
 * Caught by: gil/tests/test_fifo (debug asan tsan).
 * Caught by: gil/tests/test_fair (debug asan tsan).
 */
#include "gil/gil.h"
#include "gil/mutex.h"
#include "gil/thread.h"

extern const struct gil_class gil_last_first;

struct waiter {
    struct thread *thread; /* set once */
    struct waiter *next;   /* lock; who came before it: the fault */
    pthread_cond_t named;  /* it has become the holder */
};

struct gil_last_first {
    struct gil head;
    struct mutex lock;
    struct thread *holder; /* lock */
    struct waiter *first;  /* lock */
};

static struct gil_last_first *self(struct gil *gil)
{
    return (struct gil_last_first *)gil;
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

static void wait_for_turn(struct gil_last_first *g, struct thread *t) REQUIRES(g->lock)
{
    struct waiter w = { .thread = t, .next = g->first };

    pthread_cond_init(&w.named, NULL);
    g->first = &w;
    while (g->holder != t)
        cond_wait(&w.named, &g->lock);
    pthread_cond_destroy(&w.named);
}

static void acquire(struct gil *gil, struct thread *t)
{
    struct gil_last_first *g = self(gil);

    mutex_lock(&g->lock);
    if (g->holder)
        wait_for_turn(g, t);
    else
        g->holder = t;
    mutex_unlock(&g->lock);
    atomic_fetch_and_explicit(&t->breaker, ~(uint32_t)BREAKER_GIL, memory_order_relaxed);
}

static void release(struct gil *gil, struct thread *t)
{
    struct gil_last_first *g = self(gil);
    struct waiter *w;

    (void)t;
    mutex_lock(&g->lock);
    w = g->first;
    g->first = w ? w->next : NULL;
    g->holder = w ? w->thread : NULL;
    if (w)
        pthread_cond_signal(&w->named);
    mutex_unlock(&g->lock);
}

static void yield(struct gil *gil, struct thread *t)
{
    release(gil, t);
    acquire(gil, t);
}

const struct gil_class gil_last_first = {
    .about = "wrong: handed to the one that came last", .source = "a planted fault",
    .size_bytes = sizeof(struct gil_last_first), .excludes = true, .fair = true,
    .init = init, .fini = fini,
    .acquire = acquire, .release = release, .yield = yield,
};
