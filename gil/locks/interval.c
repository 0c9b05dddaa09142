/* interval.c - CPython's lock since 3.2: who waits asks, after an interval.
 *
 * A waiter that has waited one interval without seeing a switch asks the holder to
 * let go; the holder does so at its next safe point and, with forced switching,
 * does not take the lock again before somebody else has had it. A thread that
 * comes back from a blocking call waits like any other: beside one thread that
 * computes, each of its calls costs a whole interval (the convoy effect, bpo-7946).
 *
 * Source: A. Pitrou, CPython 3.2, Python/ceval_gil.h (2009).
 *
 * Who gets the lock is whoever the kernel wakes first: there is no queue.
 * Invariant: `holder` is the thread that holds the lock, NULL while it is free.
 */
#include "gil/gil.h"
#include "gil/mutex.h"
#include "gil/thread.h"

struct gil_interval {
    struct gil head;
    struct mutex lock;
    pthread_cond_t free;      /* holder has become NULL */
    pthread_cond_t switched;  /* last_holder has changed */
    struct thread *holder;    /* lock */
    struct thread *last;      /* lock; the last that held it, which may have left */
    uint64_t switches;        /* lock; how often another thread than before got it */
    int force_waiters;        /* lock; threads in wait_for_switch */
};

enum { INTERVAL_US, FORCE };

static struct gil_interval *self(struct gil *gil)
{
    return (struct gil_interval *)gil;
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
    pthread_cond_destroy(&self(gil)->switched);
    pthread_cond_destroy(&self(gil)->free);
    mutex_fini(&self(gil)->lock);
}

/* Waits for one interval; asks the holder to let go if nothing has moved in it. */
static void wait_an_interval(struct gil_interval *g) REQUIRES(g->lock)
{
    uint64_t switches = g->switches;
    uint64_t deadline_ns = clock_ns() + (uint64_t)g->head.param[INTERVAL_US] * NS_PER_US;
    bool in_time = cond_wait_until(&g->free, &g->lock, deadline_ns);

    if (!in_time && g->holder && g->switches == switches)
        thread_request(g->holder, BREAKER_GIL);
}

static void acquire(struct gil *gil, struct thread *t)
{
    struct gil_interval *g = self(gil);

    mutex_lock(&g->lock);
    while (g->holder)
        wait_an_interval(g);
    g->holder = t;
    if (g->last != t) {
        g->last = t;
        g->switches++;
        if (g->force_waiters)
            pthread_cond_broadcast(&g->switched);
    }
    atomic_fetch_and_explicit(&t->breaker, ~(uint32_t)BREAKER_GIL, memory_order_relaxed);
    mutex_unlock(&g->lock);
}

static void let_go(struct gil_interval *g) REQUIRES(g->lock)
{
    g->holder = NULL;
    pthread_cond_signal(&g->free);
}

static void release(struct gil *gil, struct thread *t)
{
    struct gil_interval *g = self(gil);

    (void)t;
    mutex_lock(&g->lock);
    let_go(g);
    mutex_unlock(&g->lock);
}

/* Only a waiter's request leads here, so there is one, and it will take the lock:
 * nobody stops waiting. */
static void yield(struct gil *gil, struct thread *t)
{
    struct gil_interval *g = self(gil);

    mutex_lock(&g->lock);
    let_go(g);
    g->force_waiters++;
    while (g->head.param[FORCE] && g->last == t)
        cond_wait(&g->switched, &g->lock);
    g->force_waiters--;
    mutex_unlock(&g->lock);
    acquire(gil, t);
}

const struct gil_class gil_interval = {
    .about = "a waiter asks the holder to let go after an interval; forced switching",
    .source = "CPython 3.2 and later (A. Pitrou, 2009)",
    .size_bytes = sizeof(struct gil_interval), .excludes = true,
    .param = {
        { "interval_us", "how long a waiter waits before it asks", 5000, 1, 10000000 },
        { "force", "1: who was asked waits until another has had the lock", 1, 0, 1 },
    },
    .init = init, .fini = fini,
    .acquire = acquire, .release = release, .yield = yield,
};
