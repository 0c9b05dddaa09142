/* steal.c - PyPy's lock: one word, a waiter that watches it, and a hand-over now and then.
 *
 * To let go is one store and to take is one exchange, so blocking calls cost next to
 * nothing while nobody waits; but nobody is told. Those who wait queue for a mutex, and its
 * owner, the stealer, looks at the word every tenth of a millisecond and takes the lock
 * when it finds it free. Beside a thread that lets go and takes again within microseconds it
 * seldom does. So every so many safe points the holder gives the lock away if anybody
 * waits: it leaves the word as it is and tells the stealer that the lock is its own.
 *
 * Source: PyPy, rpython/translator/c/src/thread_gil.c (A. Rigo, 2014). There the gift is that
 * a second mutex is unlocked. Some versions of it poll a while without sleeping, first; this
 * one does not.
 *
 * Who gets the lock next: a thread that finds the word free as it comes; else the stealer.
 * Who is the stealer next the mutex decides, roughly by order of arrival.
 *   1. The lock is held while `word` is 1 and no gift lies there, is given while it is 1 and
 *      `gift` is true, and is free while it is 0. A gift is made by the holder alone, so
 *      there is one at most, and the word stays 1 until who took the gift lets go.
 *   2. The exchange acquires and the store of a release releases, so a holder sees what the
 *      last one wrote; a gift is made and taken under `lock`, which orders as much. Nothing
 *      weaker would do, and nothing stronger is asked for: no other word is compared.
 *   3. Only the stealer takes gifts. It sleeps at `given` having seen under `lock` that there
 *      is none, and a gift signals. Or there is no stealer yet: then it will see it at its
 *      first look. So no gift is overlooked. A release wakes nobody, and need not:
 *      the stealer looks again after `poll_us`.
 *   4. Who gives has seen `waiting`, relaxed, which may be out of date. If it is too low, the
 *      holder will look again after its next turn. It cannot count one who does not want
 *      the lock any more: a waiter that had got it would be the holder, and not this thread.
 *      At worst who gave becomes the stealer first, and takes its own gift.
 *   5. `left` is the holder's: one number for all threads, as in PyPy.
 */
#include "gil/gil.h"
#include "gil/mutex.h"
#include "gil/thread.h"

enum { FREE, HELD };

struct gil_steal {
    struct gil head;
    _Atomic uint32_t word; /* atomic; FREE or HELD */
    _Atomic int waiting;   /* atomic; threads that found it held and have not got it */
    struct mutex stealer;  /* its owner is the stealer; held while it waits */
    struct mutex lock;
    pthread_cond_t given; /* gift has become true */
    bool gift;            /* lock */
    int64_t left;         /* gil; safe points until the next gift */
};

enum { EVERY, POLL_US };

static struct gil_steal *self(struct gil *gil)
{
    return (struct gil_steal *)gil;
}

static int init(struct gil *gil)
{
    struct gil_steal *g = self(gil);

    mutex_init(&g->stealer);
    mutex_init(&g->lock);
    pthread_cond_init(&g->given, NULL);
    g->left = gil->param[EVERY];
    return 0;
}

static void fini(struct gil *gil)
{
    pthread_cond_destroy(&self(gil)->given);
    mutex_fini(&self(gil)->lock);
    mutex_fini(&self(gil)->stealer);
}

/* The bit stays set: each safe point takes the slow path, and is counted there. */
static void enter(struct gil *gil, struct thread *t)
{
    (void)gil;
    thread_request(t, BREAKER_GIL);
}

/* Looks first, for an exchange takes the word's cache line from its holder. */
static bool take_free(struct gil_steal *g)
{
    return atomic_load_explicit(&g->word, memory_order_relaxed) == FREE &&
           atomic_exchange_explicit(&g->word, HELD, memory_order_acquire) == FREE;
}

/* Waits for a gift until it is time to look at the word again. */
static bool take_gift(struct gil_steal *g)
{
    uint64_t deadline_ns = clock_ns() + (uint64_t)g->head.param[POLL_US] * NS_PER_US;
    bool given;

    mutex_lock(&g->lock);
    while (!g->gift && cond_wait_until(&g->given, &g->lock, deadline_ns))
        ;
    given = g->gift;
    g->gift = false;
    mutex_unlock(&g->lock);
    return given;
}

static void wait_and_steal(struct gil_steal *g)
{
    atomic_fetch_add_explicit(&g->waiting, 1, memory_order_relaxed);
    mutex_lock(&g->stealer);
    while (!take_free(g) && !take_gift(g))
        ;
    atomic_fetch_sub_explicit(&g->waiting, 1, memory_order_relaxed);
    mutex_unlock(&g->stealer);
}

static void acquire(struct gil *gil, struct thread *t)
{
    struct gil_steal *g = self(gil);

    (void)t;
    if (unlikely(atomic_exchange_explicit(&g->word, HELD, memory_order_acquire) != FREE))
        wait_and_steal(g);
}

static void release(struct gil *gil, struct thread *t)
{
    (void)t;
    atomic_store_explicit(&self(gil)->word, FREE, memory_order_release);
}

static bool due(struct gil *gil, struct thread *t)
{
    (void)t;
    if (--self(gil)->left > 0)
        return false;
    self(gil)->left = gil->param[EVERY];
    return true;
}

static void give(struct gil_steal *g)
{
    mutex_lock(&g->lock);
    g->gift = true;
    pthread_cond_signal(&g->given);
    mutex_unlock(&g->lock);
}

static void yield(struct gil *gil, struct thread *t)
{
    struct gil_steal *g = self(gil);

    (void)t;
    if (atomic_load_explicit(&g->waiting, memory_order_relaxed) == 0)
        return;
    give(g);
    wait_and_steal(g); /* the word is HELD, in other hands */
}

const struct gil_class gil_steal = {
    .about = "one word; a waiter polls it, and is handed the lock every so many safe points",
    .source = "PyPy, thread_gil.c (A. Rigo, 2014)",
    .size_bytes = sizeof(struct gil_steal), .excludes = true,
    .param = {
        { "every_safepoints", "safe points between two hand-overs", 10000, 1, 1000000000 },
        { "poll_us", "how often a waiter looks whether it is free", 100, 1, 10000000 },
    },
    .init = init, .fini = fini, .enter = enter,
    .acquire = acquire, .release = release, .due = due, .yield = yield,
};
