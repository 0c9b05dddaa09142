/* thread.c - attaching, detaching, safe points, and stopping the world.
 *
 * The argument for stop-the-world. A thread's state is changed from DETACHED to
 * ATTACHED only by itself, and from DETACHED to SUSPENDED only by the stopper,
 * both by compare-and-swap, so exactly one wins. (Or to ATTACHED by another, for whom it
 * waits: it counts as attached before it knows, and goes on to its next safe point.) Hence
 *   1. once the stopper has swapped a thread to SUSPENDED, that thread cannot
 *      attach before world_start swaps it back;
 *   2. a thread seen ATTACHED has BREAKER_STOP set by the stopper after that look,
 *      so at its next safe point it makes itself SUSPENDED and wakes the stopper. It
 *      must not go by way of DETACHED: it could attach again before anyone looks;
 *   3. a thread that detaches before it has seen the bit is found DETACHED by the
 *      stopper, which looks again every millisecond, or has attached again, and then
 *      sees the bit the next time;
 *   4. every SUSPENDED belongs to the stopper of now: world_start leaves none;
 *   5. a thread that another one holds (HELD) does not count as stopped, for it is let go
 *      of before its holder stops, as it is attached. Only its holder takes it out of
 *      HELD, under world.lock, back to what the stopper would have made of it, so neither
 *      a stopper nor itself can come between;
 *   6. who asks for a merge and then finds a thread attached, has its request seen before
 *      that thread is detached: it asks and then looks at the state; the other detaches
 *      and then looks at what it was asked. All four are sequentially consistent, so one
 *      of them sees the other. (Weaker, both could look too early, and what was asked
 *      would wait for as long as the thread is blocked.)
 * The swap acquires what the thread released when it detached, and who suspends
 * itself does so under world.lock: the stopper sees all that either wrote.
 *
 * A stopper keeps the global lock that it holds, so under a lock that excludes nobody
 * else is attached and the world stops at once. A global lock is taken before
 * world.lock, never the other way round.
 *
 * All this is of one world. Several may be stopped at once, each by a thread of its own; that
 * they have one list, one lock and two conditions is only thrift: who looks, looks at its own,
 * and who wakes, wakes all.
 */
#include "gil/thread.h"

#include "gil/gil.h"
#include "gil/mutex.h"
#include "gil/probes.h"
#include "gil/watch.h"

#include <assert.h>
#include <errno.h>
#include <stddef.h>
#include <string.h>

_Thread_local struct thread *thread_self;

static struct {
    struct mutex lock;
    pthread_cond_t started;  /* a world runs again */
    pthread_cond_t stopped;  /* a thread has suspended itself; a stopper waits */
    struct thread *threads;  /* lock; of all worlds */
    void (*tell_late)(const struct thread *late, uint64_t waited_ns); /* lock; may be NULL */
    struct thread_world everybodys; /* lock; of locks without a world of their own */
} world = { .lock = MUTEX_INIT, .started = PTHREAD_COND_INITIALIZER,
            .stopped = PTHREAD_COND_INITIALIZER };

static struct thread_world *world_of(const struct thread *t) NO_LOCK_ANALYSIS
{
    return t->gil->world ? t->gil->world : &world.everybodys;
}

static bool swap_state(struct thread *t, int from, int to)
{
    return atomic_compare_exchange_strong_explicit(&t->state, &from, to, memory_order_acq_rel,
                                                   memory_order_relaxed);
}

/* Of one that runs no more: its world may be stopped, and then it is. */
static int state_of_detached(const struct thread *t) REQUIRES(world.lock)
{
    return world_of(t)->stopper ? THREAD_SUSPENDED : THREAD_DETACHED;
}

static void world_add(struct thread *t)
{
    mutex_lock(&world.lock);
    atomic_store_explicit(&t->state, state_of_detached(t), memory_order_relaxed);
    world_of(t)->threads++;
    t->next = world.threads;
    t->link = &world.threads;
    if (t->next)
        t->next->link = &t->next;
    world.threads = t;
    mutex_unlock(&world.lock);
}

/* Detached, so a stopper may hold it SUSPENDED: leave all the same, since a thread
 * that is on no list and touches no object is as good as stopped. */
static void world_remove(struct thread *t)
{
    mutex_lock(&world.lock);
    *t->link = t->next;
    if (t->next)
        t->next->link = t->link;
    world_of(t)->threads--;
    mutex_unlock(&world.lock);
}

static void wait_until_detached(struct thread *t)
{
    mutex_lock(&world.lock);
    while (atomic_load_explicit(&t->state, memory_order_relaxed) != THREAD_DETACHED)
        cond_wait(&world.started, &world.lock);
    mutex_unlock(&world.lock);
}

/* DETACHED to ATTACHED, after any stopped world, and when nobody holds it. */
static void become_attached(struct thread *t)
{
    while (unlikely(!swap_state(t, THREAD_DETACHED, THREAD_ATTACHED)))
        wait_until_detached(t);
}

static void clear_request(struct thread *t, uint32_t bits)
{
    /* Acquire: see what the one who asked had queued before it asked. */
    atomic_fetch_and_explicit(&t->breaker, ~bits, memory_order_acquire);
}

/* For any of these. */
static bool is_asked(struct thread *t, uint32_t bits)
{
    return atomic_load_explicit(&t->breaker, memory_order_relaxed) & bits;
}

/* ATTACHED to SUSPENDED, or to DETACHED if nobody stops the world any more. */
static void become_suspended(struct thread *t)
{
    mutex_lock(&world.lock);
    clear_request(t, BREAKER_STOP);
    atomic_store_explicit(&t->state, state_of_detached(t), memory_order_seq_cst); /* fact 6 */
    pthread_cond_broadcast(&world.stopped);
    mutex_unlock(&world.lock);
}

/* ATTACHED to DETACHED, unless a stopper waits for this thread. Fact 6. */
static void become_detached(struct thread *t)
{
    if (unlikely(is_asked(t, BREAKER_STOP)))
        become_suspended(t);
    else
        atomic_store_explicit(&t->state, THREAD_DETACHED, memory_order_seq_cst);
}

/* The last chance to do what others want done before this thread blocks. */
static void prepare_to_block(struct thread *t)
{
    if (is_asked(t, BREAKER_MERGE | BREAKER_PULSE))
        clear_request(t, BREAKER_MERGE | BREAKER_PULSE);
    if (t->hooks && t->hooks->before_block)
        t->hooks->before_block(t);
}

static bool asked_to_merge(struct thread *t)
{
    return atomic_load_explicit(&t->breaker, memory_order_seq_cst) & BREAKER_MERGE;
}

void thread_note_request(struct thread *t)
{
    PROBE(gil_request, t);
    if (t->watched)
        watch_asked(t);
}

/* This and let_go are inlined, though they look long to gcc, which counts the lines of a probe's
 * assembly: but for a nop at each probe, attaching and detaching are what they are without. */
static inline __attribute__((always_inline)) void enter(struct thread *t)
{
    PROBE(gil_attach, t);
    t->gil->class->acquire(t->gil, t);
    PROBE(gil_got, t);
    become_attached(t);
}

static void tell_of_attaching(struct thread *t)
{
    int error = errno;

    assert(t == thread_self);
    assert(atomic_load_explicit(&t->state, memory_order_relaxed) == THREAD_ATTACHED);
    if (t->hooks && t->hooks->after_block)
        t->hooks->after_block(t);
    errno = error;
}

void thread_attached(struct thread *t)
{
    PROBE(gil_got, t);
    if (t->watched)
        watch_attached(t);
    tell_of_attaching(t);
}

/* Lets go of the lock, and needs it no more. */
static inline __attribute__((always_inline)) void let_go(struct thread *t)
{
    PROBE(gil_detach, t);
    t->gil->class->release(t->gil, t);
    PROBE(gil_released, t);
}

void thread_attach(struct thread *t)
{
    int error = errno;

    assert(t == thread_self);
    enter(t);
    errno = error;
    tell_of_attaching(t);
}

bool thread_attach_other(struct thread *t)
{
    assert(t != thread_self && !t->gil->class->excludes);
    return swap_state(t, THREAD_DETACHED, THREAD_ATTACHED);
}

void thread_detach(struct thread *t)
{
    int error = errno;

    assert(t == thread_self);
    assert(atomic_load_explicit(&t->state, memory_order_relaxed) == THREAD_ATTACHED);
    prepare_to_block(t);
    become_detached(t);
    while (unlikely(asked_to_merge(t))) { /* fact 6 */
        become_attached(t);
        prepare_to_block(t);
        become_detached(t);
    }
    let_go(t);
    errno = error;
}

static void leave(struct thread *t)
{
    become_detached(t);
    let_go(t);
    if (t->gil->class->leave)
        t->gil->class->leave(t->gil, t);
    world_remove(t);
    thread_self = NULL;
}

static void init(struct thread *t, struct gil *gil, const struct thread_hooks *hooks)
{
    atomic_init(&t->breaker, 0);
    t->gil = gil;
    t->hooks = hooks;
    memset(t->gil_words, 0, sizeof t->gil_words);
    t->pulse.asked_ns = t->pulse.told_ns = 0;
    t->watched = NULL;
    atomic_init(&t->seen, 0);
    t->keeps_sections = false;
    t->sections = NULL;
}

static void join_lock(struct thread *t)
{
    if (t->gil->class->enter)
        t->gil->class->enter(t->gil, t);
}

int thread_start(struct thread *t, struct gil *gil, const struct thread_hooks *hooks)
{
    assert(!thread_self && "a thread starts once");
    init(t, gil, hooks);
    world_add(t);
    thread_self = t;
    join_lock(t);
    enter(t);
    if (hooks && hooks->start && hooks->start(t) < 0) {
        int error = errno;

        leave(t);
        errno = error;
        return -1;
    }
    return 0;
}

void thread_stop(struct thread *t)
{
    assert(t == thread_self && !t->sections);
    if (t->hooks && t->hooks->stop)
        t->hooks->stop(t);
    leave(t);
}

static void run_hook(struct thread *t, uint32_t bit, void (*hook)(struct thread *t))
{
    if (!is_asked(t, bit))
        return;
    clear_request(t, bit);
    if (hook)
        hook(t);
}

/* To be asked by the watchdog is answered by clearing the bit. Both are rare, so they are
 * looked for together: at a lock that counts safe points this is passed at each. */
static SLOW_PATH void answer_others(struct thread *t)
{
    clear_request(t, BREAKER_PULSE);
    if (is_asked(t, BREAKER_STOP)) {
        thread_detach(t);
        thread_attach(t);
    }
}

/* Each bit is looked at when its turn comes: what was asked before a hook or a stop
 * let go of the lock may have been granted by that. */
void thread_safepoint_slow(struct thread *t)
{
    static const struct thread_hooks none;
    const struct thread_hooks *hooks = t->hooks ? t->hooks : &none;
    int error = errno;

    assert(t == thread_self);
    if (is_asked(t, BREAKER_MERGE) && (!hooks->due || hooks->due(t)))
        run_hook(t, BREAKER_MERGE, hooks->safepoint);
    run_hook(t, BREAKER_QUIET, hooks->quiet);
    if (is_asked(t, BREAKER_STOP | BREAKER_PULSE))
        answer_others(t);
    if (is_asked(t, BREAKER_GIL) && (!t->gil->class->due || t->gil->class->due(t->gil, t))) {
        /* Detached while the lock may be elsewhere: a stopper must not wait for
         * a thread that itself waits for the lock. */
        become_detached(t);
        PROBE(gil_yield, t);
        t->gil->class->yield(t->gil, t);
        PROBE(gil_got, t);
        become_attached(t);
    }
    run_hook(t, BREAKER_COLLECT, hooks->collect);
    errno = error;
}

/* True if every other thread is stopped; asks those that are not. */
static bool all_stopped(const struct thread *stopper) REQUIRES(world.lock)
{
    bool all = true;

    for (struct thread *t = world.threads; t; t = t->next) {
        if (t == stopper || world_of(t) != world_of(stopper) ||
            atomic_load_explicit(&t->state, memory_order_relaxed) == THREAD_SUSPENDED)
            continue;
        if (swap_state(t, THREAD_DETACHED, THREAD_SUSPENDED))
            continue;
        thread_request(t, BREAKER_STOP);
        all = false;
    }
    return all;
}

/* One of two that want to stop the world at once must let the other stop it, and
 * itself first of all. */
static void claim_world(struct thread *t)
{
    mutex_lock(&world.lock);
    while (world_of(t)->stopper) {
        mutex_unlock(&world.lock);
        thread_request(t, BREAKER_STOP);
        thread_detach(t);
        thread_attach(t); /* returns when the other has started the world */
        mutex_lock(&world.lock);
    }
    world_of(t)->stopper = t;
    mutex_unlock(&world.lock);
}

/* One for whom the stopper waits. */
static const struct thread *find_late(const struct thread *stopper) REQUIRES(world.lock)
{
    const struct thread *t = world.threads;

    while (t && (t == stopper || world_of(t) != world_of(stopper) ||
                 atomic_load_explicit(&t->state, memory_order_relaxed) != THREAD_ATTACHED))
        t = t->next;
    return t;
}

/* Tells of one that is late, once a second: after `told` times, whether it told again. */
static bool tell_late(const struct thread *stopper, uint64_t waited_ns, uint64_t told)
    REQUIRES(world.lock)
{
    const struct thread *late;

    if (!world.tell_late || waited_ns / NS_PER_S <= told)
        return false;
    late = find_late(stopper);
    if (late)
        world.tell_late(late, waited_ns);
    return true;
}

void world_stop(struct thread *t)
{
    uint64_t began_ns = clock_ns(), told = 0;

    assert(t == thread_self);
    claim_world(t);
    mutex_lock(&world.lock);
    while (!all_stopped(t)) {
        uint64_t now_ns = clock_ns();

        told += tell_late(t, now_ns - began_ns, told);
        cond_wait_until(&world.stopped, &world.lock, now_ns + NS_PER_MS);
    }
    mutex_unlock(&world.lock);
}

void world_start(struct thread *t)
{
    assert(world_of(t)->stopper == t);
    mutex_lock(&world.lock);
    world_of(t)->stopper = NULL;
    for (struct thread *other = world.threads; other; other = other->next)
        if (world_of(other) == world_of(t))
            swap_state(other, THREAD_SUSPENDED, THREAD_DETACHED);
    pthread_cond_broadcast(&world.started);
    mutex_unlock(&world.lock);
}

bool thread_hold(struct thread *t)
{
    int state = THREAD_DETACHED;

    assert(t != thread_self);
    while (state == THREAD_DETACHED || state == THREAD_SUSPENDED)
        if (atomic_compare_exchange_weak_explicit(&t->state, &state, THREAD_HELD,
                                                  memory_order_seq_cst, memory_order_seq_cst))
            return true;
    return false;
}

void thread_let_go(struct thread *t)
{
    mutex_lock(&world.lock);
    /* Release, with the acquire of the swap that follows: what was done in its name. */
    atomic_store_explicit(&t->state, state_of_detached(t), memory_order_release);
    pthread_cond_broadcast(&world.started);
    mutex_unlock(&world.lock);
}

void world_each(void (*visit)(struct thread *t, void *argument), void *argument)
{
    mutex_lock(&world.lock);
    for (struct thread *t = world.threads; t; t = t->next)
        visit(t, argument);
    mutex_unlock(&world.lock);
}

bool world_is_stopped_by(const struct thread *t) NO_LOCK_ANALYSIS
{
    return world_of(t)->stopper == t;
}

void world_tell_late(void (*tell)(const struct thread *late, uint64_t waited_ns))
{
    mutex_lock(&world.lock);
    world.tell_late = tell;
    mutex_unlock(&world.lock);
}

int world_threads(void)
{
    int count = 0;

    mutex_lock(&world.lock);
    for (const struct thread *t = world.threads; t; t = t->next)
        count++;
    mutex_unlock(&world.lock);
    return count;
}

int world_size(const struct thread *t)
{
    int count;

    mutex_lock(&world.lock);
    count = world_of(t)->threads;
    mutex_unlock(&world.lock);
    return count;
}

void world_before_fork(void) NO_LOCK_ANALYSIS
{
    mutex_lock(&world.lock);
}

/* Its new lock has no world of its own. */
static void keep_only(struct thread *t) REQUIRES(world.lock)
{
    world.threads = t;
    world.everybodys = (struct thread_world){ .threads = t != NULL };
    world.started = (pthread_cond_t)PTHREAD_COND_INITIALIZER;
    world.stopped = (pthread_cond_t)PTHREAD_COND_INITIALIZER;
    if (!t)
        return;
    t->next = NULL;
    t->link = &world.threads;
}

void world_after_fork(bool in_child) NO_LOCK_ANALYSIS
{
    if (in_child)
        keep_only(thread_self);
    mutex_unlock(&world.lock);
}

/* Relaxed: there is no other thread. Detached it may have been stopped or held, by one that is
 * gone. */
void thread_begin_anew(struct thread *t, struct gil *gil)
{
    bool attached = atomic_load_explicit(&t->state, memory_order_relaxed) == THREAD_ATTACHED;

    assert(t == thread_self);
    init(t, gil, NULL);
    atomic_store_explicit(&t->state, THREAD_DETACHED, memory_order_relaxed);
    join_lock(t);
    if (attached)
        enter(t);
}
