/* granted_and_free.c - a wrong lock: it is handed to a sleeper, and free until that wakes.
 *
 * What `prompt` does for good reason, half of each: it leaves the lock free while the one
 * whom it has woken is on its way, so that others need not wait for that, or it grants it.
 * This one does both, and so grants it twice.
 *
 * Caught by: gil/tests/test_prompt (debug asan tsan).
 */
#include "gil/gil.h"
#include "gil/mutex.h"
#include "gil/thread.h"

extern const struct gil_class gil_granted_and_free;

struct waiter {
    bool granted;         /* lock */
    pthread_cond_t woken; /* granted has become true */
    struct waiter *next;  /* lock */
};

struct gil_granted_and_free {
    struct gil head;
    struct mutex lock;
    bool held;            /* lock */
    struct waiter *first; /* lock */
};

static struct gil_granted_and_free *self(struct gil *gil)
{
    return (struct gil_granted_and_free *)gil;
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

static void wait_in_line(struct gil_granted_and_free *g) REQUIRES(g->lock)
{
    struct waiter w = { .woken = PTHREAD_COND_INITIALIZER }, **link = &g->first;

    while (*link)
        link = &(*link)->next;
    *link = &w;
    while (!w.granted)
        cond_wait(&w.woken, &g->lock);
}

static void acquire(struct gil *gil, struct thread *t)
{
    struct gil_granted_and_free *g = self(gil);

    (void)t;
    mutex_lock(&g->lock);
    if (g->held)
        wait_in_line(g);
    g->held = true;
    mutex_unlock(&g->lock);
}

static void release(struct gil *gil, struct thread *t)
{
    struct gil_granted_and_free *g = self(gil);
    struct waiter *w;

    (void)t;
    mutex_lock(&g->lock);
    g->held = false;
    w = g->first;
    if (w) {
        g->first = w->next;
        w->granted = true;
        pthread_cond_signal(&w->woken);
    }
    mutex_unlock(&g->lock);
}

static void yield(struct gil *gil, struct thread *t)
{
    release(gil, t);
    acquire(gil, t);
}

const struct gil_class gil_granted_and_free = {
    .about = "wrong: handed to a sleeper, and free until that wakes",
    .source = "a planted fault",
    .size_bytes = sizeof(struct gil_granted_and_free),
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
