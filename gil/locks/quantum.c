/* quantum.c - Ruby's lock: a queue, handed over to its first, and a timer that ends turns.
 *
 * Who wants the lock queues, and to let go is to name the next and wake it: it holds the
 * lock before it has woken up, so nobody comes between. Waiters have no clock. A thread of
 * the lock's own ticks while somebody waits, and asks the holder to let go when it has run
 * for so many ticks. A thread that comes back from a blocking call waits for a whole quantum
 * of each thread before it that computes, a tenth of a second (Ruby's bug #20861).
 *
 * Source: Ruby's thread_pthread.c, from 3.3 (K. Sasada, 2023): ticks of 10 ms, a quantum of
 * ten of them. As there, only ticks are counted, and only while somebody waits; so the first
 * of them may be cut short, and a turn that others wait for lasts more than `quantum_ticks`
 * - 1 of them. But Ruby's holder counts the ticks that it is told of, and here the timer
 * counts; Ruby has priorities that stretch the quantum, and this lock none.
 *
 * `quantum:tick_us=50000:quantum_ticks=1` is OCaml's master lock (systhreads,
 * st_pthreads.h): each 50 ms the holder is asked, if anybody waits, however short its
 * turn has been. What differs: OCaml's ticks go on while nobody waits; and it hands over to
 * nobody in particular, but signals one waiter, and who yields waits until any other has
 * taken the lock. There a newcomer may overtake, here it queues.
 *
 * Invariants, under `lock`, whose holders it orders:
 *   1. `holder` is who holds the lock, NULL if it is free. Only the holder takes its own
 *      name away, and in the same step it puts the first of the queue there, or NULL if
 *      nobody waits. So while anybody waits the lock is not free, and nobody overtakes.
 *   2. Who waits stands in the queue from before it sleeps until it is named; it is named
 *      and signalled under `lock`, on a condition of its own. No wake-up is lost.
 *   3. `holder` is alive when asked: it is attached, or in acquire.
 *   4. While the queue is not empty, the timer sleeps no longer than a tick; who finds it
 *      asleep without a timeout (`idle`) as it begins to wait wakes it. While the queue
 *      is empty it sleeps, but for the rest of one tick, without.
 */
#include "gil/gil.h"
#include "gil/mutex.h"
#include "gil/thread.h"

#include <errno.h>
#include <signal.h>

/* Stands on the stack of the one who waits. */
struct waiter {
    struct thread *thread; /* set once */
    struct waiter *next;   /* lock; who came after it */
    pthread_cond_t named;  /* it has become the holder */
};

struct gil_quantum {
    struct gil head;
    struct mutex lock;
    struct thread *holder; /* lock */
    struct waiter *first;  /* lock; the queue, NULL while it is empty */
    struct waiter **last;  /* lock; where the next to come is linked */
    int64_t ticks;         /* lock; so many have passed in this turn while somebody waited */
    bool idle;             /* lock; the timer sleeps without a timeout */
    bool ending;           /* lock */
    pthread_cond_t wanted; /* somebody waits, or the timer is to end */
    pthread_t timer;       /* set once */
};

enum { TICK_US, QUANTUM_TICKS };

static struct gil_quantum *self(struct gil *gil)
{
    return (struct gil_quantum *)gil;
}

static void wait_until_wanted(struct gil_quantum *g) REQUIRES(g->lock)
{
    g->idle = true;
    while (!g->first && !g->ending)
        cond_wait(&g->wanted, &g->lock);
    g->idle = false;
}

static void wait_a_tick(struct gil_quantum *g) REQUIRES(g->lock)
{
    uint64_t deadline_ns = clock_ns() + (uint64_t)g->head.param[TICK_US] * NS_PER_US;

    while (!g->ending && cond_wait_until(&g->wanted, &g->lock, deadline_ns))
        ;
}

/* An overdue holder is asked at each tick: one that had been asked before it woke up has
 * forgotten that. */
static void tick(struct gil_quantum *g) REQUIRES(g->lock)
{
    if (g->first && ++g->ticks >= g->head.param[QUANTUM_TICKS])
        thread_request(g->holder, BREAKER_GIL);
}

static void *tick_while_wanted(void *argument)
{
    struct gil_quantum *g = argument;

    pthread_setname_np(pthread_self(), "gil timer");
    mutex_lock(&g->lock);
    while (!g->ending) {
        wait_until_wanted(g);
        wait_a_tick(g);
        tick(g);
    }
    mutex_unlock(&g->lock);
    return NULL;
}

/* With every signal blocked: what is sent to the process is for its own threads. */
static int start_timer(struct gil_quantum *g)
{
    sigset_t all, before;
    int error;

    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before);
    error = pthread_create(&g->timer, NULL, tick_while_wanted, g);
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    return error;
}

static void destroy(struct gil_quantum *g)
{
    pthread_cond_destroy(&g->wanted);
    mutex_fini(&g->lock);
}

static int init(struct gil *gil)
{
    struct gil_quantum *g = self(gil);
    int error;

    g->last = &g->first;
    mutex_init(&g->lock);
    pthread_cond_init(&g->wanted, NULL);
    error = start_timer(g);
    if (!error)
        return 0;
    destroy(g);
    errno = error;
    return -1;
}

static void fini(struct gil *gil)
{
    struct gil_quantum *g = self(gil);

    mutex_lock(&g->lock);
    g->ending = true;
    pthread_cond_signal(&g->wanted);
    mutex_unlock(&g->lock);
    pthread_join(g->timer, NULL);
    destroy(g);
}

static void wait_for_turn(struct gil_quantum *g, struct thread *t) REQUIRES(g->lock)
{
    struct waiter w = { .thread = t };

    pthread_cond_init(&w.named, NULL);
    *g->last = &w;
    g->last = &w.next;
    if (g->idle)
        pthread_cond_signal(&g->wanted);
    while (g->holder != t)
        cond_wait(&w.named, &g->lock);
    pthread_cond_destroy(&w.named);
}

static void take(struct gil_quantum *g, struct thread *t) REQUIRES(g->lock)
{
    if (g->holder)
        wait_for_turn(g, t);
    else
        g->holder = t;
    /* Relaxed: the timer asks under g->lock. */
    if (atomic_load_explicit(&t->breaker, memory_order_relaxed) & BREAKER_GIL)
        atomic_fetch_and_explicit(&t->breaker, ~(uint32_t)BREAKER_GIL, memory_order_relaxed);
}

static struct waiter *dequeue(struct gil_quantum *g) REQUIRES(g->lock)
{
    struct waiter *w = g->first;

    g->first = w->next;
    if (!g->first)
        g->last = &g->first;
    return w;
}

static void pass_on(struct gil_quantum *g) REQUIRES(g->lock)
{
    struct waiter *w = g->first ? dequeue(g) : NULL;

    g->holder = w ? w->thread : NULL;
    g->ticks = 0;
    if (w)
        pthread_cond_signal(&w->named); /* under the lock: after it `w` may be gone */
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

const struct gil_class gil_quantum = {
    .about = "a queue, handed over to its first; a timer asks who has run for a quantum",
    .source = "Ruby 3.3 and later (K. Sasada, 2023); with other parameters OCaml's master lock",
    .size_bytes = sizeof(struct gil_quantum), .excludes = true, .fair = true,
    .param = {
        { "tick_us", "how often the timer looks, while somebody waits", 10000, 1, 10000000 },
        { "quantum_ticks", "after so many ticks the holder is asked", 10, 1, 1000000 },
    },
    .init = init, .fini = fini,
    .acquire = acquire, .release = release, .yield = yield,
};
