/* sharded.h - one atomic counter per object; of hot objects, one counter per thread.
 *
 * As `atomic`, until an object is marked hot: from then on each thread counts it in a
 * shard of its own, with a plain add, and no cache line travels. What that makes hard is
 * to see that the sum over all threads has reached zero. It is found out by epochs, and
 * only where there is reason to look; the object is destroyed some safe points late.
 *
 * To choose where many threads use the same few objects: classes, code, constants,
 * configuration. Marking costs a slot of a table; when SHARDED_HOT_MOST objects are hot,
 * the next stays as it is.
 *
 * Source: A. Clements, F. Kaashoek, N. Zeldovich, RadixVM: Scalable address spaces for
 * multithreaded applications, EuroSys 2013 ("Refcache"); the shards by number are CPython's
 * (Python/uniqueid.c); that a shared count with a large number in it cannot reach zero is
 * how Linux switches modes (lib/percpu-refcount.c). One thing differs from Refcache: there
 * an object dies if the shared count has been zero for an epoch. But a reference that two
 * threads hand to and fro, each taking it after its flush and dropping it before the
 * next, leaves the shared count at zero for ever. So here a shard says not only by how
 * much it changes the count, but also that it was used at all.
 *
 * The number of references of a hot object is `count` - SHARDED_BIAS + the sum over the
 * shards of increments - decrements. A flush adds a shard's difference to `count` and
 * clears the shard. Epochs are numbered: epoch e is complete when every thread has flushed
 * since its beginning, or was seen detached, for then its shard is empty: a thread flushes
 * before it detaches. A flush of a shard that was used stamps the object with the number
 * of the epoch that runs, or of the next if none does.
 *
 *   1. If an object has no stamp e when epoch e is complete, then at the moment when e - 1
 *      was complete `count` was the number of references: each thread has flushed before
 *      that moment and again after it, in epoch e, and the second flush found the shard
 *      not used, so at that moment all shards were empty.
 *   2. So if `count` stands for zero besides, there was no reference at that moment; and
 *      where there is none, nobody can copy one. Only try_incref can still make one.
 *   3. Hence an object that satisfies 1 and 2 is CONDEMNED for one more epoch. A
 *      try_incref uses its thread's shard and then looks at the state. If it sees HOT, it
 *      came before that thread's flush in the epoch (which takes the lock under which the
 *      object was condemned), and that flush stamps the object. If not, it takes the lock
 *      and either acquits the object or finds it dead. So what is CONDEMNED and not
 *      stamped when its epoch is complete is dead, and try_incref fails from then on.
 *   4. Nobody need look unless something goes below zero. Let there be no reference. If
 *      `count` stands for more than zero, some shard is negative; its thread has asked
 *      itself to flush when it became so. If `count` stands for zero or less, the flush or
 *      the late atomic change that made it so has put the object under review; and while
 *      any is under review, one epoch follows the other.
 *   5. A thread that has not seen yet that the object is hot changes `count` itself. It sees
 *      that in the old value, and stamps the object then. Meanwhile the object does not die,
 *      even if that was its last reference: to be condemned and then dead takes the end of
 *      two epochs, and this thread flushes for the second one only at its next safe point.
 *      (So a thread that is not registered must have seen the mark.)
 *   6. Who destroys sees what every thread wrote before it gave up its references: they
 *      flushed under the lock, or changed `count` with release before one that took it.
 *   7. No lock is held while anything is destroyed: destructors come back here.
 */
#ifndef OBJECTS_REFCOUNT_SHARDED_H
#define OBJECTS_REFCOUNT_SHARDED_H

#include "gil/attributes.h"
#include "objects/policy.h"
#include "objects/stats.h"

#include <assert.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#define RC_NEEDS_GIL 0
#define RC_HAS_THREADS 1
#define RC_HAS_HOT 1
#define RC_HAS_QUIESCE 1
#define RC_HAS_LATE 1
#define RC_HAS_RECORDS 1
#define RC_LATE_SAFEPOINTS 5 /* a flush, three epochs, and one that may run already */

static const struct policy rc_policy = {
    .about = "one atomic counter per object; each thread its own for objects marked hot",
    .cost = "a load, a branch, one locked read-modify-write; hot: an add to the thread's memory",
    .space = "16 bytes, and 16 per thread for each hot object",
    .threads = "any; destructors run where the last reference is dropped; hot: in any thread, late",
    .needs = "safe points and thread hooks, for hot objects",
    .paper = "A. Clements et al., RadixVM (Refcache), EuroSys 2013; CPython's uniqueid.c",
};

/* In test builds so few that some find no place. */
#ifdef NDEBUG
enum { SHARDED_HOT_MOST = 512 };
#else
enum { SHARDED_HOT_MOST = 4 };
#endif

#define SHARDED_BIAS ((int64_t)1 << 61)     /* in `count` while the object is hot */
#define SHARDED_IMMORTAL ((int64_t)1 << 59) /* far from both ends */

typedef struct rc {
    _Atomic int64_t count;
    _Atomic uint32_t hot; /* sharded.lock to change; its number in the table, 0: not hot */
} rc_t;

/* What one thread has done to hot objects since its last flush. */
struct sharded_shard {
    struct {
        int64_t increments, decrements;
    } of[SHARDED_HOT_MOST + 1];  /* the thread; in rc_quiesce its caller */
    struct thread *thread;       /* set once; NULL: not registered */
    uint64_t seen;               /* sharded.lock; the last epoch in which it has flushed */
    struct sharded_shard *next;  /* sharded.lock */
};

extern _Thread_local struct sharded_shard sharded_self;

/* What is not the fast path; each does what the function of the contract says. */
SLOW_PATH void sharded_ask_to_flush(void);
SLOW_PATH void sharded_count_shared(rc_t *rc, int change);
SLOW_PATH void sharded_stamp_late(rc_t *rc);
SLOW_PATH bool sharded_try_incref(rc_t *rc, uint32_t hot);
SLOW_PATH void sharded_mark(rc_t *rc);
SLOW_PATH void sharded_register(void);
SLOW_PATH void sharded_unregister(void);
SLOW_PATH void sharded_flush_and_judge(void);
SLOW_PATH void sharded_settle(void);
SLOW_PATH int sharded_registered(void);

static inline bool sharded_is_biased(int64_t count)
{
    return count > SHARDED_BIAS / 2;
}

static inline uint32_t sharded_hot(const rc_t *rc)
{
    return atomic_load_explicit(&((rc_t *)rc)->hot, memory_order_relaxed);
}

static inline void rc_init(rc_t *rc)
{
    atomic_init(&rc->count, 1);
    atomic_init(&rc->hot, 0);
}

static inline void rc_immortal(rc_t *rc)
{
    atomic_init(&rc->count, SHARDED_IMMORTAL);
    atomic_init(&rc->hot, 0);
}

static inline void sharded_incref_hot(rc_t *rc, uint32_t hot)
{
    if (likely(sharded_self.thread))
        sharded_self.of[hot].increments++;
    else
        sharded_count_shared(rc, 1);
}

static inline void sharded_decref_hot(rc_t *rc, uint32_t hot)
{
    if (unlikely(!sharded_self.thread))
        sharded_count_shared(rc, -1);
    else if (unlikely(++sharded_self.of[hot].decrements == sharded_self.of[hot].increments + 1))
        sharded_ask_to_flush(); /* fact 4 */
}

/* Relaxed, as in atomic.h: the caller holds a reference. */
static inline void rc_incref(rc_t *rc)
{
    uint32_t hot = sharded_hot(rc);
    int64_t old;

    if (unlikely(hot)) {
        sharded_incref_hot(rc, hot);
        return;
    }
    old = atomic_fetch_add_explicit(&rc->count, 1, memory_order_relaxed);
    assert(old > 0 && "incref of an object that is being destroyed");
    if (unlikely(sharded_is_biased(old)))
        sharded_stamp_late(rc); /* fact 5 */
}

/* Release and acquire as in atomic.h. */
static inline bool rc_decref(rc_t *rc)
{
    uint32_t hot = sharded_hot(rc);
    int64_t old;

    if (unlikely(hot)) {
        sharded_decref_hot(rc, hot);
        return false;
    }
    old = atomic_fetch_sub_explicit(&rc->count, 1, memory_order_release);
    assert(old > 0 && "decref without a reference");
    if (unlikely(sharded_is_biased(old)))
        sharded_stamp_late(rc);
    if (old > 1)
        return false;
    (void)atomic_load_explicit(&rc->count, memory_order_acquire);
    return true;
}

static inline bool rc_try_incref(rc_t *rc)
{
    uint32_t hot = sharded_hot(rc);
    int64_t count;

    if (unlikely(hot))
        return sharded_try_incref(rc, hot);
    count = atomic_load_explicit(&rc->count, memory_order_relaxed);
    while (count > 0) {
        if (atomic_compare_exchange_weak_explicit(&rc->count, &count, count + 1,
                                                  memory_order_acquire, memory_order_relaxed)) {
            if (unlikely(sharded_is_biased(count)))
                sharded_stamp_late(rc);
            return true;
        }
        rc_note_retry(rc);
    }
    return false;
}

/* Of a hot object: what has been flushed, and what this thread has not. */
static inline int64_t rc_count(const rc_t *rc)
{
    int64_t count = atomic_load_explicit(&rc->count, memory_order_relaxed);
    uint32_t hot = sharded_hot(rc);

    if (!hot)
        return sharded_is_biased(count) ? count - SHARDED_BIAS : count;
    return count - SHARDED_BIAS + sharded_self.of[hot].increments - sharded_self.of[hot].decrements;
}

static inline void rc_mark_hot(rc_t *rc)
{
    sharded_mark(rc);
}

static inline int rc_thread_start(void)
{
    sharded_register();
    return 0;
}

static inline void rc_thread_stop(void)
{
    sharded_unregister();
}

static inline void rc_safepoint(void)
{
    sharded_flush_and_judge();
}

static inline void rc_quiesce(void)
{
    sharded_settle();
}

static inline int rc_records(void)
{
    return sharded_registered();
}

#if RC_IMPLEMENTATION

#include "gil/mutex.h"
#include "gil/thread.h"

#include <stddef.h>
#include <string.h>

/* object.c provides it (refcount.h). */
void rc_destroy(rc_t *rc);

enum sharded_state { SHARDED_FREE, SHARDED_HOT, SHARDED_CONDEMNED, SHARDED_DEAD };

/* A hot object. */
struct sharded_slot {
    rc_t *_Atomic rc;     /* sharded.lock to change */
    _Atomic int state;    /* sharded.lock to change; enum sharded_state */
    uint64_t stamp;       /* sharded.lock; the last epoch in which it was used */
    bool reviewed;        /* sharded.lock; `count` has stood for zero or less */
};

static struct {
    struct mutex lock;                                /* takes world.lock, and no other */
    struct sharded_shard *shards;                     /* lock */
    uint64_t epoch;                                   /* lock; the one that runs, or the next */
    _Atomic bool running;                             /* lock to change */
    _Atomic int highest;                              /* lock to change; slot ever used */
    int reviewed, dead;                               /* lock; so many of the slots */
    struct sharded_slot slot[SHARDED_HOT_MOST + 1];   /* from 1 on */
} sharded = { .lock = MUTEX_INIT, .epoch = 1 };

_Thread_local struct sharded_shard sharded_self;

void sharded_ask_to_flush(void)
{
    thread_request(sharded_self.thread, BREAKER_MERGE);
}

static void sharded_set_state(struct sharded_slot *slot, enum sharded_state state)
    REQUIRES(sharded.lock)
{
    atomic_store_explicit(&slot->state, state, memory_order_relaxed);
}

static int sharded_state_of(struct sharded_slot *slot)
{
    return atomic_load_explicit(&slot->state, memory_order_relaxed);
}

static rc_t *sharded_object_of(struct sharded_slot *slot)
{
    return atomic_load_explicit(&slot->rc, memory_order_relaxed);
}

/* The references that the slot's `count` stands for. Acquire: fact 6. */
static int64_t sharded_flushed(struct sharded_slot *slot)
{
    return atomic_load_explicit(&sharded_object_of(slot)->count, memory_order_acquire) -
           SHARDED_BIAS;
}

/* What waits for a verdict, told to who counts. Asked first, for compilers keep an atomic load
 * of which nothing comes. */
static void sharded_note(struct sharded_slot *slot, void (*note)(rc_t *rc))
{
    if (RC_STATS)
        note(sharded_object_of(slot));
}

/* The object has been used, in this epoch. */
static void sharded_stamp(struct sharded_slot *slot) REQUIRES(sharded.lock)
{
    slot->stamp = sharded.epoch;
    if (sharded_state_of(slot) == SHARDED_CONDEMNED)
        sharded_set_state(slot, SHARDED_HOT);
    if (!slot->reviewed && sharded_flushed(slot) <= 0) {
        slot->reviewed = true;
        sharded.reviewed++;
        sharded_note(slot, rc_note_queued);
    }
}

static void sharded_add(struct sharded_slot *slot, int64_t change) REQUIRES(sharded.lock)
{
    atomic_fetch_add_explicit(&sharded_object_of(slot)->count, change, memory_order_acq_rel);
    sharded_stamp(slot);
}

static int sharded_highest(void)
{
    return atomic_load_explicit(&sharded.highest, memory_order_relaxed);
}

static bool sharded_used(const struct sharded_shard *shard, int i)
{
    return shard->of[i].increments | shard->of[i].decrements;
}

static void sharded_flush(struct sharded_shard *shard) REQUIRES(sharded.lock)
{
    for (int i = 1; i <= sharded_highest(); i++) {
        int64_t change = shard->of[i].increments - shard->of[i].decrements;

        if (!sharded_used(shard, i))
            continue;
        shard->of[i].increments = shard->of[i].decrements = 0;
        rc_note_merge();
        if (sharded_state_of(&sharded.slot[i]) != SHARDED_FREE) /* a failed try_incref's */
            sharded_add(&sharded.slot[i], change);
    }
}

/* Facts 1 to 3, of one object under review when the epoch is complete. */
static void sharded_judge(struct sharded_slot *slot) REQUIRES(sharded.lock)
{
    if (sharded_flushed(slot) > 0) {
        assert(sharded_state_of(slot) == SHARDED_HOT);
        slot->reviewed = false;
        sharded.reviewed--;
        sharded_note(slot, rc_note_drained);
    } else if (slot->stamp == sharded.epoch) {
        assert(sharded_state_of(slot) == SHARDED_HOT);
    } else if (sharded_state_of(slot) == SHARDED_HOT) {
        assert(sharded_flushed(slot) == 0 && "more decrefs than references");
        sharded_set_state(slot, SHARDED_CONDEMNED);
    } else {
        sharded_set_state(slot, SHARDED_DEAD);
        slot->reviewed = false;
        sharded.reviewed--;
        sharded_note(slot, rc_note_drained);
        sharded.dead++;
    }
}

static void sharded_judge_all(void) REQUIRES(sharded.lock)
{
    for (int i = 1; i <= sharded_highest(); i++)
        if (sharded.slot[i].reviewed)
            sharded_judge(&sharded.slot[i]);
    sharded.epoch++;
    atomic_store_explicit(&sharded.running, false, memory_order_relaxed);
}

static bool sharded_running(void)
{
    return atomic_load_explicit(&sharded.running, memory_order_relaxed);
}

static void sharded_begin_epoch(void) REQUIRES(sharded.lock)
{
    atomic_store_explicit(&sharded.running, true, memory_order_relaxed);
    for (struct sharded_shard *shard = sharded.shards; shard; shard = shard->next)
        thread_request(shard->thread, BREAKER_MERGE);
    if (sharded_self.thread)
        sharded_self.seen = sharded.epoch; /* the caller has just flushed */
}

/* Whether a thread has flushed in this epoch, or has nothing to flush. If it is attached at
 * this look, it has been asked, and flushes at the latest before it is detached. */
static bool sharded_has_seen(struct sharded_shard *shard) REQUIRES(sharded.lock)
{
    if (shard->seen != sharded.epoch && thread_hold(shard->thread)) {
        shard->seen = sharded.epoch;
        thread_let_go(shard->thread);
    }
    return shard->seen == sharded.epoch;
}

static bool sharded_complete(void) REQUIRES(sharded.lock)
{
    struct sharded_shard *shard = sharded.shards;

    while (shard && (shard == &sharded_self || sharded_has_seen(shard)))
        shard = shard->next;
    return !shard;
}

/* The caller has nothing unflushed: takes the epochs as far as they go without others. */
static void sharded_go_on(void) REQUIRES(sharded.lock)
{
    if (sharded_self.thread)
        sharded_self.seen = sharded.epoch;
    while (sharded_running() || sharded.reviewed) {
        if (!sharded_running())
            sharded_begin_epoch();
        if (!sharded_complete())
            return;
        sharded_judge_all();
    }
}

/* A dead object, which leaves the table; NULL: there is none. */
static rc_t *sharded_pop_dead(void) REQUIRES(sharded.lock)
{
    struct sharded_slot *slot = sharded.slot;
    rc_t *rc;

    if (!sharded.dead)
        return NULL;
    while (sharded_state_of(slot) != SHARDED_DEAD)
        slot++;
    rc = sharded_object_of(slot);
    atomic_store_explicit(&slot->rc, NULL, memory_order_relaxed);
    sharded_set_state(slot, SHARDED_FREE);
    sharded.dead--;
    atomic_store_explicit(&rc->count, 0, memory_order_relaxed);
    atomic_store_explicit(&rc->hot, 0, memory_order_relaxed);
    return rc;
}

/* True if there was anything. */
static bool sharded_destroy_dead(void)
{
    bool any = false;
    rc_t *rc;

    do {
        mutex_lock(&sharded.lock);
        rc = sharded_pop_dead();
        mutex_unlock(&sharded.lock);
        if (rc)
            rc_destroy(rc);
        any |= rc != NULL;
    } while (rc);
    return any;
}

/* Whether this thread can go by: it used no hot object, and nobody waits for it. Who had
 * asked it set `running` before, and the request has been read with acquire. */
static bool sharded_is_idle(void)
{
    int i = sharded_highest();

    while (i > 0 && !sharded_used(&sharded_self, i))
        i--;
    return i == 0 && !sharded_running();
}

/* Again if anything was destroyed, for what destructors count must not stay in the shard of a
 * thread that is about to be detached. */
void sharded_flush_and_judge(void)
{
    do {
        if (sharded_is_idle())
            return;
        rc_lock(&sharded.lock, NULL);
        sharded_flush(&sharded_self);
        sharded_go_on();
        mutex_unlock(&sharded.lock);
    } while (sharded_destroy_dead());
}

/* Asks whoever may complete an epoch, since the caller may be nobody who can. */
static void sharded_review_soon(void) REQUIRES(sharded.lock)
{
    if (sharded.reviewed && !sharded_running() && sharded.shards)
        thread_request(sharded.shards->thread, BREAKER_MERGE);
}

/* By a thread that has no shard. */
void sharded_count_shared(rc_t *rc, int change)
{
    rc_lock(&sharded.lock, rc);
    sharded_add(&sharded.slot[sharded_hot(rc)], change);
    sharded_review_soon();
    mutex_unlock(&sharded.lock);
}

void sharded_stamp_late(rc_t *rc)
{
    uint32_t hot;

    mutex_lock(&sharded.lock);
    hot = sharded_hot(rc);
    if (hot)
        sharded_stamp(&sharded.slot[hot]);
    sharded_review_soon();
    mutex_unlock(&sharded.lock);
}

/* Fact 3, where it did not go the short way. */
static bool sharded_acquit(rc_t *rc, uint32_t hot)
{
    struct sharded_slot *slot = &sharded.slot[hot];
    bool alive;

    rc_lock(&sharded.lock, rc);
    alive = sharded_object_of(slot) == rc && sharded_state_of(slot) != SHARDED_DEAD;
    if (alive)
        sharded_add(slot, 1);
    mutex_unlock(&sharded.lock);
    return alive;
}

/* The table may have gone over to another object since `hot` was read. */
bool sharded_try_incref(rc_t *rc, uint32_t hot)
{
    struct sharded_slot *slot = &sharded.slot[hot];

    if (unlikely(!sharded_self.thread))
        return sharded_acquit(rc, hot);
    sharded_self.of[hot].increments++;
    __asm__ volatile("" : : : "memory"); /* used first, then looked: for this same thread */
    if (likely(sharded_state_of(slot) == SHARDED_HOT && sharded_object_of(slot) == rc))
        return true;
    sharded_self.of[hot].decrements++;
    return sharded_acquit(rc, hot);
}

static uint32_t sharded_free_slot(void) REQUIRES(sharded.lock)
{
    for (uint32_t i = 1; i <= SHARDED_HOT_MOST; i++)
        if (sharded_state_of(&sharded.slot[i]) == SHARDED_FREE)
            return i;
    return 0;
}

/* Nothing if the table is full, if it is hot already, or immortal. */
void sharded_mark(rc_t *rc)
{
    uint32_t hot;

    mutex_lock(&sharded.lock);
    hot = sharded_free_slot();
    if (hot && !sharded_hot(rc) &&
        atomic_load_explicit(&rc->count, memory_order_relaxed) < SHARDED_IMMORTAL / 2) {
        struct sharded_slot *slot = &sharded.slot[hot];

        if ((int)hot > sharded_highest())
            atomic_store_explicit(&sharded.highest, (int)hot, memory_order_relaxed);
        atomic_store_explicit(&slot->rc, rc, memory_order_relaxed);
        sharded_set_state(slot, SHARDED_HOT);
        slot->stamp = sharded.epoch;
        atomic_fetch_add_explicit(&rc->count, SHARDED_BIAS, memory_order_relaxed);
        /* Release: who counts in its shard flushes into a biased count. */
        atomic_store_explicit(&rc->hot, hot, memory_order_release);
    }
    mutex_unlock(&sharded.lock);
}

void sharded_register(void)
{
    struct sharded_shard *shard = &sharded_self;

    assert(!shard->thread);
    shard->thread = thread_self;
    mutex_lock(&sharded.lock);
    shard->seen = sharded.epoch;
    shard->next = sharded.shards;
    sharded.shards = shard;
    mutex_unlock(&sharded.lock);
}

/* What the destructors that it still runs count, they count as a thread without a shard. */
void sharded_unregister(void)
{
    struct sharded_shard *shard = &sharded_self, **link = &sharded.shards;

    mutex_lock(&sharded.lock);
    sharded_flush(shard);
    while (*link != shard)
        link = &(*link)->next;
    *link = shard->next;
    shard->thread = NULL;
    sharded_go_on();
    mutex_unlock(&sharded.lock);
    sharded_destroy_dead();
}

/* No other thread runs, so no shard is used meanwhile. */
void sharded_settle(void)
{
    bool again;

    do {
        mutex_lock(&sharded.lock);
        for (struct sharded_shard *shard = sharded.shards; shard; shard = shard->next) {
            sharded_flush(shard);
            shard->seen = sharded.epoch;
        }
        if (sharded.reviewed)
            sharded_judge_all();
        again = sharded.reviewed || sharded.dead;
        mutex_unlock(&sharded.lock);
        sharded_destroy_dead();
    } while (again);
}

/* How many threads are registered. */
int sharded_registered(void)
{
    int count = 0;

    mutex_lock(&sharded.lock);
    for (const struct sharded_shard *shard = sharded.shards; shard; shard = shard->next)
        count++;
    mutex_unlock(&sharded.lock);
    return count;
}

#endif

#endif
