/* prompt.c - the lab's own lock: who comes back from a wait is let in at once.
 *
 * A thread that waits for the kernel most of the time needs the lock for a microsecond, and
 * under a lock with intervals it waits for it for milliseconds (the convoy effect, bpo-7946).
 * Here it interrupts whoever computes: it asks by BREAKER_GIL, is handed the lock at the
 * holder's next safe point, and hands it back when it blocks again. Both wait for the other
 * awake, for that is over sooner than a sleeper wakes; a pair of hand-overs costs the one that
 * computes 0.8 us. docs/decisions/22-prompt.md has the figures, and what was tried.
 *
 *   cost      uncontended: two compare-and-swaps a pair. No clock, no system call
 *   space     two cache lines, one more on the stack of each that waits
 *   threads   any; beyond two, those that wait sleep
 *   needs     futex, a monotonic clock
 *
 * So that nobody starves:
 *   - Who computes takes turns, first come first served, of `quantum_us` each.
 *   - Each of the n threads is promised 1/n of the time that passes, of which it may save up
 *     to a turn. Who comes back from a wait and has some of it left has a claim: it may
 *     interrupt, for as long as that lasts. It pays for a claim what it used, be it more than
 *     it had, up to a turn; and for a turn all that it had. A thread that computes for longer
 *     than that has nothing left, and waits for its turn as all others do.
 *
 * After the lock of N. Aides (BFS for bpo-7946, 2010: who blocks keeps what is left of its
 * slice, and the interrupted one spins for the switch-back) and, for leaving asleep who would
 * only be in the way, D. Dice, Malthusian Locks (EuroSys 2017).
 *
 * Where one thread of two keeps the other from running, waiting awake is a loss. So each is
 * known by the processor where it was last seen: who is on the same as the one that must go
 * on sleeps at once. Else who sleeps is woken first and handed the lock when it is awake and
 * asks again; the holder goes on meanwhile.
 *
 * The argument. `word` is the holder, with the bit WAITED if anybody waits.
 *   1. With WAITED set, `word` is changed by who has the latch alone: the two swaps that do
 *      without it expect 0, or the thread without a bit. Every waiter is put in a queue after
 *      WAITED was set, by the same holder of the latch, and WAITED is cleared only when both
 *      queues are empty (set_holder). So WAITED is set while anybody waits.
 *   2. Exclusion. The lock becomes `t`'s only where it was free (the swap from 0;
 *      acquire_slowly and is_over, with the latch, having seen no holder), or where its holder,
 *      having the latch, gives it to one waiter, whom it takes out of its queue (pass). A
 *      waiter goes on only when it is GRANTED, which is said to it once, or when it has taken
 *      a free lock itself with the latch. So there is one holder at a time.
 *   3. What the holder wrote is seen by the next: by release and acquire of `word` if neither
 *      had the latch; of the waiter's state if it was granted; of the latch otherwise. A
 *      holder that took its lock from a free word which others wait at had the latch.
 *   4. No wake-up is lost. A waiter becomes PARKED with the latch, having looked whether it is
 *      GRANTED and whether it may take the lock, and sleeps only while its state is still
 *      PARKED, which the kernel checks. Who grants or rouses it changes the state first, with
 *      the latch, and wakes it then. If the lock is free and somebody waits, the one who was
 *      first in line when it became free is awake or has been roused (pass), and comes to
 *      is_over. There it takes the lock, or sends for the one who is first by now, in the same
 *      way. So while the lock is free somebody is on the way who will take it.
 *   5. Requests. Who waits asks the holder with the latch, under which no holder can let go of
 *      a lock that is waited for; so a thread that is asked has not left. A holder forgets a
 *      request before it looks at the queues, or when it lets go; so none is forgotten that was
 *      not answered. What is asked too often is answered by a look.
 *   6. Everybody that waits wakes by itself: with a claim, or interrupted, when the holder's
 *      time is over, and with a turn to come when those of all before it are. Who is next is
 *      woken to count anew if those let go early (hurry). Then it asks, if the holder's time is
 *      over. So each turn and each claim ends at the first safe point after its time, or a
 *      moment later.
 *   7. Bounded waiting. Turns are taken strictly in order, so while a thread waits for its own
 *      at most n-1 of others pass. Each is over after `quantum_us` q, whoever interrupts it.
 *      Claims are paid for: in a time T those of all others take at most T(n-1)/n, and
 *      (n-1)q that were saved. So it waits for T <= (n-1)q + T(n-1)/n + (n-1)q, that is for no
 *      more than 2n(n-1)q; and each safe point that is late comes on top. One with a claim
 *      waits for the next safe point, and for those with a claim that came before; one that is
 *      asleep may be roused in vain, but once, for then it is granted the lock even asleep.
 *   8. `fork`: the lock has nothing outside its own memory. A child that has but one thread
 *      makes a new one, and does not delete this.
 */
#include "gil/futex.h"
#include "gil/gil.h"
#include "gil/mutex.h"
#include "gil/thread.h"

#include <assert.h>
#include <sched.h>

/* Guards what is below it in the lock, for some ten instructions at a time. A pthread mutex
 * would be as good if it did not fill most of a cache line: here everything that a hand-over
 * touches, but for the two threads' own, moves with one. */
struct CAPABILITY("latch") latch {
    _Atomic uint32_t word; /* atomic; 0: open, 1: shut, 2: shut, and somebody sleeps */
};

/* How a wait stands. Its waiter goes from any but GRANTED to AWAKE and from there to PARKED; who
 * passes the lock on makes it ROUSED or GRANTED. */
enum wait { AWAKE, PARKED, ROUSED, GRANTED };

/* One who waits; stands on its stack, on a line that it alone looks at meanwhile. */
struct waiter {
    _Alignas(64) _Atomic uint32_t state; /* latch; its waiter looks without; the futex. enum wait */
    int16_t cpu;                         /* latch; where it waits */
    bool claims;                         /* set once; in the queue `claims` */
    bool roused;                         /* latch; it has been woken before, to compete */
    struct thread *thread;               /* set once */
    struct waiter *next;                 /* latch */
    uint64_t credit_ns;                  /* set once; if it claims: for how long it may */
    uint64_t ends_ns; /* latch; if not: when the turn ends in which it was interrupted; 0: a
                         whole turn is still to come */
    uint64_t until_ns; /* latch; kept while it is PARKED: when it wakes by itself */
};

struct queue {
    struct waiter *first, **end;
};

struct gil_prompt {
    struct gil head;
    /* The holder, with WAITED if anybody waits; 0: it is free. While WAITED is set it is
     * changed by who has the latch alone. */
    _Alignas(128) _Atomic uintptr_t word; /* atomic */
    struct latch latch;
    int16_t threads;     /* latch; that may use this lock */
    int16_t cpu;         /* latch; where the holder was last seen; -1: not known */
    struct queue claims; /* latch; those who may interrupt a turn */
    struct queue turns;  /* latch; those who take turns */
    uint64_t ends_ns;    /* latch; kept while WAITED is set: when the holder's time is over */
    uint64_t asked_ns;   /* latch; when it was asked last */
};

/* Of the word: somebody waits; and the holder has claimed it, which is known only then. */
enum { WAITED = 1, CLAIMED = 2 };
enum { QUANTUM_US, SPIN_US };
/* Of gil_words, both under the latch: what is left of its promise, in ns, and up to when
 * that was reckoned. */
enum { CREDIT_NS, SEEN_NS };

/* U. Drepper, Futexes Are Tricky (2011), the second mutex, spinning first. */
static SLOW_PATH void latch_shut_slowly(struct latch *l)
{
    enum { LOOKS = 200 };

    for (int i = 0; i < LOOKS; i++) {
        uint32_t open = 0;

        relax();
        if (!atomic_load_explicit(&l->word, memory_order_relaxed) &&
            atomic_compare_exchange_weak_explicit(&l->word, &open, 1, memory_order_acquire,
                                                  memory_order_relaxed))
            return;
    }
    while (atomic_exchange_explicit(&l->word, 2, memory_order_acquire))
        futex_wait(&l->word, 2);
}

static void latch_shut(struct latch *l) ACQUIRES(l) NO_LOCK_ANALYSIS
{
    uint32_t open = 0;

    if (!atomic_compare_exchange_strong_explicit(&l->word, &open, 1, memory_order_acquire,
                                                 memory_order_relaxed))
        latch_shut_slowly(l);
}

static void latch_open(struct latch *l) RELEASES(l) NO_LOCK_ANALYSIS
{
    if (atomic_exchange_explicit(&l->word, 0, memory_order_release) == 2)
        futex_wake_one(&l->word);
}

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

/* The caller will read and write it: one transfer of the line instead of two. */
static void expect(const struct waiter *w)
{
    if (w)
        __builtin_prefetch(w, 1);
}

static int init(struct gil *gil)
{
    queue_init(&self(gil)->claims);
    queue_init(&self(gil)->turns);
    return 0;
}

static void fini(struct gil *gil)
{
    assert(!atomic_load_explicit(&self(gil)->word, memory_order_relaxed));
    (void)gil;
}

static void enter(struct gil *gil, struct thread *t)
{
    struct gil_prompt *g = self(gil);

    t->gil_words[SEEN_NS] = (int64_t)clock_ns();
    latch_shut(&g->latch);
    g->threads++;
    latch_open(&g->latch);
}

static void leave(struct gil *gil, struct thread *t)
{
    struct gil_prompt *g = self(gil);

    (void)t;
    latch_shut(&g->latch);
    g->threads--;
    latch_open(&g->latch);
}

static int64_t quantum_ns(const struct gil_prompt *g)
{
    return g->head.param[QUANTUM_US] * NS_PER_US;
}

static int64_t within(int64_t least, int64_t value, int64_t most)
{
    return value < least ? least : value > most ? most : value;
}

/* Relaxed: who asks has the latch. */
static uintptr_t word_of(struct gil_prompt *g) REQUIRES(g->latch)
{
    return atomic_load_explicit(&g->word, memory_order_relaxed);
}

static bool is_claimed(struct gil_prompt *g) REQUIRES(g->latch)
{
    return word_of(g) & CLAIMED;
}

static struct thread *holder(struct gil_prompt *g) REQUIRES(g->latch)
{
    return (struct thread *)(word_of(g) & ~(uintptr_t)(WAITED | CLAIMED));
}

/* Each thread is promised an equal share of the time that passes, up to a turn in advance. */
static int64_t credit(struct gil_prompt *g, struct thread *t, uint64_t now_ns) REQUIRES(g->latch)
{
    int64_t passed_ns = (int64_t)now_ns - t->gil_words[SEEN_NS];

    t->gil_words[SEEN_NS] = (int64_t)now_ns;
    t->gil_words[CREDIT_NS] =
        within(-quantum_ns(g), t->gil_words[CREDIT_NS] + passed_ns / g->threads, quantum_ns(g));
    return t->gil_words[CREDIT_NS];
}

/* The holder lets go. Of a claim it keeps what it has not used, or owes what it used beyond. For
 * a turn it pays from its beginning, those who interrupted it included: who computes has nothing
 * left to claim. */
static void charge(struct gil_prompt *g, struct thread *t, uint64_t now_ns) REQUIRES(g->latch)
{
    int64_t ahead_ns = (int64_t)(g->ends_ns - now_ns);
    int64_t left_ns = ahead_ns;

    if (!is_claimed(g))
        left_ns = within(0, credit(g, t, now_ns) - (quantum_ns(g) - ahead_ns), quantum_ns(g));
    t->gil_words[SEEN_NS] = (int64_t)now_ns;
    t->gil_words[CREDIT_NS] = within(-quantum_ns(g), left_ns, quantum_ns(g));
}

/* From now on whoever takes or lets go must have the latch. A holder that took the lock while
 * nobody waited begins its turn now. */
static void set_waited(struct gil_prompt *g, uint64_t now_ns) REQUIRES(g->latch)
{
    uintptr_t word = word_of(g);

    if (word & WAITED)
        return;
    /* Acquire: if it was free we take it, and see what the last holder wrote. */
    while (!atomic_compare_exchange_weak_explicit(&g->word, &word, word | WAITED,
                                                  memory_order_acquire, memory_order_relaxed))
        ;
    g->cpu = -1;
    g->ends_ns = now_ns + (uint64_t)quantum_ns(g);
}

/* The lock is `t`'s, or nobody's. Release: who finds it free without the latch sees what was
 * written under it. */
static void set_holder(struct gil_prompt *g, struct thread *t, bool claims) REQUIRES(g->latch)
{
    uintptr_t word = (uintptr_t)t;

    if (g->claims.first || g->turns.first)
        word |= claims ? WAITED | CLAIMED : WAITED;
    atomic_store_explicit(&g->word, word, memory_order_release);
}

enum { LEAST_NS = 100 * NS_PER_US }; /* that a waiter sleeps */

static enum wait state_of(struct waiter *w)
{
    return (enum wait)atomic_load_explicit(&w->state, memory_order_relaxed);
}

/* Who is next and sleeps for longer than the new holder's time, since it counted on others that
 * have let go early, is to count anew: fact 6. Its state says so, for it may be on its way to
 * sleep; and it is not `roused`, for it is not to compete. */
static void hurry(struct gil_prompt *g, uint64_t now_ns) REQUIRES(g->latch)
{
    struct waiter *w = g->claims.first ? g->claims.first : g->turns.first;
    uint64_t end_ns = g->ends_ns > now_ns ? g->ends_ns : now_ns;

    if (!w || state_of(w) != PARKED || w->until_ns <= end_ns + LEAST_NS)
        return;
    atomic_store_explicit(&w->state, ROUSED, memory_order_relaxed);
    futex_wake_one(&w->state);
}

/* `w` has it; it is in no queue. */
static void begin(struct gil_prompt *g, const struct waiter *w, uint64_t now_ns) REQUIRES(g->latch)
{
    g->cpu = w->cpu;
    if (w->claims)
        g->ends_ns = now_ns + w->credit_ns;
    else
        g->ends_ns = w->ends_ns ? w->ends_ns : now_ns + (uint64_t)quantum_ns(g);
    set_holder(g, w->thread, w->claims);
    hurry(g, now_ns);
}

static void begin_waiter(struct gil_prompt *g, struct waiter *w, uint64_t now_ns) REQUIRES(g->latch)
{
    take_out(w->claims ? &g->claims : &g->turns, w);
    begin(g, w, now_ns);
}

/* NULL: nobody waits. A turn whose time was used up by those who interrupted it is over. */
static struct waiter *next_in_line(struct gil_prompt *g, uint64_t now_ns) REQUIRES(g->latch)
{
    struct waiter *w = g->claims.first;

    if (w)
        return w;
    while ((w = g->turns.first) && w->next && w->ends_ns && w->ends_ns <= now_ns) {
        take_out(&g->turns, w);
        w->ends_ns = 0;
        w->thread->gil_words[SEEN_NS] = (int64_t)now_ns;
        w->thread->gil_words[CREDIT_NS] = 0;
        append(&g->turns, w);
    }
    return w;
}

/* To be woken, which the caller does when it has opened the latch. */
static _Atomic uint32_t *rouse(struct waiter *w)
{
    if (state_of(w) != PARKED)
        return NULL;
    w->roused = true;
    atomic_store_explicit(&w->state, ROUSED, memory_order_relaxed);
    return &w->state;
}

/* The caller lets go. One that is awake, or was roused in vain before, has the lock at once;
 * else it is free until the one who is roused, or anybody else, takes it. Whom to wake. */
static _Atomic uint32_t *pass(struct gil_prompt *g, uint64_t now_ns) REQUIRES(g->latch)
{
    struct waiter *w = next_in_line(g, now_ns);
    bool parked;

    if (!w || (state_of(w) == PARKED && !w->roused)) {
        set_holder(g, NULL, false);
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
        futex_wake_one(state);
}

/* Done last before the latch is opened: the holder looks at it at once. */
static void ask_if_due(struct gil_prompt *g, const struct waiter *w, uint64_t now_ns)
    REQUIRES(g->latch)
{
    struct thread *t = holder(g);

    if (!t || (now_ns < g->ends_ns && (!w->claims || is_claimed(g))))
        return;
    g->asked_ns = now_ns;
    thread_request(t, BREAKER_GIL);
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

/* A holder that was last seen where the caller runs cannot run before it sleeps; and nobody is
 * about to pass on a lock that is free. */
static bool worth_spinning(struct gil_prompt *g, const struct waiter *w) REQUIRES(g->latch)
{
    return g->head.param[SPIN_US] > 0 && holder(g) && g->cpu != w->cpu;
}

/* When it will have to look after itself: who takes turns, when those before it should have
 * ended. */
static uint64_t deadline_ns(struct gil_prompt *g, const struct waiter *w, uint64_t now_ns)
    REQUIRES(g->latch)
{
    uint64_t end_ns = g->ends_ns;

    if (!w->claims && !w->ends_ns)
        for (const struct waiter *i = g->turns.first; i != w; i = i->next)
            end_ns += (uint64_t)quantum_ns(g);
    return end_ns > now_ns + LEAST_NS ? end_ns : now_ns + LEAST_NS;
}

/* Sleeps, and has the latch again: for a reason or for none. */
static void park(struct gil_prompt *g, struct waiter *w) REQUIRES(g->latch)
{
    uint64_t now_ns = clock_ns();
    uint64_t until_ns = deadline_ns(g, w, now_ns);

    w->cpu = (int16_t)sched_getcpu();
    w->until_ns = until_ns;
    atomic_store_explicit(&w->state, PARKED, memory_order_relaxed);
    ask_if_due(g, w, now_ns);
    latch_open(&g->latch);
    futex_wait_until(&w->state, PARKED, until_ns);
    latch_shut(&g->latch);
    w->cpu = (int16_t)sched_getcpu();
}

/* Whether the waiter has the lock, or could take it: a free lock is for who claims it and for
 * the first in line, who is sent for if it is another. */
static bool is_over(struct gil_prompt *g, struct waiter *w) REQUIRES(g->latch)
{
    uint64_t now_ns;
    struct waiter *first;

    if (state_of(w) == GRANTED)
        return true;
    atomic_store_explicit(&w->state, AWAKE, memory_order_relaxed);
    if (holder(g))
        return false;
    now_ns = clock_ns();
    first = next_in_line(g, now_ns);
    if (w->claims || w == first) {
        begin_waiter(g, w, now_ns);
        return true;
    }
    wake(rouse(first));
    return false;
}

/* Asleep and awake in turns, with the latch at both ends, until it has the lock. */
static void wait_asleep(struct gil_prompt *g, struct waiter *w) REQUIRES(g->latch)
{
    bool granted = is_over(g, w);

    while (!granted) {
        bool spins;

        park(g, w);
        if (is_over(g, w))
            return;
        spins = worth_spinning(g, w);
        ask_if_due(g, w, clock_ns());
        latch_open(&g->latch);
        granted = spins && spin(g, w);
        latch_shut(&g->latch);
        granted = granted || is_over(g, w);
    }
}

/* In a queue, until it has the lock. */
static void wait(struct gil_prompt *g, struct waiter *w, bool spins)
{
    if (spins && spin(g, w)) {
        if (w->claims) /* it will let go soon */
            __builtin_prefetch((const void *)&g->word, 1);
        return;
    }
    latch_shut(&g->latch);
    wait_asleep(g, w);
    latch_open(&g->latch);
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
    struct waiter w = { .thread = t, .cpu = (int16_t)sched_getcpu() };
    uint64_t now_ns = clock_ns();
    bool spins;

    latch_shut(&g->latch);
    w.credit_ns = (uint64_t)within(0, credit(g, t, now_ns), quantum_ns(g));
    w.claims = w.credit_ns > 0;
    set_waited(g, now_ns);
    if (!holder(g) && (w.claims || !next_in_line(g, now_ns))) {
        begin(g, &w, now_ns);
        latch_open(&g->latch);
        return;
    }
    append(w.claims ? &g->claims : &g->turns, &w);
    spins = worth_spinning(g, &w);
    ask_if_due(g, &w, now_ns);
    latch_open(&g->latch);
    wait(g, &w, spins);
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

    latch_shut(&g->latch);
    expect(g->turns.first);
    now_ns = clock_ns();
    charge(g, t, now_ns);
    forget_request(t);
    roused = pass(g, now_ns);
    latch_open(&g->latch);
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
static bool is_due(struct gil_prompt *g, uint64_t now_ns) REQUIRES(g->latch)
{
    if (!(word_of(g) & WAITED))
        return false;
    return now_ns >= g->ends_ns || (g->claims.first && !is_claimed(g));
}

/* Who sleeps on another processor is woken first, and given the lock when it is awake and asks
 * again: the holder goes on meanwhile. But not twice, and not where it keeps the other from
 * running. */
static bool can_go_on(struct waiter *next, int cpu)
{
    enum wait state = state_of(next);

    return state == ROUSED || (state == PARKED && !next->roused && next->cpu != cpu);
}

/* The holder, whose turn or claim is over or interrupted, becomes one who waits. */
static void queue_up(struct gil_prompt *g, struct waiter *w, uint64_t now_ns) REQUIRES(g->latch)
{
    if (now_ns >= g->ends_ns) {
        charge(g, w->thread, now_ns);
        append(&g->turns, w);
    } else {
        w->ends_ns = g->ends_ns;
        prepend(&g->turns, w);
    }
}

/* Always: it is asked before the thread's state is changed, which takes as long as it takes
 * to bring the lock's line here. */
static bool due(struct gil *gil, struct thread *t)
{
    (void)t;
    __builtin_prefetch((const void *)&self(gil)->word, 1);
    return true;
}

static void yield(struct gil *gil, struct thread *t)
{
    struct gil_prompt *g = self(gil);
    struct waiter w = { .thread = t, .cpu = (int16_t)sched_getcpu() }, *next;
    _Atomic uint32_t *roused = NULL;
    uint64_t now_ns;
    bool waits, spins;

    latch_shut(&g->latch);
    expect(g->claims.first);
    forget_request(t);
    now_ns = g->asked_ns;
    waits = is_due(g, now_ns);
    next = waits ? next_in_line(g, now_ns) : NULL;
    if (waits && can_go_on(next, w.cpu)) {
        waits = false;
        roused = rouse(next);
    } else if (waits) {
        now_ns = clock_ns();
        queue_up(g, &w, now_ns);
        roused = pass(g, now_ns);
    }
    spins = waits && worth_spinning(g, &w);
    latch_open(&g->latch);
    wake(roused);
    if (waits)
        wait(g, &w, spins);
}

const struct gil_class gil_prompt = {
    .about = "who comes back from a wait is let in at the next safe point; others take turns",
    .source = "this lab: docs/decisions/22-prompt.md",
    .size_bytes = sizeof(struct gil_prompt), .excludes = true, .fair = true,
    .param = {
        { "quantum_us", "how long a turn is, and how much of its promise a thread can save", 5000,
          10, 10000000 },
        { "spin_us", "how long a waiter looks before it sleeps", 20, 0, 10000 },
    },
    .init = init, .fini = fini, .enter = enter, .leave = leave,
    .acquire = acquire, .release = release, .due = due, .yield = yield,
};
