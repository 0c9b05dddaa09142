/* mine.c - one line; who comes back with time to spare stands in front.
 *
 * Each turn that comes at the end of the line is paid for with a budget, a part of a turn. A
 * thread that blocks keeps what is left of it, and may go to the front while any is left. One
 * that was interrupted stays where it was: first of those behind the front.
 *
 * Score: 70..100
 */
#include "gil/gil.h"
#include "gil/mutex.h"
#include "gil/thread.h"

struct waiter {
    struct thread *thread; /* set once */
    pthread_cond_t woken;
    bool in_front;       /* set once */
    struct waiter *next; /* lock */
};

struct gil_mine {
    struct gil head;
    struct mutex lock;
    struct thread *holder; /* lock; NULL: free. A waiter is named before it wakes */
    struct waiter *first;  /* lock; in the order in which they came */
    uint64_t ends_ns;      /* lock; when the holder's turn is over */
    uint64_t began_ns;     /* lock; when the holder began */
    bool from_front;       /* lock; how the holder got it */
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

/* From behind the front it gets a new budget. */
static void begin(struct gil_mine *g, struct thread *t, bool from_front) REQUIRES(g->lock)
{
    g->holder = t;
    g->from_front = from_front;
    g->began_ns = clock_ns();
    g->ends_ns = g->began_ns + turn_ns(g);
    if (!from_front)
        t->gil_words[0] = (int64_t)turn_ns(g) / 8;
}

static struct waiter *next_in_line(struct gil_mine *g) REQUIRES(g->lock)
{
    return g->first;
}

enum { BUDGET_NS }; /* of the thread's words: lock */

/* Of its last turn, what it has not used. */
static bool goes_before(const struct gil_mine *g, const struct thread *t,
                        const struct thread *holder) REQUIRES(g->lock)
{
    (void)g;
    (void)holder;
    return t->gil_words[BUDGET_NS] > 0;
}

static void charge(struct gil_mine *g, struct thread *t) REQUIRES(g->lock)
{
    t->gil_words[BUDGET_NS] -= (int64_t)(clock_ns() - g->began_ns);
}

/* At the end; or in front, behind those that stand there already. */
static void join_queue(struct gil_mine *g, struct waiter *w, bool at_the_end) REQUIRES(g->lock)
{
    struct waiter **link = &g->first;

    while (*link && (at_the_end || (*link)->in_front))
        link = &(*link)->next;
    w->next = *link;
    *link = w;
    pthread_cond_init(&w->woken, NULL);
}

static void leave_queue(struct gil_mine *g, struct waiter *w) REQUIRES(g->lock)
{
    struct waiter **link = &g->first;

    while (*link != w)
        link = &(*link)->next;
    *link = w->next;
}

/* Until it is named. The first in line looks whether the turn is over, and asks for its end. */
static void wait_for_turn(struct gil_mine *g, struct waiter *w) REQUIRES(g->lock)
{
    while (g->holder != w->thread) {
        uint64_t now_ns = clock_ns(), until_ns = g->ends_ns;

        if (g->first != w) {
            cond_wait(&w->woken, &g->lock);
            continue;
        }
        if (now_ns >= until_ns) {
            thread_request(g->holder, BREAKER_GIL);
            until_ns = now_ns + turn_ns(g);
        }
        cond_wait_until(&w->woken, &g->lock, until_ns);
    }
    pthread_cond_destroy(&w->woken);
}

static void pass_on(struct gil_mine *g) REQUIRES(g->lock)
{
    struct waiter *w = next_in_line(g);

    g->holder = NULL;
    if (!w)
        return;
    leave_queue(g, w);
    begin(g, w->thread, w->in_front);
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
        begin(g, t, t->gil_words[BUDGET_NS] > 0);
    } else {
        w.in_front = goes_before(g, t, g->holder);
        if (w.in_front)
            thread_request(g->holder, BREAKER_GIL);
        join_queue(g, &w, !w.in_front);
        wait_for_turn(g, &w);
    }
    mutex_unlock(&g->lock);
}

static void release(struct gil *gil, struct thread *t)
{
    mutex_lock(&self(gil)->lock);
    forget_request(t);
    charge(self(gil), t);
    pass_on(self(gil));
    mutex_unlock(&self(gil)->lock);
}

/* Interrupted, it waits first of all that are not in front; its turn over, last of all. */
static void yield(struct gil *gil, struct thread *t)
{
    struct gil_mine *g = self(gil);
    struct waiter w = { .thread = t };
    bool over;

    mutex_lock(&g->lock);
    forget_request(t);
    if (g->first) {
        over = clock_ns() >= g->ends_ns;
        charge(g, t);
        if (over && t->gil_words[BUDGET_NS] > 0)
            t->gil_words[BUDGET_NS] = 0;
        pass_on(g);
        join_queue(g, &w, over);
        wait_for_turn(g, &w);
    }
    mutex_unlock(&g->lock);
}

const struct gil_class gil_mine = {
    .about = "one line; who has budget left goes to its front",
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
