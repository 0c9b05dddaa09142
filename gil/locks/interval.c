/* interval.c - CPython's lock since 3.2: who waits asks, after an interval.
 *
 * A waiter that has waited one interval without seeing a switch asks the holder to
 * let go. The holder does so at its next safe point, or blocking call if that comes
 * first, and with forced switching goes on only when somebody else has had the lock:
 * else it would win it back while the one it woke is on its way. A thread that
 * comes back from a blocking call waits like any other: beside one thread that
 * computes, each of its calls costs a whole interval (the convoy effect, bpo-7946).
 *
 * Source: A. Pitrou, CPython 3.2, Python/ceval_gil.h (2009).
 *
 * Who gets the lock is whoever the kernel wakes first: there is no queue.
 * Invariants, under `lock`:
 *   1. `holder` is the thread that holds the lock, NULL while it is free;
 *   2. who waits for it goes on waiting until it has got it. So while `waiters` is
 *      not 0 and the lock is free, `last` will change: forced switching ends.
 */
#include "gil/gil.h"
#include "gil/mutex.h"
#include "gil/thread.h"

struct gil_interval {
    struct gil head;
    struct mutex lock;
    pthread_cond_t free;      /* holder has become NULL */
    pthread_cond_t switched;  /* last has changed */
    struct thread *holder;    /* lock */
    struct thread *last;      /* lock; the last that held it, which may have left */
    uint64_t switches;        /* lock; how often another thread than before got it */
    int waiters;              /* lock; threads in wait_an_interval */
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
    /* cut 04: wait for one interval; ask the holder to let go if nothing moved | (void)g; */
    uint64_t switches = g->switches;
    uint64_t deadline_ns = clock_ns() + (uint64_t)g->head.param[INTERVAL_US] * NS_PER_US;
    bool in_time;

    g->waiters++;
    in_time = cond_wait_until(&g->free, &g->lock, deadline_ns);
    g->waiters--;
    if (!in_time && g->holder && g->switches == switches)
        thread_request(g->holder, BREAKER_GIL);
    /* end of cut */
}

/* Relaxed: waiters ask under g->lock. */
static bool is_asked(struct thread *t)
{
    return atomic_load_explicit(&t->breaker, memory_order_relaxed) & BREAKER_GIL;
}

static void acquire(struct gil *gil, struct thread *t)
{
    struct gil_interval *g = self(gil);

    mutex_lock(&g->lock);
    /* cut 04: wait for the lock, take it, and tell of the switch | (void)wait_an_interval; */
    while (g->holder)
        wait_an_interval(g);
    g->holder = t;
    if (g->last != t) {
        g->last = t;
        g->switches++;
        if (g->force_waiters)
            pthread_cond_broadcast(&g->switched);
    }
    /* end of cut */
    if (is_asked(t))
        atomic_fetch_and_explicit(&t->breaker, ~(uint32_t)BREAKER_GIL, memory_order_relaxed);
    mutex_unlock(&g->lock);
}

/* Asked by hand and not by a waiter, there may be nobody to switch to. */
static void wait_for_switch(struct gil_interval *g, const struct thread *t) REQUIRES(g->lock)
{
    /* cut 04: wait until another has had the lock, if any other waits | (void)g, (void)t; */
    g->force_waiters++;
    while (g->waiters && g->last == t)
        cond_wait(&g->switched, &g->lock);
    g->force_waiters--;
    /* end of cut */
}

static void release(struct gil *gil, struct thread *t)
{
    struct gil_interval *g = self(gil);

    mutex_lock(&g->lock);
    /* cut 04: let go, wake a waiter, wait if you were asked | (void)t, (void)wait_for_switch; */
    g->holder = NULL;
    pthread_cond_signal(&g->free);
    if (g->head.param[FORCE] && is_asked(t))
        wait_for_switch(g, t);
    /* end of cut */
    mutex_unlock(&g->lock);
}

static void yield(struct gil *gil, struct thread *t)
{
    release(gil, t);
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
