/* mine.c - a number for each turn; who was asked waits for the next one.
 *
 * Neither the holder nor the last one is compared: a turn that another has begun has another
 * number. The deadline stands with the turn that is waited for, so a waiter asks once in each.
 *
 * Score: 80..100
 */
#include "gil/gil.h"
#include "gil/mutex.h"
#include "gil/thread.h"

struct gil_mine {
    struct gil head;
    struct mutex lock;
    pthread_cond_t let_go, begun;
    struct thread *holder; /* lock; whom to ask; NULL: free */
    uint64_t turn;         /* lock; of the holder, or of the last */
    uint64_t owner;        /* lock; whose turn it was: its address, to be compared alone */
    int waiting;           /* lock */
};

enum { INTERVAL_US, FORCE };

static struct gil_mine *self(struct gil *gil)
{
    return (struct gil_mine *)gil;
}

static int init(struct gil *gil)
{
    mutex_init(&self(gil)->lock);
    pthread_cond_init(&self(gil)->let_go, NULL);
    pthread_cond_init(&self(gil)->begun, NULL);
    return 0;
}

static void fini(struct gil *gil)
{
    pthread_cond_destroy(&self(gil)->begun);
    pthread_cond_destroy(&self(gil)->let_go);
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

/* False: this turn has gone on for an interval since, and it was not let go. */
static bool wait_out(struct gil_mine *g, uint64_t turn) REQUIRES(g->lock)
{
    uint64_t until_ns = clock_ns() + (uint64_t)g->head.param[INTERVAL_US] * NS_PER_US;
    bool in_time = true;

    while (in_time && g->holder && g->turn == turn)
        in_time = cond_wait_until(&g->let_go, &g->lock, until_ns);
    return in_time || !g->holder || g->turn != turn;
}

static void begin(struct gil_mine *g, struct thread *t) REQUIRES(g->lock)
{
    g->holder = t;
    if (g->owner != (uintptr_t)t) {
        g->owner = (uintptr_t)t;
        g->turn++;
        pthread_cond_broadcast(&g->begun);
    }
    forget(t);
}

static void acquire(struct gil *gil, struct thread *t)
{
    struct gil_mine *g = self(gil);

    mutex_lock(&g->lock);
    g->waiting++;
    while (g->holder)
        if (!wait_out(g, g->turn))
            thread_request(g->holder, BREAKER_GIL);
    g->waiting--;
    begin(g, t);
    mutex_unlock(&g->lock);
}

static void release(struct gil *gil, struct thread *t)
{
    struct gil_mine *g = self(gil);
    uint64_t turn;

    mutex_lock(&g->lock);
    turn = g->turn;
    g->holder = NULL;
    pthread_cond_signal(&g->let_go);
    while (is_asked(t) && g->head.param[FORCE] && g->waiting && g->turn == turn)
        cond_wait(&g->begun, &g->lock);
    mutex_unlock(&g->lock);
}

static void yield(struct gil *gil, struct thread *t)
{
    release(gil, t);
    acquire(gil, t);
}

const struct gil_class gil_mine = {
    .about = "turns have numbers; who was asked waits for the next",
    .source = "assignment 04",
    .size_bytes = sizeof(struct gil_mine), .excludes = true,
    .param = {
        { "interval_us", "how long a waiter waits before it asks", 5000, 1, 10000000 },
        { "force", "1: who was asked waits until another has had the lock", 1, 0, 1 },
    },
    .init = init, .fini = fini,
    .acquire = acquire, .release = release, .yield = yield,
};
