/* tick.c - CPython's lock until 3.1: let go every hundred checks, and snatch it back.
 *
 * The interpreter counts its checks. After so many it lets go of the lock, whether anybody
 * waits or not, and takes it again with the next instruction. Nobody is handed the lock:
 * who waits is signalled and must win a race in which the other is already there. On one
 * core it gets its chance when the kernel's slice ends; on two it wakes up on the free one
 * in vain, a hundred checks at a time, and both cores are busy with that: the "GIL battle"
 * (D. Beazley, "Inside the Python GIL", 2009). So two threads that compute take longer than
 * one after the other. A check is not a time: how long a turn lasts depends on what is
 * computed.
 *
 * It is a lock of two states under a mutex, with a condition, as in CPython: a thread that
 * has found it free holds it, and the mutex is held for a few instructions only.
 *
 * Source: CPython 2.7, Python/ceval.c and Python/thread_pthread.h (G. van Rossum and others,
 * 1992 to 2010).
 *
 * Who gets the lock next is whoever first looks while it is free.
 *   1. Under `lock`: `held` says whether a thread holds the lock; only who finds it false
 *      sets it, and only that thread makes it false. `lock` orders what holders write.
 *   2. Who waits has seen `held` under `lock`, and sleeps from there on. A release signals
 *      after it has made `held` false, so it finds asleep whoever had looked before, and
 *      who looks after finds the lock free. Of those who sleep one is woken for each
 *      release: if it comes too late, another thread holds the lock, and wakes one in turn.
 *   3. `left` is the holder's. It is one number for all threads, as the ticker of CPython
 *      was: a thread that lets go to block leaves the rest of its turn to the next.
 */
#include "gil/gil.h"
#include "gil/mutex.h"
#include "gil/thread.h"

struct gil_tick {
    struct gil head;
    struct mutex lock;
    pthread_cond_t free; /* held has become false */
    bool held;           /* lock */
    int64_t left;        /* gil; checks until the next release */
};

enum { CHECKS };

static struct gil_tick *self(struct gil *gil)
{
    return (struct gil_tick *)gil;
}

static int init(struct gil *gil)
{
    mutex_init(&self(gil)->lock);
    pthread_cond_init(&self(gil)->free, NULL);
    self(gil)->left = gil->param[CHECKS];
    return 0;
}

static void fini(struct gil *gil)
{
    pthread_cond_destroy(&self(gil)->free);
    mutex_fini(&self(gil)->lock);
}

/* The bit stays set: each check takes the slow path, and is counted there. */
static void enter(struct gil *gil, struct thread *t)
{
    (void)gil;
    thread_request(t, BREAKER_GIL);
}

static void acquire(struct gil *gil, struct thread *t)
{
    struct gil_tick *g = self(gil);

    (void)t;
    mutex_lock(&g->lock);
    while (g->held)
        cond_wait(&g->free, &g->lock);
    g->held = true;
    mutex_unlock(&g->lock);
}

static void release(struct gil *gil, struct thread *t)
{
    struct gil_tick *g = self(gil);

    (void)t;
    mutex_lock(&g->lock);
    g->held = false;
    pthread_cond_signal(&g->free);
    mutex_unlock(&g->lock);
}

static bool due(struct gil *gil, struct thread *t)
{
    (void)t;
    if (--self(gil)->left > 0)
        return false;
    self(gil)->left = gil->param[CHECKS];
    return true;
}

static void yield(struct gil *gil, struct thread *t)
{
    release(gil, t);
    acquire(gil, t);
}

const struct gil_class gil_tick = {
    .about = "let go every hundred checks and snatched back, with no hand-over",
    .source = "CPython until 3.1 (G. van Rossum and others)",
    .size_bytes = sizeof(struct gil_tick), .excludes = true,
    .param = { { "checks", "safe points between two releases", 100, 1, 1000000000 } },
    .init = init, .fini = fini, .enter = enter,
    .acquire = acquire, .release = release, .due = due, .yield = yield,
};
