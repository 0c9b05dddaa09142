/* spinpark.c - a word: spin a little, then sleep in the kernel until it is free.
 *
 * What a mutex of today is, with an interval. A lock that will be free in a moment is had
 * without a system call on either side, and one that will not costs a short spin more. To
 * let go while nobody sleeps is one instruction. Whoever comes while it is free takes it,
 * before those who sleep: fast, and not fair. Only who was asked to let go is: it leaves
 * the lock held and offers it to the one it wakes, and sleeps.
 *
 * Source: mutex 3 of U. Drepper, "Futexes Are Tricky", 2011; to spin first: A. Karlin and
 * others, "Empirical Studies of Competitive Spinning for a Shared-Memory Multiprocessor",
 * SOSP 1991; the interval: gil/locks/interval.c.
 *
 * Who gets it next: who looks while it is FREE; an offer goes to one that sleeps or is about
 * to. `word`:
 *
 *      FREE ------> HELD ------> CONTENDED <------> OFFERED
 *        ^ <-------- '  to sleep     |      yields, is taken
 *        '---------------------------'   lets go, and wakes one
 *
 *   1. FREE is changed to HELD or CONTENDED, and OFFERED to CONTENDED, by compare-and-swap:
 *      who succeeds holds the lock. Only the holder goes to FREE or OFFERED.
 *   2. Those swaps acquire, and what the holder does to let go releases: one holder sees
 *      what the last one wrote. A waiter's change of HELD to CONTENDED passes
 *      nothing on, and the holder's release after it is a release of its own.
 *   3. Nobody sleeps but at a word that the kernel finds to be CONTENDED (or OFFERED: who
 *      offered it). To leave CONTENDED wakes one that sleeps, and one that was about to
 *      finds another word. So when the lock becomes free one that waits looks at it.
 *   4. Who has waited takes the lock as CONTENDED, though it may have been the last: else
 *      those that still sleep behind it would be forgotten. In vain it wakes at most once.
 *   5. An offer is taken: by who was woken for it, or who looks before it sleeps; and if
 *      there was nobody to wake, by who made it. No wake-up is lost.
 *   6. A waiter asks `holder` under `asking`. That thread had not written NULL there yet,
 *      which it does before it lets go; so it has not been through `leave`, which takes
 *      `asking` after that, and is alive. It may have let go meanwhile: then it yields
 *      once for nothing.
 */
#include "gil/futex.h"
#include "gil/gil.h"
#include "gil/mutex.h"
#include "gil/thread.h"

enum { FREE, HELD, CONTENDED, OFFERED };

struct gil_spinpark {
    struct gil head;
    _Atomic uint32_t word;           /* atomic */
    _Atomic(struct thread *) holder; /* who holds the lock writes; fact 6 */
    struct mutex asking;
};

enum { INTERVAL_US, SPINS };

static struct gil_spinpark *self(struct gil *gil)
{
    return (struct gil_spinpark *)gil;
}

static int init(struct gil *gil)
{
    mutex_init(&self(gil)->asking);
    return 0;
}

static void fini(struct gil *gil)
{
    mutex_fini(&self(gil)->asking);
}

/* Whoever is asking a thread that leaves is done when this has had its turn. */
static void leave(struct gil *gil, struct thread *t)
{
    (void)t;
    mutex_lock(&self(gil)->asking);
    mutex_unlock(&self(gil)->asking);
}

static bool swap_word(struct gil_spinpark *g, uint32_t from, uint32_t to)
{
    return atomic_compare_exchange_strong_explicit(&g->word, &from, to, memory_order_acquire,
                                                   memory_order_relaxed);
}

static bool spin(struct gil_spinpark *g)
{
    for (int64_t i = 0; i < g->head.param[SPINS]; i++) {
        if (atomic_load_explicit(&g->word, memory_order_relaxed) == FREE &&
            swap_word(g, FREE, HELD))
            return true;
        relax();
    }
    return false;
}

/* A last look before sleep. False: it is held, and its holder will wake who sleeps. */
static bool take_or_mark(struct gil_spinpark *g)
{
    uint32_t word = atomic_load_explicit(&g->word, memory_order_relaxed);

    while (word != CONTENDED)
        if (atomic_compare_exchange_weak_explicit(&g->word, &word, CONTENDED, memory_order_acquire,
                                                  memory_order_relaxed))
            return word != HELD;
    return false;
}

/* If the same thread held it at the beginning, or it was just changing hands. */
static void ask(struct gil_spinpark *g, const struct thread *before)
{
    struct thread *now;

    mutex_lock(&g->asking);
    now = atomic_load_explicit(&g->holder, memory_order_acquire);
    if (now && (now == before || !before))
        thread_request(now, BREAKER_GIL);
    mutex_unlock(&g->asking);
}

/* True: it has the lock. Who `offers` sleeps first, and lets the one it woke look. */
static bool sleep_an_interval(struct gil_spinpark *g, bool offers)
{
    const struct thread *holder = atomic_load_explicit(&g->holder, memory_order_relaxed);
    uint64_t deadline_ns = clock_ns() + (uint64_t)g->head.param[INTERVAL_US] * NS_PER_US;
    bool in_time = !offers || futex_wait_until(&g->word, OFFERED, deadline_ns);

    while (in_time) {
        if (take_or_mark(g))
            return true;
        in_time = futex_wait_until(&g->word, CONTENDED, deadline_ns);
    }
    ask(g, holder);
    return false;
}

static void park(struct gil_spinpark *g, bool offers)
{
    while (!sleep_an_interval(g, offers))
        offers = false;
}

/* Relaxed: who asks too late is answered at the next safe point. */
static void clear_request(struct thread *t)
{
    if (atomic_load_explicit(&t->breaker, memory_order_relaxed) & BREAKER_GIL)
        atomic_fetch_and_explicit(&t->breaker, ~(uint32_t)BREAKER_GIL, memory_order_relaxed);
}

/* Release, with the acquire of who asks: the thread was made before it could hold a lock. */
static void set_holder(struct gil_spinpark *g, struct thread *t)
{
    atomic_store_explicit(&g->holder, t, memory_order_release);
}

static void acquire(struct gil *gil, struct thread *t)
{
    struct gil_spinpark *g = self(gil);

    if (!swap_word(g, FREE, HELD) && !spin(g))
        park(g, false);
    set_holder(g, t);
    clear_request(t);
}

static void release(struct gil *gil, struct thread *t)
{
    struct gil_spinpark *g = self(gil);

    (void)t;
    set_holder(g, NULL);
    if (atomic_exchange_explicit(&g->word, FREE, memory_order_release) == CONTENDED)
        futex_wake_one(&g->word);
}

/* Gives the lock to one that sleeps, and gets it back; or there is none, and keeps it. */
static void offer(struct gil_spinpark *g)
{
    atomic_store_explicit(&g->word, OFFERED, memory_order_release);
    if (futex_wake_one(&g->word))
        park(g, true);
    else if (!swap_word(g, OFFERED, CONTENDED))
        park(g, false);
}

/* While it is HELD nobody waits but in a spin, which is short. */
static void yield(struct gil *gil, struct thread *t)
{
    struct gil_spinpark *g = self(gil);

    if (atomic_load_explicit(&g->word, memory_order_relaxed) == CONTENDED) {
        set_holder(g, NULL);
        offer(g);
        set_holder(g, t);
    }
    clear_request(t);
}

const struct gil_class gil_spinpark = {
    .about = "spins briefly, then sleeps in the kernel; who has waited an interval asks",
    .source = "U. Drepper, Futexes Are Tricky, 2011",
    .size_bytes = sizeof(struct gil_spinpark), .excludes = true,
    .param = {
        { "interval_us", "how long a waiter sleeps before it asks", 5000, 1, 10000000 },
        { "spins", "how often a waiter looks before it sleeps", 100, 0, 1000000 },
    },
    .init = init, .fini = fini, .leave = leave,
    .acquire = acquire, .release = release, .yield = yield,
};
