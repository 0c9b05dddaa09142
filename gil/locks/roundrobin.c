/* roundrobin.c - in the order of arrival: a ticket for everyone, and nobody overtakes.
 *
 * Who wants the lock draws a ticket and is served when its number comes. To let go is to
 * call the next number: that thread holds the lock from then on, asleep or not, so neither
 * the one that let go nor a newcomer can come before it. Among equals this is as fair as it
 * can be. It costs a wake-up on the way of each hand-over, and the lock idles meanwhile.
 *
 * The waiter at the head asks the holder to let go when it has been at the head for an
 * interval while that thread ran; those behind it just sleep. A thread that comes back
 * from a blocking call waits for everyone before it, an interval for each that computes.
 *
 * Source: the round-robin variant of K. V. Jonsson, bpo-8299, "Improve GIL in 2.7", 2010.
 *
 * Invariants, under `lock`, whose holders it orders:
 *   1. Tickets are drawn one after the other and never given back. The thread with the ticket
 *      `serving` holds the lock; it is free if that ticket has not been drawn.
 *   2. Only the holder adds to `serving`. So whoever draws before another is served before
 *      it, and between a thread's drawing and its turn nobody has two turns.
 *   3. `holder` is who holds the lock, once it has woken up; else NULL. While a waiter is at
 *      the head the holder does not change but from NULL, and so is alive when asked.
 *   4. Who waits has seen under `lock` that its number has not come. To call a number, or to
 *      wake up as the holder, signals those whose numbers share the condition, all of them:
 *      the called one is among them or has not looked yet. No wake-up is lost.
 */
#include "gil/gil.h"
#include "gil/mutex.h"
#include "gil/thread.h"

/* In test builds so few that numbers share a condition, and some wake for nothing. */
#ifdef NDEBUG
enum { CONDITIONS = 64 };
#else
enum { CONDITIONS = 8 };
#endif

struct gil_roundrobin {
    struct gil head;
    struct mutex lock;
    uint64_t next;                     /* lock; the ticket that will be drawn */
    uint64_t serving;                  /* lock; the ticket of who holds the lock */
    struct thread *holder;             /* lock; fact 3 */
    pthread_cond_t called[CONDITIONS]; /* by ticket: its number has come, or it is the head */
};

enum { INTERVAL_US };

static struct gil_roundrobin *self(struct gil *gil)
{
    return (struct gil_roundrobin *)gil;
}

static int init(struct gil *gil)
{
    mutex_init(&self(gil)->lock);
    for (int i = 0; i < CONDITIONS; i++)
        pthread_cond_init(&self(gil)->called[i], NULL);
    return 0;
}

static void fini(struct gil *gil)
{
    for (int i = 0; i < CONDITIONS; i++)
        pthread_cond_destroy(&self(gil)->called[i]);
    mutex_fini(&self(gil)->lock);
}

static pthread_cond_t *condition_of(struct gil_roundrobin *g, uint64_t ticket)
{
    return &g->called[ticket % CONDITIONS];
}

/* If it has been drawn. */
static void call(struct gil_roundrobin *g, uint64_t ticket) REQUIRES(g->lock)
{
    if (ticket < g->next)
        pthread_cond_broadcast(condition_of(g, ticket));
}

/* Whether this is the next ticket after that of a holder who runs. */
static bool is_head(const struct gil_roundrobin *g, uint64_t ticket)
{
    return ticket == g->serving + 1 && g->holder;
}

/* At the head: one interval, and if that has brought nothing the holder is asked. Once is
 * enough, for what is asked is kept until the holder lets go. */
static void wait_at_head(struct gil_roundrobin *g, uint64_t ticket) REQUIRES(g->lock)
{
    uint64_t deadline_ns = clock_ns() + (uint64_t)g->head.param[INTERVAL_US] * NS_PER_US;
    bool in_time = true;

    while (g->serving != ticket && in_time)
        in_time = cond_wait_until(condition_of(g, ticket), &g->lock, deadline_ns);
    if (g->serving != ticket)
        thread_request(g->holder, BREAKER_GIL);
}

static void wait_for_turn(struct gil_roundrobin *g, uint64_t ticket) REQUIRES(g->lock)
{
    while (g->serving != ticket && !is_head(g, ticket))
        cond_wait(condition_of(g, ticket), &g->lock);
    if (g->serving != ticket)
        wait_at_head(g, ticket);
    while (g->serving != ticket)
        cond_wait(condition_of(g, ticket), &g->lock);
}

/* The head's interval begins now, and not when its number was still further back, or when
 * the holder was called but asleep. */
static void take(struct gil_roundrobin *g, struct thread *t) REQUIRES(g->lock)
{
    uint64_t ticket = g->next++;

    wait_for_turn(g, ticket);
    g->holder = t;
    call(g, ticket + 1);
    /* Relaxed: waiters ask under g->lock. */
    if (atomic_load_explicit(&t->breaker, memory_order_relaxed) & BREAKER_GIL)
        atomic_fetch_and_explicit(&t->breaker, ~(uint32_t)BREAKER_GIL, memory_order_relaxed);
}

static void pass_on(struct gil_roundrobin *g) REQUIRES(g->lock)
{
    g->holder = NULL;
    g->serving++;
    call(g, g->serving);
}

static void acquire(struct gil *gil, struct thread *t)
{
    mutex_lock(&self(gil)->lock);
    take(self(gil), t);
    mutex_unlock(&self(gil)->lock);
}

static void release(struct gil *gil, struct thread *t)
{
    (void)t;
    mutex_lock(&self(gil)->lock);
    pass_on(self(gil));
    mutex_unlock(&self(gil)->lock);
}

/* In one step, so that who yields is behind those who wait now and before all others. */
static void yield(struct gil *gil, struct thread *t)
{
    mutex_lock(&self(gil)->lock);
    pass_on(self(gil));
    take(self(gil), t);
    mutex_unlock(&self(gil)->lock);
}

const struct gil_class gil_roundrobin = {
    .about = "tickets: served in the order of arrival; the first in line asks after an interval",
    .source = "K. V. Jonsson, bpo-8299, 2010",
    .size_bytes = sizeof(struct gil_roundrobin), .excludes = true, .fair = true,
    .param = { { "interval_us", "how long the first in line waits before it asks", 5000, 1,
                 10000000 } },
    .init = init, .fini = fini,
    .acquire = acquire, .release = release, .yield = yield,
};
