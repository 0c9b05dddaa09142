/* sleeps_unseen.c - a wrong lock: who waits awake goes to sleep without another look.
 *
 * `prompt`, and nothing but what it takes for this: a queue, direct hand-over, and a waiter
 * that looks for a while before it sleeps. Between its last look and its sleep it may have
 * been granted the lock: it writes over that, and sleeps for ever.
 *
 * Caught by: gil/tests/test_prompt (debug asan tsan), whose watchdog ends the hang.
 */
#include "gil/gil.h"
#include "gil/mutex.h"
#include "gil/thread.h"

#include <sched.h>

extern const struct gil_class gil_sleeps_unseen;

enum wait { AWAKE, ASLEEP, GRANTED };

struct waiter {
    _Atomic int state;    /* atomic; enum wait */
    pthread_cond_t woken; /* state has become GRANTED */
    struct waiter *next;  /* lock */
};

struct gil_sleeps_unseen {
    struct gil head;
    struct mutex lock;
    bool held;            /* lock */
    struct waiter *first; /* lock */
};

static struct gil_sleeps_unseen *self(struct gil *gil)
{
    return (struct gil_sleeps_unseen *)gil;
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

static void enter(struct gil *gil, struct thread *t)
{
    (void)gil;
    thread_request(t, BREAKER_GIL);
}

static bool is_granted(struct waiter *w)
{
    return atomic_load_explicit(&w->state, memory_order_acquire) == GRANTED;
}

/* The caller has no lock: that is the fault. */
static void sleep_until_granted(struct gil_sleeps_unseen *g, struct waiter *w)
{
    for (int looks = 0; looks < 100; looks++)
        if (is_granted(w))
            return;
    sched_yield();
    atomic_store_explicit(&w->state, ASLEEP, memory_order_release);
    mutex_lock(&g->lock);
    while (!is_granted(w))
        cond_wait(&w->woken, &g->lock);
    mutex_unlock(&g->lock);
}

static void acquire(struct gil *gil, struct thread *t)
{
    struct gil_sleeps_unseen *g = self(gil);
    struct waiter w = { .woken = PTHREAD_COND_INITIALIZER }, **link = &g->first;

    (void)t;
    mutex_lock(&g->lock);
    if (!g->held) {
        g->held = true;
        mutex_unlock(&g->lock);
        return;
    }
    while (*link)
        link = &(*link)->next;
    *link = &w;
    mutex_unlock(&g->lock);
    sleep_until_granted(g, &w);
}

static void release(struct gil *gil, struct thread *t)
{
    struct gil_sleeps_unseen *g = self(gil);
    struct waiter *w;

    (void)t;
    mutex_lock(&g->lock);
    w = g->first;
    if (w) {
        g->first = w->next;
        if (atomic_load_explicit(&w->state, memory_order_relaxed) == ASLEEP)
            pthread_cond_signal(&w->woken);
        atomic_store_explicit(&w->state, GRANTED, memory_order_release);
    } else {
        g->held = false;
    }
    mutex_unlock(&g->lock);
}

static void yield(struct gil *gil, struct thread *t)
{
    release(gil, t);
    acquire(gil, t);
}

const struct gil_class gil_sleeps_unseen = {
    .about = "wrong: who waits awake goes to sleep without another look",
    .source = "a planted fault",
    .size_bytes = sizeof(struct gil_sleeps_unseen),
    .excludes = true,
    .param = { { "quantum_us", "of no use", 5000, 10, 10000000 },
               { "spin_us", "of no use", 20, 0, 10000 } },
    .init = init,
    .fini = fini,
    .enter = enter,
    .acquire = acquire,
    .release = release,
    .yield = yield,
};
