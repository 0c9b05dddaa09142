/* mine.c - WRONG: the lock is given to one that sleeps, and is free until it wakes.
 *
 * So that no time is lost while it wakes up. A thread that comes meanwhile finds the lock free,
 * and the one that was named goes on all the same.
 *
 * Score: 0..20
 * Says: did not pass
 * Caught by: gil/tests/test_locks (tsan)
 */
#include "gil/gil.h"
#include "gil/mutex.h"
#include "gil/thread.h"

struct waiter {
    struct thread *thread; /* set once */
    bool named;            /* lock */
    pthread_cond_t woken;
    struct waiter *next; /* lock */
};

struct gil_mine {
    struct gil head;
    struct mutex lock;
    struct thread *holder; /* lock; NULL: free */
    struct waiter *first;  /* lock; in the order in which they came */
    uint64_t ends_ns;      /* lock; when the holder's turn is over */
};

enum { TURN_US };

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

static uint64_t turn_ns(const struct gil_mine *g)
{
    return (uint64_t)g->head.param[TURN_US] * NS_PER_US;
}

static void forget_request(struct thread *t)
{
    if (atomic_load_explicit(&t->breaker, memory_order_relaxed) & BREAKER_GIL)
        atomic_fetch_and_explicit(&t->breaker, ~(uint32_t)BREAKER_GIL, memory_order_relaxed);
}

static void begin(struct gil_mine *g, struct thread *t) REQUIRES(g->lock)
{
    g->holder = t;
    g->ends_ns = clock_ns() + turn_ns(g);
}

static struct waiter *next_in_line(struct gil_mine *g) REQUIRES(g->lock)
{
    return g->first;
}

static bool goes_before(const struct gil_mine *g, const struct thread *t,
                        const struct thread *holder) REQUIRES(g->lock)
{
    (void)g;
    (void)t;
    return holder->gil_words[0];
}

static void join_queue(struct gil_mine *g, struct waiter *w) REQUIRES(g->lock)
{
    struct waiter **end = &g->first;

    while (*end)
        end = &(*end)->next;
    *end = w;
    pthread_cond_init(&w->woken, NULL);
}

static void leave_queue(struct gil_mine *g, struct waiter *w) REQUIRES(g->lock)
{
    struct waiter **link = &g->first;

    while (*link != w)
        link = &(*link)->next;
    *link = w->next;
}

static void wait_for_turn(struct gil_mine *g, struct waiter *w) REQUIRES(g->lock)
{
    while (!w->named) {
        uint64_t now_ns = clock_ns(), until_ns = g->ends_ns;

        if (g->first != w) {
            cond_wait(&w->woken, &g->lock);
            continue;
        }
        if (now_ns >= until_ns) {
            if (g->holder)
                thread_request(g->holder, BREAKER_GIL);
            until_ns = now_ns + turn_ns(g);
        }
        cond_wait_until(&w->woken, &g->lock, until_ns);
    }
    pthread_cond_destroy(&w->woken);
    begin(g, w->thread);
}

static void pass_on(struct gil_mine *g) REQUIRES(g->lock)
{
    struct waiter *w = next_in_line(g);

    g->holder = NULL;
    if (!w)
        return;
    leave_queue(g, w);
    w->named = true;
    pthread_cond_signal(&w->woken);
    if (g->first)
        pthread_cond_signal(&g->first->woken);
}

static void acquire(struct gil *gil, struct thread *t)
{
    struct gil_mine *g = self(gil);
    struct waiter w = { .thread = t };

    mutex_lock(&g->lock);
    if (!g->holder) {
        begin(g, t);
    } else {
        if (goes_before(g, t, g->holder))
            thread_request(g->holder, BREAKER_GIL);
        join_queue(g, &w);
        wait_for_turn(g, &w);
    }
    mutex_unlock(&g->lock);
}

static void release(struct gil *gil, struct thread *t)
{
    mutex_lock(&self(gil)->lock);
    forget_request(t);
    t->gil_words[0] = 0;
    pass_on(self(gil));
    mutex_unlock(&self(gil)->lock);
}

static void yield(struct gil *gil, struct thread *t)
{
    struct gil_mine *g = self(gil);
    struct waiter w = { .thread = t };

    mutex_lock(&g->lock);
    forget_request(t);
    if (g->first) {
        t->gil_words[0] = 1;
        pass_on(g);
        join_queue(g, &w);
        wait_for_turn(g, &w);
    }
    mutex_unlock(&g->lock);
}

const struct gil_class gil_mine = {
    .about = "wrong: given by name, and free",
    .source = "assignment 05",
    .size_bytes = sizeof(struct gil_mine),
    .excludes = true,
    .fair = true,
    .param = { { "turn_us", "how long a turn lasts where others wait", 5000, 1, 10000000 } },
    .init = init,
    .fini = fini,
    .acquire = acquire,
    .release = release,
    .yield = yield,
};
