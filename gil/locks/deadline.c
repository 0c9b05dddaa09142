/* deadline.c - a scheduler in place of a lock: the earliest deadline goes next.
 *
 * Each thread has a slice of running time and a deadline. When the slice is used up it gets a
 * new one, and with it a deadline some slices ahead. A thread that blocks keeps what is left of
 * its slice, and with that its old deadline, while those that compute have got later ones; so
 * when it comes back it goes first, at once, for as long as the slice lasts. Nobody is marked as
 * this or that kind of thread: one that begins to compute uses up its slice and is then like
 * the others. Time is the scheduler's, which runs only while a thread has the lock.
 *
 * Source: N. Aides, the patch of bpo-7946, 2010, after the Linux scheduler BFS of C. Kolivas, 2009.
 *
 * Who gets the lock next: of those who wait and whose deadline has passed the one that came
 * first; else the one with the earliest deadline. It is given the turn before it wakes, and
 * until it has begun, a thread that comes and goes before it may snatch the turn: most often
 * the one that has just let go, for a call that did not block after all. "Goes before" is one
 * rule for that, for asking the holder at once, and for whether a holder that was asked lets go:
 * the other's deadline has not passed, and one's own is earlier.
 *
 * Before a waiter sleeps it spins for a moment, one at a time: who is asked lets go at its next
 * safe point, and who blocks often comes to its next blocking call, sooner than a thread wakes.
 *
 * What differs from the patch. It asks for a look at the slice after waiters x slice x 0.55,
 * each waiter for itself; here one waiter, the keeper of the time, sleeps until the slice ends.
 * So there are fewer wake-ups and a slice does not get longer with their number. Of two equal
 * deadlines the one that has begun goes first (in the patch the other), for threads that start
 * together have equal ones, and would take turns at each safe point. A thread that spins looks
 * at its own turn only, not at how long the holder has run.
 *
 * Invariants, under `lock`:
 *   1. at most one of `holder` and `turn` is set: who has begun, who is to begin. `turn` is in
 *      the queue;
 *   2. if somebody is in the queue, one of them is: who lets go gives the turn away, and who
 *      comes queues only if it finds one of them;
 *   3. a thread begins only when it is `turn`, or finds that neither is set, or snatches, which
 *      takes the turn from the one that had it. So two never begin;
 *   4. the queue is in the order of arrival, and words of its threads do not change but for
 *      the `holder`'s, which is charged for its running whenever somebody looks;
 *   5. only the holder or `turn` is asked, and each forgets it when it lets go;
 *   6. if somebody waits, one of them is the keeper, or is awake. Who is awake becomes it, or
 *      leaves the queue, and then wakes another.
 *
 * Why no wake-up is lost: a waiter looks at `turn` under the lock before it sleeps, and who sets
 * it signals under the lock. From whom it is snatched goes back to sleep, and stays in the queue.
 *
 * What it promises: once its deadline has passed nobody snatches a waiter's turn, and only those
 * go before it that came before it, each for a slice at most (and another one, if the keeper
 * slept for the turn of one before), and for its way to the next safe point. The deadline passes
 * when others have run for `slices_ahead` slices, of which a longer run counts as one. So every
 * wait is bounded.
 */
#include "gil/gil.h"
#include "gil/mutex.h"
#include "gil/thread.h"

#include <sched.h>
#include <stddef.h>

enum { SLICE_US, SLICES_AHEAD, SPIN_US, SNATCH };

/* The thread's words, both in ns of the scheduler's time: lock. */
enum { LEFT_NS, DEADLINE_NS };

struct waiter {
    struct thread *thread; /* set once */
    _Atomic bool chosen;   /* lock; read without by itself while it spins */
    pthread_cond_t woken;  /* chosen, or there is no keeper */
    struct waiter *next;   /* lock; who came after it */
};

struct gil_deadline {
    struct gil head;
    struct mutex lock;
    struct thread *holder;       /* lock; NULL: nobody has begun */
    struct waiter *turn;         /* lock; NULL: nobody is to begin */
    struct waiter *first, **end; /* lock; the queue */
    const struct waiter *keeper; /* lock; sleeps until the slice ends; NULL: none does */
    bool spins;                  /* lock; one waiter does */
    int64_t now_ns;              /* lock; the scheduler's time */
    uint64_t charged_ns;         /* lock; of clock_ns, until when the holder has been charged */
};

static struct gil_deadline *self(struct gil *gil)
{
    return (struct gil_deadline *)gil;
}

static int init(struct gil *gil)
{
    mutex_init(&self(gil)->lock);
    self(gil)->end = &self(gil)->first;
    return 0;
}

static void fini(struct gil *gil)
{
    mutex_fini(&self(gil)->lock);
}

/* A slice of nothing, or one that ends before it begins, would never let time pass. */
static int64_t slice_ns(const struct gil_deadline *g)
{
    int64_t slice_us = g->head.param[SLICE_US];

    return (slice_us > 0 ? slice_us : 1) * NS_PER_US;
}

/* Time advances by one slice at most, and be the holder away for longer: in a native call, or
 * because the kernel ran something else. Else all deadlines would have passed at once, and
 * what remains of their order is who came first. */
static void charge(struct gil_deadline *g) REQUIRES(g->lock)
{
    uint64_t from_ns = g->charged_ns;
    int64_t ran_ns;

    if (!g->holder)
        return;
    g->charged_ns = clock_ns();
    ran_ns = (int64_t)(g->charged_ns - from_ns);
    g->holder->gil_words[LEFT_NS] -= ran_ns;
    g->now_ns += ran_ns < slice_ns(g) ? ran_ns : slice_ns(g);
}

static void refill(struct gil_deadline *g, struct thread *t) REQUIRES(g->lock)
{
    /* cut 05: what does a thread get that has used up what it had? | (void)g, (void)t; */
    int64_t ahead = g->head.param[SLICES_AHEAD];

    if (t->gil_words[LEFT_NS] > 0)
        return;
    t->gil_words[LEFT_NS] = slice_ns(g);
    t->gil_words[DEADLINE_NS] = g->now_ns + (ahead > 0 ? ahead : 1) * slice_ns(g);
    /* end of cut */
}

static bool has_passed(const struct gil_deadline *g, const struct thread *t) REQUIRES(g->lock)
{
    return t->gil_words[DEADLINE_NS] <= g->now_ns;
}

static bool goes_before(const struct gil_deadline *g, const struct thread *t,
                        const struct thread *other) REQUIRES(g->lock)
{
    /* cut 05: who goes before whom? | return has_passed(g, other) && t == other; */
    return !has_passed(g, other) && t->gil_words[DEADLINE_NS] < other->gil_words[DEADLINE_NS];
    /* end of cut */
}

/* Who is to go next of those who wait; NULL: nobody waits. No other goes before one whose deadline
 * has passed, so of those it is the first. */
static struct waiter *most_urgent(struct gil_deadline *g) REQUIRES(g->lock)
{
    /* cut 05: who is next? | return g->first; */
    struct waiter *best = g->first;

    for (struct waiter *w = g->first; w; w = w->next)
        if (goes_before(g, w->thread, best->thread))
            best = w;
    return best;
    /* end of cut */
}

static void begin(struct gil_deadline *g, struct thread *t) REQUIRES(g->lock)
{
    g->holder = t;
    g->charged_ns = clock_ns();
}

/* Relaxed, as `chosen` everywhere: who has seen it looks again under the lock. */
static void mark(struct waiter *w, bool chosen)
{
    atomic_store_explicit(&w->chosen, chosen, memory_order_relaxed);
}

static void give_turn(struct gil_deadline *g, struct waiter *w) REQUIRES(g->lock)
{
    g->turn = w;
    if (!w)
        return;
    mark(w, true);
    pthread_cond_signal(&w->woken);
}

/* Relaxed, as all of this bit: it is set and cleared under g->lock, or by hand. */
static void forget_request(struct thread *t)
{
    if (atomic_load_explicit(&t->breaker, memory_order_relaxed) & BREAKER_GIL)
        atomic_fetch_and_explicit(&t->breaker, ~(uint32_t)BREAKER_GIL, memory_order_relaxed);
}

/* Whom to ask for the lock: who has begun, or will. */
static struct thread *runner(const struct gil_deadline *g) REQUIRES(g->lock)
{
    return g->holder ? g->holder : g->turn->thread;
}

static void join_queue(struct gil_deadline *g, struct waiter *w) REQUIRES(g->lock)
{
    pthread_cond_init(&w->woken, NULL);
    *g->end = w;
    g->end = &w->next;
}

/* Who leaves no keeper behind wakes one that may become it: fact 6. It need not have been the
 * keeper itself, but may have been woken to become it, and been chosen before it looked. */
static void leave_queue(struct gil_deadline *g, struct waiter *w) REQUIRES(g->lock)
{
    struct waiter **link = &g->first;

    while (*link != w)
        link = &(*link)->next;
    *link = w->next;
    if (g->end == &w->next)
        g->end = link;
    if (g->keeper == w)
        g->keeper = NULL;
    if (!g->keeper && g->first)
        pthread_cond_signal(&g->first->woken);
    pthread_cond_destroy(&w->woken);
}

/* How long until there is a slice to be looked at: what is left of the holder's, or a whole
 * one if nobody has begun, or if the holder's is over and it is on its way to a safe point. */
static int64_t time_to_look(struct gil_deadline *g) REQUIRES(g->lock)
{
    charge(g);
    if (g->holder && g->holder->gil_words[LEFT_NS] > 0)
        return g->holder->gil_words[LEFT_NS];
    return slice_ns(g);
}

/* Of a holder that has been charged: it may have computed alone, and nobody asked. */
static void ask_if_over(struct gil_deadline *g) REQUIRES(g->lock)
{
    if (g->holder && g->holder->gil_words[LEFT_NS] <= 0)
        thread_request(g->holder, BREAKER_GIL);
}

/* Sleeps until then, and asks a holder whose slice is over. */
static void keep_time(struct gil_deadline *g, struct waiter *w) REQUIRES(g->lock)
{
    uint64_t until_ns = clock_ns() + (uint64_t)time_to_look(g);

    g->keeper = w;
    ask_if_over(g);
    if (cond_wait_until(&w->woken, &g->lock, until_ns))
        return;
    charge(g);
    ask_if_over(g);
}

/* The lock is not held meanwhile: the turn may come, and go again. */
static void spin(struct gil_deadline *g, struct waiter *w) REQUIRES(g->lock)
{
    uint64_t end_ns = clock_ns() + (uint64_t)g->head.param[SPIN_US] * NS_PER_US;

    g->spins = true;
    mutex_unlock(&g->lock);
    while (!atomic_load_explicit(&w->chosen, memory_order_relaxed) && clock_ns() < end_ns)
        sched_yield();
    mutex_lock(&g->lock);
    g->spins = false;
}

static void wait_for_turn(struct gil_deadline *g, struct waiter *w) REQUIRES(g->lock)
{
    join_queue(g, w);
    /* cut 05: who may ask at once? | (void)runner; */
    if (goes_before(g, w->thread, runner(g)))
        thread_request(runner(g), BREAKER_GIL);
    /* end of cut */
    if (!g->spins && g->head.param[SPIN_US] > 0)
        spin(g, w);
    while (g->turn != w)
        if (!g->keeper || g->keeper == w)
            keep_time(g, w);
        else
            cond_wait(&w->woken, &g->lock);
    g->turn = NULL;
    leave_queue(g, w);
}

static bool can_snatch(const struct gil_deadline *g, const struct thread *t) REQUIRES(g->lock)
{
    return g->turn && g->head.param[SNATCH] && goes_before(g, t, g->turn->thread);
}

static void acquire(struct gil *gil, struct thread *t)
{
    struct gil_deadline *g = self(gil);
    struct waiter w = { .thread = t };

    mutex_lock(&g->lock);
    charge(g);
    refill(g, t);
    if (can_snatch(g, t)) {
        mark(g->turn, false);
        g->turn = NULL;
    } else if (g->holder || g->turn) {
        wait_for_turn(g, &w);
    }
    begin(g, t);
    mutex_unlock(&g->lock);
}

static void release(struct gil *gil, struct thread *t)
{
    struct gil_deadline *g = self(gil);

    mutex_lock(&g->lock);
    forget_request(t);
    charge(g);
    g->holder = NULL;
    give_turn(g, most_urgent(g));
    mutex_unlock(&g->lock);
}

static void yield(struct gil *gil, struct thread *t)
{
    struct gil_deadline *g = self(gil);
    struct waiter w = { .thread = t }, *next;

    mutex_lock(&g->lock);
    forget_request(t);
    charge(g);
    refill(g, t);
    next = most_urgent(g);
    if (next && goes_before(g, next->thread, t)) {
        g->holder = NULL;
        give_turn(g, next);
        wait_for_turn(g, &w);
        begin(g, t);
    }
    mutex_unlock(&g->lock);
}

const struct gil_class gil_deadline = {
    .about = "the earliest deadline goes next; who blocks keeps its slice, and its deadline",
    .source = "N. Aides, the BFS patch of bpo-7946 (2010)",
    .size_bytes = sizeof(struct gil_deadline), .excludes = true, .fair = true,
    .param = {
        { "slice_us", "how long a thread may run before its deadline is put off", 10000, 1,
          100000000 },
        { "slices_ahead", "how far ahead a deadline is set", 8, 1, 1000 },
        { "spin_us", "how long a waiter spins before it sleeps, one at a time; 0: never", 12, 0,
          1000 },
        { "snatch", "1: who goes before one that has not begun takes its turn", 1, 0, 1 },
    },
    .init = init, .fini = fini,
    .acquire = acquire, .release = release, .yield = yield,
};
