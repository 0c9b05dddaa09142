/* prompt.c - the lab's own lock. (head comes later) */
#include "gil/gil.h"
#include "gil/mutex.h"
#include "gil/thread.h"

#include <errno.h>
#include <linux/futex.h>
#include <sched.h>
#include <sys/syscall.h>
#include <unistd.h>

/* How a wait stands. Only the waiter itself leaves PARKED for AWAKE or enters PARKED; only
 * who passes the lock on makes it ROUSED or GRANTED. */
enum wait { AWAKE, PARKED, ROUSED, GRANTED };

/* One who waits; stands on its stack, on a line that it alone looks at meanwhile. */
struct waiter {
    _Alignas(64) _Atomic uint32_t state; /* lock; read by its waiter; the futex. enum wait */
    int cpu;                             /* lock; where it waits */
    bool claims;                         /* set once; in the queue `claims` */
    bool roused;                         /* lock; it has been woken before to compete */
    struct thread *thread;               /* set once */
    struct waiter *next;                 /* lock */
    uint64_t ends_ns; /* lock; when the turn ends in which it was interrupted; 0: a whole turn
                         is still to come */
};

struct queue {
    struct waiter *first, **end;
};

struct gil_prompt {
    struct gil head;
    /* The holder, with WAITED if anybody waits; 0: it is free. While WAITED is set it is
     * changed by who has `lock` alone. */
    _Alignas(128) _Atomic uintptr_t word; /* atomic */
    struct mutex lock;
    struct queue claims;                  /* lock; those who may interrupt a turn */
    struct queue turns;                   /* lock; those who take turns */
    /* Of the holder, and kept while WAITED is set: */
    uint64_t since_ns, ends_ns;           /* lock; its time began, and is over */
    bool claimed;                         /* lock; it has interrupted a turn */
    int threads;                          /* lock; that may use this lock */
};

enum { WAITED = 1 };
enum { QUANTUM_US, SPIN_US };
/* Of gil_words: what is left of its promise, in ns; up to when that was reckoned; the
 * processor where it was last seen here, and 1. */
enum { CREDIT_NS, SEEN_NS, PLACE };

static struct gil_prompt *self(struct gil *gil)
{
    return (struct gil_prompt *)gil;
}

static void queue_init(struct queue *q)
{
    q->first = NULL;
    q->end = &q->first;
}

static void append(struct queue *q, struct waiter *w)
{
    w->next = NULL;
    *q->end = w;
    q->end = &w->next;
}

static void prepend(struct queue *q, struct waiter *w)
{
    w->next = q->first;
    if (!q->first)
        q->end = &w->next;
    q->first = w;
}

static void take_out(struct queue *q, struct waiter *w)
{
    struct waiter **link = &q->first;

    while (*link != w)
        link = &(*link)->next;
    *link = w->next;
    if (q->end == &w->next)
        q->end = link;
}

static int init(struct gil *gil)
{
    pthread_mutexattr_t adaptive;

    pthread_mutexattr_init(&adaptive);
    pthread_mutexattr_settype(&adaptive, PTHREAD_MUTEX_ADAPTIVE_NP);
    pthread_mutex_init(&self(gil)->lock.os, &adaptive);
    pthread_mutexattr_destroy(&adaptive);
    queue_init(&self(gil)->claims);
    queue_init(&self(gil)->turns);
    return 0;
}

static void fini(struct gil *gil)
{
    mutex_fini(&self(gil)->lock);
}

static void enter(struct gil *gil, struct thread *t)
{
    struct gil_prompt *g = self(gil);

    mutex_lock(&g->lock);
    g->threads++;
    t->gil_words[SEEN_NS] = (int64_t)clock_ns();
    mutex_unlock(&g->lock);
}

static void leave(struct gil *gil, struct thread *t)
{
    struct gil_prompt *g = self(gil);

    (void)t;
    mutex_lock(&g->lock);
    g->threads--;
    mutex_unlock(&g->lock);
}

static int64_t quantum_ns(const struct gil_prompt *g)
{
    return g->head.param[QUANTUM_US] * NS_PER_US;
}

static int64_t at_most(int64_t value, int64_t most)
{
    return value < most ? value : most;
}

/* Each thread is promised an equal share of the time that passes, up to a turn in advance. */
static void credit(struct gil_prompt *g, struct thread *t, uint64_t now_ns) REQUIRES(g->lock)
{
    int64_t passed_ns = (int64_t)now_ns - t->gil_words[SEEN_NS];

    t->gil_words[SEEN_NS] = (int64_t)now_ns;
    t->gil_words[CREDIT_NS] = at_most(t->gil_words[CREDIT_NS] + passed_ns / g->threads,
                                      quantum_ns(g));
}

/* The holder pays for as long as somebody has waited for it. */
static void charge(struct gil_prompt *g, struct thread *t, uint64_t now_ns) REQUIRES(g->lock)
{
    int64_t *left_ns = &t->gil_words[CREDIT_NS];

    credit(g, t, now_ns);
    *left_ns -= (int64_t)(now_ns - g->since_ns);
    if (*left_ns < 0)
        *left_ns = 0;
}

static int note_place(struct thread *t)
{
    int cpu = sched_getcpu();

    t->gil_words[PLACE] = cpu + 1;
    return cpu;
}

static struct thread *holder(struct gil_prompt *g) REQUIRES(g->lock)
{
    return (struct thread *)(atomic_load_explicit(&g->word, memory_order_relaxed) &
                             ~(uintptr_t)WAITED);
}

/* From now on whoever takes or lets go must have `lock`. A holder that took the lock while
 * nobody waited begins its turn now. */
static void set_waited(struct gil_prompt *g, uint64_t now_ns) REQUIRES(g->lock)
{
    uintptr_t word = atomic_load_explicit(&g->word, memory_order_relaxed);

    if (word & WAITED)
        return;
    /* Acquire: if it was free we take it, and see what the last holder wrote. */
    while (!atomic_compare_exchange_weak_explicit(&g->word, &word, word | WAITED,
                                                  memory_order_acquire, memory_order_relaxed))
        ;
    g->claimed = false;
    g->since_ns = now_ns;
    g->ends_ns = now_ns + (uint64_t)quantum_ns(g);
}

/* The lock is `t`'s, or nobody's. Release: who finds it free without `lock` sees what was
 * written under it. */
static void set_holder(struct gil_prompt *g, struct thread *t) REQUIRES(g->lock)
{
    bool waited = g->claims.first || g->turns.first;

    atomic_store_explicit(&g->word, (uintptr_t)t | (waited ? WAITED : 0), memory_order_release);
}

static void begin(struct gil_prompt *g, struct thread *t, bool claims, uint64_t ends_ns,
                  uint64_t now_ns) REQUIRES(g->lock)
{
    g->claimed = claims;
    g->since_ns = now_ns;
    if (claims)
        g->ends_ns = now_ns + (uint64_t)t->gil_words[CREDIT_NS];
    else
        g->ends_ns = ends_ns ? ends_ns : now_ns + (uint64_t)quantum_ns(g);
    set_holder(g, t);
}

/* A waiter has it. */
static void begin_waiter(struct gil_prompt *g, struct waiter *w, uint64_t now_ns)
    REQUIRES(g->lock)
{
    take_out(w->claims ? &g->claims : &g->turns, w);
    begin(g, w->thread, w->claims, w->ends_ns, now_ns);
}

/* NULL: nobody waits. A turn whose time was used up by those who interrupted it is over. */
static struct waiter *next_in_line(struct gil_prompt *g, uint64_t now_ns) REQUIRES(g->lock)
{
    struct waiter *w = g->claims.first;

    if (w)
        return w;
    while ((w = g->turns.first) && w->next && w->ends_ns && w->ends_ns <= now_ns) {
        take_out(&g->turns, w);
        w->ends_ns = 0;
        append(&g->turns, w);
    }
    return w;
}

static enum wait state_of(struct waiter *w)
{
    return (enum wait)atomic_load_explicit(&w->state, memory_order_relaxed);
}

/* To be woken, which the caller does when it has left `lock`: the address of a waiter, which
 * may have gone then, so it is given to the kernel and not looked at. */
static _Atomic uint32_t *rouse(struct waiter *w)
{
    if (state_of(w) != PARKED)
        return NULL;
    w->roused = true;
    atomic_store_explicit(&w->state, ROUSED, memory_order_relaxed);
    return &w->state;
}

/* The caller lets go. One that is awake, or was roused in vain before, has the lock at once;
 * else it is free until the one who is roused, or anybody else, takes it. */
static _Atomic uint32_t *pass(struct gil_prompt *g, uint64_t now_ns) REQUIRES(g->lock)
{
    struct waiter *w = next_in_line(g, now_ns);
    bool parked;

    if (!w || (state_of(w) == PARKED && !w->roused)) {
        set_holder(g, NULL);
        return w ? rouse(w) : NULL;
    }
    parked = state_of(w) == PARKED;
    begin_waiter(g, w, now_ns);
    /* Release: the waiter may look at this alone. It may be gone then. */
    atomic_store_explicit(&w->state, GRANTED, memory_order_release);
    return parked ? &w->state : NULL;
}

static void wake(_Atomic uint32_t *state)
{
    if (state)
        syscall(SYS_futex, state, FUTEX_WAKE_PRIVATE, 1, NULL, NULL, 0);
}

static void ask_if_due(struct gil_prompt *g, const struct waiter *w, uint64_t now_ns)
    REQUIRES(g->lock)
{
    struct thread *t = holder(g);

    if (t && (now_ns >= g->ends_ns || (w->claims && !g->claimed)))
        thread_request(t, BREAKER_GIL);
}

static void relax(void)
{
#if defined(__x86_64__)
    __builtin_ia32_pause();
#elif defined(__aarch64__)
    __asm__ volatile("yield");
#endif
}

/* False: it was not granted in time. */
static bool spin(struct gil_prompt *g, struct waiter *w)
{
    enum { LOOKS = 32 }; /* from one look at the clock to the next */
    uint64_t until_ns = 0;

    for (int i = 1; atomic_load_explicit(&w->state, memory_order_acquire) != GRANTED; i++) {
        relax();
        if (i % LOOKS)
            continue;
        if (!until_ns)
            until_ns = clock_ns() + (uint64_t)(g->head.param[SPIN_US] * NS_PER_US);
        else if (clock_ns() >= until_ns)
            return false;
    }
    return true;
}

/* A holder that was last seen where the caller runs cannot run before it sleeps. */
static bool worth_spinning(struct gil_prompt *g, const struct waiter *w) REQUIRES(g->lock)
{
    const struct thread *t = holder(g);

    return g->head.param[SPIN_US] > 0 && t && t->gil_words[PLACE] != w->cpu + 1;
}

/* When it will have to look after itself: who takes turns, when those before it should have
 * ended. */
static uint64_t deadline_ns(struct gil_prompt *g, const struct waiter *w, uint64_t now_ns)
    REQUIRES(g->lock)
{
    enum { LEAST_NS = 100 * NS_PER_US };
    uint64_t end_ns = g->ends_ns;

    if (!w->claims && !w->ends_ns)
        for (const struct waiter *i = g->turns.first; i != w; i = i->next)
            end_ns += (uint64_t)quantum_ns(g);
    return end_ns > now_ns + LEAST_NS ? end_ns : now_ns + LEAST_NS;
}

/* Sleeps, and has `lock` again: for a reason or for none. */
static void park(struct gil_prompt *g, struct waiter *w) REQUIRES(g->lock)
{
    uint64_t now_ns = clock_ns();
    struct timespec until;
    int error = errno;

    ask_if_due(g, w, now_ns);
    until = timespec_of_ns(deadline_ns(g, w, now_ns));
    w->cpu = note_place(w->thread);
    atomic_store_explicit(&w->state, PARKED, memory_order_relaxed);
    mutex_unlock(&g->lock);
    syscall(SYS_futex, &w->state, FUTEX_WAIT_BITSET_PRIVATE, PARKED, &until, NULL,
            FUTEX_BITSET_MATCH_ANY);
    errno = error;
    mutex_lock(&g->lock);
    w->cpu = note_place(w->thread);
}

/* Whether the waiter has the lock, or could take it. */
static bool is_over(struct gil_prompt *g, struct waiter *w) REQUIRES(g->lock)
{
    if (state_of(w) == GRANTED)
        return true;
    atomic_store_explicit(&w->state, AWAKE, memory_order_relaxed);
    if (holder(g))
        return false;
    begin_waiter(g, w, clock_ns());
    return true;
}

/* In a queue, until it has the lock. `roused` is to be woken by the way. */
static void wait(struct gil_prompt *g, struct waiter *w, _Atomic uint32_t *roused)
    RELEASES(g->lock)
{
    bool spins = worth_spinning(g, w);

    mutex_unlock(&g->lock);
    wake(roused);
    if (spins && spin(g, w))
        return;
    mutex_lock(&g->lock);
    while (!is_over(g, w)) {
        park(g, w);
        if (is_over(g, w))
            break;
        ask_if_due(g, w, clock_ns());
        spins = worth_spinning(g, w);
        mutex_unlock(&g->lock);
        if (spins && spin(g, w))
            return;
        mutex_lock(&g->lock);
    }
    mutex_unlock(&g->lock);
}

static bool is_asked(struct thread *t)
{
    return atomic_load_explicit(&t->breaker, memory_order_relaxed) & BREAKER_GIL;
}

static void forget_request(struct thread *t)
{
    if (is_asked(t))
        atomic_fetch_and_explicit(&t->breaker, ~(uint32_t)BREAKER_GIL, memory_order_relaxed);
}

static SLOW_PATH void acquire_slowly(struct gil_prompt *g, struct thread *t)
{
    struct waiter w = { .thread = t };
    uint64_t now_ns;

    mutex_lock(&g->lock);
    now_ns = clock_ns();
    credit(g, t, now_ns);
    w.claims = t->gil_words[CREDIT_NS] > 0;
    w.cpu = note_place(t);
    set_waited(g, now_ns);
    if (!holder(g)) {
        begin(g, t, w.claims, 0, now_ns);
        mutex_unlock(&g->lock);
        return;
    }
    append(w.claims ? &g->claims : &g->turns, &w);
    ask_if_due(g, &w, now_ns);
    wait(g, &w, NULL);
}

static void acquire(struct gil *gil, struct thread *t)
{
    uintptr_t word = 0;

    forget_request(t);
    if (!atomic_compare_exchange_strong_explicit(&self(gil)->word, &word, (uintptr_t)t,
                                                 memory_order_acquire, memory_order_relaxed))
        acquire_slowly(self(gil), t);
}

static SLOW_PATH void release_slowly(struct gil_prompt *g, struct thread *t)
{
    _Atomic uint32_t *roused;
    uint64_t now_ns;

    mutex_lock(&g->lock);
    now_ns = clock_ns();
    charge(g, t, now_ns);
    forget_request(t);
    roused = pass(g, now_ns);
    mutex_unlock(&g->lock);
    wake(roused);
}

static void release(struct gil *gil, struct thread *t)
{
    uintptr_t word = (uintptr_t)t;

    if (!atomic_compare_exchange_strong_explicit(&self(gil)->word, &word, 0, memory_order_release,
                                                 memory_order_relaxed))
        release_slowly(self(gil), t);
}

/* Whether the holder has reason to let go. */
static bool is_due(struct gil_prompt *g, uint64_t now_ns) REQUIRES(g->lock)
{
    if (!(atomic_load_explicit(&g->word, memory_order_relaxed) & WAITED))
        return false;
    return now_ns >= g->ends_ns || (g->claims.first && !g->claimed);
}

/* Who sleeps on another processor is woken first, and given the lock when it is awake and asks
 * again: the holder goes on meanwhile. But not twice, and not where it keeps the other from
 * running. */
static bool can_go_on(const struct waiter *next, enum wait state, int cpu)
{
    return state == ROUSED || (state == PARKED && !next->roused && next->cpu != cpu);
}

static void yield(struct gil *gil, struct thread *t)
{
    struct gil_prompt *g = self(gil);
    struct waiter w = { .thread = t }, *next;
    uint64_t now_ns;

    mutex_lock(&g->lock);
    forget_request(t);
    now_ns = clock_ns();
    if (!is_due(g, now_ns)) {
        mutex_unlock(&g->lock);
        return;
    }
    w.cpu = note_place(t);
    next = next_in_line(g, now_ns);
    if (can_go_on(next, state_of(next), w.cpu)) {
        _Atomic uint32_t *roused = rouse(next);

        mutex_unlock(&g->lock);
        wake(roused);
        return;
    }
    charge(g, t, now_ns);
    if (now_ns >= g->ends_ns) {
        append(&g->turns, &w);
    } else {
        w.ends_ns = g->ends_ns;
        prepend(&g->turns, &w);
    }
    wait(g, &w, pass(g, now_ns));
}

const struct gil_class gil_prompt = {
    .about = "who comes back from a wait is let in at the next safe point; others take turns",
    .source = "this lab: docs/decisions/22-prompt.md",
    .size_bytes = sizeof(struct gil_prompt), .excludes = true,
    .param = {
        { "quantum_us", "how long a turn is, and how much of its promise a thread can save", 5000,
          10, 10000000 },
        { "spin_us", "how long a waiter looks before it sleeps", 20, 0, 10000 },
    },
    .init = init, .fini = fini, .enter = enter, .leave = leave,
    .acquire = acquire, .release = release, .yield = yield,
};
