/* handed_twice.c - a wrong lock: it is handed to the first in line, and left open as well.
 *
 * The one that is named needs a moment to wake up. A lock that is handed over must stay
 * held meanwhile; here a newcomer finds it free.
 *
 * Caught by: gil/tests/test_fifo (debug asan tsan).
 */
#include "gil/gil.h"
#include "gil/mutex.h"
#include "gil/thread.h"

extern const struct gil_class gil_handed_twice;

struct gil_handed_twice {
    struct gil head;
    struct mutex lock;
    pthread_cond_t called; /* serving has moved on */
    uint64_t next;         /* lock; the ticket that will be drawn */
    uint64_t serving;      /* lock; whoever has this ticket holds the lock */
    bool held;             /* lock; false, too, while who was called wakes up: the fault */
};

static struct gil_handed_twice *self(struct gil *gil)
{
    return (struct gil_handed_twice *)gil;
}

static int init(struct gil *gil)
{
    mutex_init(&self(gil)->lock);
    pthread_cond_init(&self(gil)->called, NULL);
    return 0;
}

static void fini(struct gil *gil)
{
    pthread_cond_destroy(&self(gil)->called);
    mutex_fini(&self(gil)->lock);
}

static void enter(struct gil *gil, struct thread *t)
{
    (void)gil;
    thread_request(t, BREAKER_GIL);
}

static void acquire(struct gil *gil, struct thread *t)
{
    struct gil_handed_twice *g = self(gil);

    (void)t;
    mutex_lock(&g->lock);
    if (g->held) {
        uint64_t ticket = g->next++;

        while (g->serving <= ticket)
            cond_wait(&g->called, &g->lock);
    }
    g->held = true;
    mutex_unlock(&g->lock);
}

static void release(struct gil *gil, struct thread *t)
{
    struct gil_handed_twice *g = self(gil);

    (void)t;
    mutex_lock(&g->lock);
    g->held = false;
    if (g->serving < g->next)
        g->serving++;
    pthread_cond_broadcast(&g->called);
    mutex_unlock(&g->lock);
}

static bool due(struct gil *gil, struct thread *t)
{
    (void)gil;
    (void)t;
    return true;
}

static void yield(struct gil *gil, struct thread *t)
{
    release(gil, t);
    acquire(gil, t);
}

const struct gil_class gil_handed_twice = {
    .about = "wrong: handed to the first in line, and left open", .source = "a planted fault",
    .size_bytes = sizeof(struct gil_handed_twice), .excludes = true,
    .init = init, .fini = fini, .enter = enter,
    .acquire = acquire, .release = release, .due = due, .yield = yield,
};
