/* mine.c - who uses up its turn is low, who blocks is high; the low are not forgotten.
 *
 * After D. Beazley, with one rule more: of eight turns that are given away while a low thread
 * waits, one is given to it. The lock is handed over by name.
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
    int passed_over;       /* lock; high ones, since a low one had a turn */
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

enum { LEVEL }; /* of the thread's words: lock */
enum { HIGH, LOW };

static bool is_low(const struct thread *t)
{
    return t->gil_words[LEVEL] == LOW;
}

static bool goes_before(const struct gil_mine *g, const struct thread *t,
                        const struct thread *holder) REQUIRES(g->lock)
{
    (void)g;
    return is_low(holder) && !is_low(t);
}

static struct waiter *first_of_level(struct gil_mine *g, int level) REQUIRES(g->lock)
{
    struct waiter *w = g->first;

    while (w && w->thread->gil_words[LEVEL] != level)
        w = w->next;
    return w;
}

/* The first of the high; but of so many turns the low have one. */
static struct waiter *next_in_line(struct gil_mine *g) REQUIRES(g->lock)
{
    enum { LOW_EVERY = 8 };
    struct waiter *high = first_of_level(g, HIGH), *low = first_of_level(g, LOW);

    if (!high || (low && ++g->passed_over == LOW_EVERY)) {
        g->passed_over = 0;
        return low;
    }
    return high;
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
    t->gil_words[LEVEL] = HIGH;
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
        if (clock_ns() >= g->ends_ns)
            t->gil_words[LEVEL] = LOW;
        pass_on(g);
        join_queue(g, &w);
        wait_for_turn(g, &w);
    }
    mutex_unlock(&g->lock);
}

const struct gil_class gil_mine = {
    .about = "two levels; of eight turns the low have one",
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
