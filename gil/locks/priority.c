/* priority.c - two levels: who was forced off is low, who gave up by itself is high.
 *
 * A thread that computes until a waiter's patience ends has shown that it can wait; one that
 * blocks before that has shown that it will be gone again soon. So the first becomes low, the
 * second high, and a high thread that comes back while a low one holds the lock asks for it at
 * once: that is the cure of the convoy effect (see interval.c) by the one thing that a lock
 * knows of its threads, how they let go of it. Equals wait an interval before they ask. A
 * thread begins high. (At a stopped world a thread detaches, which looks like giving up.)
 *
 * Source: D. Beazley, "Revisiting thread priorities and the new GIL", 2010.
 *
 * Who gets the lock next: the first of the high in their order of arrival, else the first of
 * the low. Let go by a thread that nobody had asked, the lock is free, and whoever comes before
 * the first of the queue wakes may take it: a thread that blocks for nothing goes on so. Let go
 * on request it is given to the first of the queue, as its own before it wakes. (Beazley, as
 * CPython, leaves the lock free and makes the one that was asked wait for a switch. The effect
 * is the same, but for whom the switch is to.)
 *
 * Invariants, under `lock`:
 *   1. `holder` is the thread that has the lock, NULL while it is free. One that got it while
 *      it waited is still in its queue until it wakes, and then only leaves;
 *   2. who is in a queue waits, and takes the lock only if it is free and nobody is before it:
 *      a thread that was forced off is behind the one it was asked for;
 *   3. only the holder is asked, and it forgets the request when it lets go: a request is
 *      never one for a turn that is over, and none is forgotten;
 *   4. only low threads are in the queue of the low, all others in that of the high. A thread
 *      that comes from outside is high, so nobody low takes the lock before the queue.
 *
 * Why no wake-up is lost: nobody joins a queue while the lock is free, but one that takes it
 * first. Whoever lets go wakes the one that is first then. That one finds the lock free or
 * its own, and takes it, or taken by another that came before it, who will let go, too.
 *
 * What it promises: no bound. One thread that keeps coming back before the first of the queue is
 * awake is asked after an interval, and then the lock is given; but if it is another thread each
 * time, that is a switch, and the interval begins anew. And a low thread starves while high ones
 * keep coming.
 */
#include "gil/gil.h"
#include "gil/mutex.h"
#include "gil/thread.h"

#include <stddef.h>

enum { INTERVAL_US };

enum level { HIGH, LOW, LEVELS };

enum { LEVEL }; /* of the thread's words: lock */

struct waiter {
    struct thread *thread; /* set once */
    pthread_cond_t woken;
    struct waiter *next; /* lock; who came after it */
};

struct queue {
    struct waiter *first, **end; /* lock */
};

struct gil_priority {
    struct gil head;
    struct mutex lock;
    struct thread *holder;       /* lock */
    uint64_t switches;           /* lock; how often a holder was followed by another */
    struct thread *last;         /* lock; the last that held it, which may have left */
    struct queue queues[LEVELS]; /* lock */
};

static struct gil_priority *self(struct gil *gil)
{
    return (struct gil_priority *)gil;
}

static int init(struct gil *gil)
{
    struct gil_priority *g = self(gil);

    mutex_init(&g->lock);
    for (int level = 0; level < LEVELS; level++)
        g->queues[level].end = &g->queues[level].first;
    return 0;
}

static void fini(struct gil *gil)
{
    mutex_fini(&self(gil)->lock);
}

static struct queue *queue_of(struct gil_priority *g, const struct thread *t) REQUIRES(g->lock)
{
    return &g->queues[t->gil_words[LEVEL]];
}

static struct waiter *first_of_all(struct gil_priority *g) REQUIRES(g->lock)
{
    return g->queues[HIGH].first ? g->queues[HIGH].first : g->queues[LOW].first;
}

static void join_queue(struct queue *queue, struct waiter *w)
{
    pthread_cond_init(&w->woken, NULL);
    w->next = NULL;
    *queue->end = w;
    queue->end = &w->next;
}

static void leave_queue(struct queue *queue, struct waiter *w)
{
    struct waiter **link = &queue->first;

    while (*link != w)
        link = &(*link)->next;
    *link = w->next;
    if (queue->end == &w->next)
        queue->end = link;
    pthread_cond_destroy(&w->woken);
}

static void hold(struct gil_priority *g, struct thread *t) REQUIRES(g->lock)
{
    g->holder = t;
    g->switches += g->last != t;
    g->last = t;
}

/* Relaxed, as all of this bit: it is set and cleared under g->lock, or by hand. */
static bool is_asked(struct thread *t)
{
    return atomic_load_explicit(&t->breaker, memory_order_relaxed) & BREAKER_GIL;
}

/* Whether there was a request; there is none any more. */
static bool forget_request(struct thread *t)
{
    if (!is_asked(t))
        return false;
    atomic_fetch_and_explicit(&t->breaker, ~(uint32_t)BREAKER_GIL, memory_order_relaxed);
    return true;
}

/* Sleeps at most for one interval; asks the holder if nothing has moved in it. */
static void wait_an_interval(struct gil_priority *g, struct waiter *w) REQUIRES(g->lock)
{
    uint64_t switches = g->switches;
    uint64_t deadline_ns = clock_ns() + (uint64_t)g->head.param[INTERVAL_US] * NS_PER_US;
    bool in_time = cond_wait_until(&w->woken, &g->lock, deadline_ns);

    if (!in_time && g->holder && g->holder != w->thread && g->switches == switches)
        thread_request(g->holder, BREAKER_GIL);
}

/* Until the lock is its own, or free and nobody is before it. */
static void wait_for_turn(struct gil_priority *g, struct waiter *w) REQUIRES(g->lock)
{
    struct queue *queue = queue_of(g, w->thread);

    join_queue(queue, w);
    while (g->holder != w->thread && (g->holder || first_of_all(g) != w))
        wait_an_interval(g, w);
    leave_queue(queue, w);
}

static bool is_low(const struct thread *t)
{
    return t->gil_words[LEVEL] == LOW;
}

static void acquire(struct gil *gil, struct thread *t)
{
    struct gil_priority *g = self(gil);
    struct waiter w = { .thread = t };

    mutex_lock(&g->lock);
    if (g->holder) {
        if (is_low(g->holder) && !is_low(t))
            thread_request(g->holder, BREAKER_GIL);
        wait_for_turn(g, &w);
    }
    if (g->holder != t)
        hold(g, t);
    mutex_unlock(&g->lock);
}

/* To the first of the queue, if there is one and the thread was `asked` for it. */
static void let_go(struct gil_priority *g, bool asked) REQUIRES(g->lock)
{
    struct waiter *first = first_of_all(g);

    g->holder = NULL;
    if (!first)
        return;
    if (asked)
        hold(g, first->thread);
    pthread_cond_signal(&first->woken);
}

static void release(struct gil *gil, struct thread *t)
{
    struct gil_priority *g = self(gil);

    mutex_lock(&g->lock);
    t->gil_words[LEVEL] = HIGH;
    let_go(g, forget_request(t));
    mutex_unlock(&g->lock);
}

/* With nobody in the queue there is nobody who has forced it off: it keeps its level. */
static void yield(struct gil *gil, struct thread *t)
{
    struct gil_priority *g = self(gil);
    struct waiter w = { .thread = t };

    mutex_lock(&g->lock);
    forget_request(t);
    if (first_of_all(g)) {
        t->gil_words[LEVEL] = LOW;
        let_go(g, true);
        wait_for_turn(g, &w);
        if (g->holder != t)
            hold(g, t);
    }
    mutex_unlock(&g->lock);
}

const struct gil_class gil_priority = {
    .about = "who blocks goes before who computes, at once; equals wait an interval",
    .source = "D. Beazley, the priority GIL (2010)", .size_bytes = sizeof(struct gil_priority),
    .excludes = true,
    .param = { { "interval_us", "how long a waiter waits before it asks one of its level", 5000, 1,
                 100000000 } },
    .init = init, .fini = fini,
    .acquire = acquire, .release = release, .yield = yield,
};
