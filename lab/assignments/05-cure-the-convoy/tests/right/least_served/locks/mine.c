/* mine.c - who has had least of the lock goes next.
 *
 * As the kernel's scheduler shares out a processor. A thread that mostly waits has always had
 * less than one that computes, so it goes first, and pays for what it uses like everybody.
 *
 * Score: 70..100
 */
#include "gil/gil.h"
#include "gil/mutex.h"
#include "gil/thread.h"

struct waiter {
    struct thread *thread; /* set once */
    pthread_cond_t woken;
    struct waiter *next; /* lock */
};

struct gil_mine {
    struct gil head;
    struct mutex lock;
    struct thread *holder; /* lock; NULL: free. A waiter is named before it wakes */
    struct waiter *first;  /* lock; in the order in which they came */
    uint64_t ends_ns;      /* lock; when the holder's turn is over */
    uint64_t began_ns;     /* lock; when the holder began */
    int64_t level_ns;      /* lock; what the one had that was served last; never falls */
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
    g->began_ns = clock_ns();
    g->ends_ns = g->began_ns + turn_ns(g);
    if (t->gil_words[0] > g->level_ns)
        g->level_ns = t->gil_words[0];
}

enum {
    SERVED_NS
}; /* of the thread's words, lock: how long it has had the lock, from a common start */

static int64_t served(const struct gil_mine *g, const struct thread *t, uint64_t now_ns)
    REQUIRES(g->lock)
{
    return t->gil_words[SERVED_NS] + (t == g->holder ? (int64_t)(now_ns - g->began_ns) : 0);
}

/* By so much that equals do not interrupt each other. */
static bool goes_before(const struct gil_mine *g, const struct thread *t,
                        const struct thread *holder) REQUIRES(g->lock)
{
    uint64_t now_ns = clock_ns();

    return served(g, t, now_ns) + (int64_t)turn_ns(g) / 2 < served(g, holder, now_ns);
}

static struct waiter *next_in_line(struct gil_mine *g) REQUIRES(g->lock)
{
    struct waiter *least = g->first;

    for (struct waiter *w = g->first; w; w = w->next)
        if (w->thread->gil_words[SERVED_NS] < least->thread->gil_words[SERVED_NS])
            least = w;
    return least;
}

/* The holder lets go. */
static void charge(struct gil_mine *g, struct thread *t) REQUIRES(g->lock)
{
    t->gil_words[SERVED_NS] = served(g, t, clock_ns());
}

/* Who comes may have saved up one turn, and no more: else a thread that slept for an hour would
 * have the lock for an hour. */
static void catch_up(struct gil_mine *g, struct thread *t) REQUIRES(g->lock)
{
    int64_t least_ns = g->level_ns - (int64_t)turn_ns(g);

    if (t->gil_words[SERVED_NS] < least_ns)
        t->gil_words[SERVED_NS] = least_ns;
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
    begin(g, w->thread);
    pthread_cond_signal(&w->woken);
    if (g->first)
        pthread_cond_signal(&g->first->woken);
}

static void acquire(struct gil *gil, struct thread *t)
{
    struct gil_mine *g = self(gil);
    struct waiter w = { .thread = t };

    mutex_lock(&g->lock);
    catch_up(g, t);
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
    charge(self(gil), t);
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
        charge(g, t);
        pass_on(g);
        join_queue(g, &w);
        wait_for_turn(g, &w);
    }
    mutex_unlock(&g->lock);
}

const struct gil_class gil_mine = {
    .about = "who has had least of the lock goes next",
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
