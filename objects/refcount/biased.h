/* biased.h - its maker counts with plain instructions, everybody else with atomic ones.
 *
 * Most objects are only ever touched by the thread that made them. So an object
 * remembers this owner, which has a count of its own, `local`; the others share an
 * atomic one, `shared`. The number of references is the sum of the two, and neither
 * need say anything alone: `shared` falls below zero when others drop what the owner
 * counted, `local` reaches zero when the owner drops what others counted.
 *
 * To choose when threads keep to their own objects. Three weaknesses:
 *   - an object made here and dropped there is destroyed late, when its owner next
 *     passes a safe point, and by its owner: the worst case is a pipeline;
 *   - an owner that waits in a blocking call drains nothing meanwhile (it does so just
 *     before), so the others' garbage piles up for as long as it waits: CPython
 *     gh-157838 tells of 20 GB where 10 were needed (biased_suspend.h is the cure);
 *   - a stackful function must be resumed on the thread that it left, for compilers
 *     keep the thread pointer in a register.
 *
 * Source: J. Choi, T. Shull, J. Torrellas, Biased Reference Counting, PACT 2018, in the
 * form of PEP 703 (S. Gross, 2023).
 *
 * The state, in the two low bits of `shared`, only ever rises:
 *
 *   DEFAULT ----> PUBLISHED     rc_publish. From here on others may try_incref, so the
 *      |              |         owner must not free without an atomic operation.
 *      +------+-------+
 *             |------> QUEUED   another thread would have taken a count of 0 below zero.
 *             |          |      It subtracts nothing: its reference is the queue's now.
 *             +----------+----> MERGED   `local` is 0 for good, `shared` is all there is.
 *
 * An object becomes MERGED when its owner's `local` reaches zero while `shared` is not
 * plain 0, or when it is drained: then `local` is moved over to `shared` and the
 * queue's reference is dropped. Owners are found by number in a hash table, and not by
 * a pointer in the object, since the object may outlive the owner.
 *
 * Why this is right. References are those that threads hold and those of queues; their
 * number is local + count(shared), as every step above keeps it so.
 *
 *   1. One at a time may touch `local`, and may take the owner's number out: the owner
 *      while it is registered; else whoever holds the lock of the bucket that the owner
 *      would be in; in biased_suspend, who holds that lock and the detached owner besides
 *      (thread_hold); in rc_quiesce the caller, as no other thread runs; and once MERGED
 *      the one thread that holds the queue's reference. Registering takes the bucket's
 *      lock too, so each of them sees what the one before has written.
 *   2. Owners are numbered by their thread pointer, which a later thread may be given
 *      again. That thread, once registered, simply is the owner of what its forerunner
 *      left: by 1 nobody else touches those counts, and it hashes to the same bucket.
 *   3. While `local` is 0, `shared` counts every reference. So another thread that
 *      drops one and finds a count of 0 knows that `local` is not 0, that the owner is
 *      not about to free, and that the object lives on with the queue's reference.
 *   4. Only the one compare-and-swap to QUEUED leads to a queue. So an object is queued
 *      once in its life, and needs one link; no queue ever allocates.
 *   5. Exactly one thread frees an object. If it was DEFAULT, the owner whose `local`
 *      reached zero and who then saw `shared` 0: by 3 there is no reference left, and
 *      nobody may try_incref. Otherwise whose operation left exactly MERGED, count 0:
 *      nothing changes `shared` after that.
 *   6. Whoever sets MERGED writes `local` and `owner` before. After, it touches the
 *      object only if it is the one who frees it.
 *   7. Who frees sees what every thread wrote before it gave up its references: all of
 *      them gave up by a read-modify-write of `shared` with release (or, the owner, by
 *      merging with release, or by leaving through the bucket's lock), and who frees
 *      has read `shared` with acquire. Weaker, a destructor could read stale fields.
 *   8. No thread that is not registered looks like an owner of a merged object (the
 *      number 0 is no thread's pointer) or of one that it made (born MERGED). It must
 *      leave alone the unmerged objects of a registered thread that had its pointer
 *      before, even itself; an assertion finds who does not.
 *   9. No lock is held while anything is destroyed: destructors come back here.
 */
#ifndef OBJECTS_REFCOUNT_BIASED_H
#define OBJECTS_REFCOUNT_BIASED_H

#include "gil/attributes.h"
#include "objects/policy.h"
#include "objects/stats.h"

#include <assert.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#ifndef RC_SUSPENDS /* 1: this is biased_suspend.h */
#define RC_SUSPENDS 0
#endif

#define RC_NEEDS_GIL 0
#define RC_HAS_THREADS 1
#define RC_HAS_PUBLISH 1
#define RC_HAS_QUIESCE 1
#define RC_HAS_LATE 1
#define RC_LATE_SAFEPOINTS 1
#define RC_LATE_DETACHED !RC_SUSPENDS
#define RC_HAS_RECORDS 1

#if !RC_SUSPENDS
static const struct policy rc_policy = {
    .about = "the owner counts plainly, the others atomically; the two are merged at the end",
    .cost = "owner: a compare and one add to memory; others: one locked read-modify-write",
    .space = "24 bytes",
    .threads = "any; destructors run where the last reference is dropped, or later in the owner",
    .needs = "safe points and thread hooks",
    .paper = "J. Choi, T. Shull, J. Torrellas, Biased Reference Counting, PACT 2018; PEP 703",
};
#endif

enum biased_state {
    BIASED_DEFAULT, BIASED_PUBLISHED, BIASED_QUEUED, BIASED_MERGED,
    BIASED_ONE, /* what one reference adds to `shared`, above the state's two bits */
    BIASED_IMMORTAL = 1 << 28, /* references; twice as many fit */
};

typedef struct rc {
    _Atomic uintptr_t owner; /* its thread pointer, 0 once merged; fact 1 */
    int32_t local;           /* fact 1 */
    _Atomic int32_t shared;  /* atomic; references * BIASED_ONE + state */
    struct rc *link;         /* lock of the owner's bucket; while queued */
} rc_t;

/* A registered thread, and what others have queued for it. */
struct biased_owner {
    uintptr_t id;              /* set once: its thread pointer; 0: not registered */
    struct thread *thread;     /* set once: whom to ask for a drain */
    rc_t *queued;              /* the bucket's lock */
    rc_t *taken;               /* fact 1, as `local`: being drained */
    struct biased_owner *next; /* the bucket's lock */
    bool draining;             /* owner: it is destroying what has waited for it */
};

extern _Thread_local struct biased_owner biased_self;

/* What is not the fast path; each does what the function of the contract says. */
SLOW_PATH bool biased_merge_zero(rc_t *rc);
SLOW_PATH bool biased_decref_foreign(rc_t *rc);
SLOW_PATH bool biased_try_incref_foreign(rc_t *rc);
SLOW_PATH void biased_register(void);
SLOW_PATH void biased_unregister(void);
SLOW_PATH void biased_drain_own(void);
SLOW_PATH void biased_drain_all(void);
SLOW_PATH int biased_owners(void);

/* Relaxed: another's number never turns into this thread's, and this thread's is taken
 * out by itself or, by fact 1, before something that it has since waited for. */
static inline bool biased_mine(const rc_t *rc)
{
    bool mine = atomic_load_explicit(&rc->owner, memory_order_relaxed) ==
                (uintptr_t)__builtin_thread_pointer();

    assert((!mine || biased_self.id) && "a thread counts before it starts or after it stopped");
    return mine;
}

static inline void rc_init(rc_t *rc)
{
    bool registered = biased_self.id != 0;

    atomic_init(&rc->owner, biased_self.id);
    rc->local = registered;
    atomic_init(&rc->shared, registered ? BIASED_DEFAULT : BIASED_ONE + BIASED_MERGED);
}

static inline void rc_immortal(rc_t *rc)
{
    atomic_init(&rc->owner, 0);
    rc->local = 0;
    atomic_init(&rc->shared, BIASED_IMMORTAL * BIASED_ONE + BIASED_MERGED);
}

/* Relaxed, as in atomic.h: the caller holds a reference. */
static inline void rc_incref(rc_t *rc)
{
    if (likely(biased_mine(rc))) {
        assert(rc->local > 0 && rc->local < INT32_MAX);
        rc->local++;
    } else {
        int32_t old = atomic_fetch_add_explicit(&rc->shared, BIASED_ONE, memory_order_relaxed);

        assert(old != BIASED_MERGED && "incref of an object that is being destroyed");
        (void)old;
    }
}

static inline bool rc_decref(rc_t *rc)
{
    /* cut 06: whose is it, and who frees at zero? | return rc->local < 0 && biased_mine(rc); */
    if (unlikely(!biased_mine(rc)))
        return biased_decref_foreign(rc);
    assert(rc->local > 0 && "decref without a reference");
    if (likely(--rc->local))
        return false;
    /* Facts 5 and 7; acquire for those who saw the object though nobody published it. */
    return atomic_load_explicit(&rc->shared, memory_order_acquire) == BIASED_DEFAULT ||
           biased_merge_zero(rc);
    /* end of cut */
}

/* `local` is 0 here only if this thread is destroying the object. */
static inline bool rc_try_incref(rc_t *rc)
{
    if (unlikely(!biased_mine(rc)))
        return biased_try_incref_foreign(rc);
    if (rc->local == 0)
        return false;
    rc->local++;
    return true;
}

/* Another thread's `local`, in whatever moment: one load of an aligned word, which the
 * hardware does not tear. Volatile, so that the compiler does not either. */
__attribute__((no_sanitize("thread")))
static inline int32_t biased_peek(const rc_t *rc)
{
    return *(const volatile int32_t *)&rc->local;
}

static inline int64_t rc_count(const rc_t *rc)
{
    int32_t shared = atomic_load_explicit(&rc->shared, memory_order_relaxed);

    return (int64_t)biased_peek(rc) + (shared - (shared & BIASED_MERGED)) / BIASED_ONE;
}

/* Relaxed: whoever may try_incref got the pointer by some synchronisation after this. */
static inline void rc_publish(rc_t *rc)
{
    int32_t old = atomic_load_explicit(&rc->shared, memory_order_relaxed);

    while ((old & BIASED_MERGED) == BIASED_DEFAULT) {
        if (atomic_compare_exchange_weak_explicit(&rc->shared, &old, old + BIASED_PUBLISHED,
                                                  memory_order_relaxed, memory_order_relaxed))
            return;
        rc_note_retry(rc);
    }
}

static inline int rc_thread_start(void)
{
    biased_register();
    return 0;
}

static inline void rc_thread_stop(void)
{
    biased_unregister();
}

static inline void rc_safepoint(void)
{
    biased_drain_own();
}

static inline void rc_quiesce(void)
{
    biased_drain_all();
}

static inline int rc_records(void)
{
    return biased_owners();
}

#if RC_IMPLEMENTATION

#include "gil/mutex.h"
#include "gil/thread.h"

#include <stddef.h>

/* object.c provides it (refcount.h). */
void rc_destroy(rc_t *rc);

/* A prime, so that stacks at regular distances spread; in test builds two, so that
 * strangers meet in a bucket. */
#ifdef NDEBUG
enum { BIASED_BUCKETS = 61 };
#else
enum { BIASED_BUCKETS = 2 };
#endif

struct biased_bucket {
    _Alignas(64) struct mutex lock; /* held for a few instructions, and takes no other */
    struct biased_owner *owners;    /* lock */
};

static struct biased_bucket biased_buckets[BIASED_BUCKETS] = {
    [0 ... BIASED_BUCKETS - 1] = { .lock = MUTEX_INIT },
};

_Thread_local struct biased_owner biased_self;

/* Thread pointers are aligned to 64. */
static struct biased_bucket *biased_bucket_of(uintptr_t id)
{
    return &biased_buckets[(id >> 6) % BIASED_BUCKETS];
}

bool biased_merge_zero(rc_t *rc)
{
    /* cut 06: the owner has dropped all that it counted: what is left is `shared` | return !rc; */
    int32_t old;

    rc_note_merge();
    atomic_store_explicit(&rc->owner, 0, memory_order_relaxed); /* fact 6 */
    old = atomic_fetch_or_explicit(&rc->shared, BIASED_MERGED, memory_order_acq_rel);
    return (old | BIASED_MERGED) == BIASED_MERGED;
    /* end of cut */
}

/* Merges a queued object and drops the queue's reference; true: it was the last. The
 * caller is the one that fact 1 speaks of. It is QUEUED, or the owner has merged it
 * since; by fact 1 this does not change now, so one addition does it. Acquire, for in
 * the second case `local` was the owner's until then. */
static bool biased_merge_queued(rc_t *rc)
{
    /* cut 06: add the two counts, and drop the reference that the queue held | return !rc; */
    int32_t state = atomic_load_explicit(&rc->shared, memory_order_acquire) & BIASED_MERGED;
    int32_t change = (rc->local - 1) * BIASED_ONE + BIASED_MERGED - state;
    int32_t old;

    assert(state >= BIASED_QUEUED);
    rc_note_merge();
    rc_note_drained(rc);
    rc->local = 0;
    atomic_store_explicit(&rc->owner, 0, memory_order_relaxed);
    old = atomic_fetch_add_explicit(&rc->shared, change, memory_order_acq_rel);
    assert(old + change >= BIASED_MERGED && "more decrefs than references");
    return old + change == BIASED_MERGED;
    /* end of cut */
}

static struct biased_owner *biased_find(struct biased_bucket *bucket, uintptr_t id)
    REQUIRES(bucket->lock)
{
    struct biased_owner *owner = bucket->owners;

    while (owner && owner->id != id)
        owner = owner->next;
    return owner;
}

/* The bucket's lock is held so that the owner cannot leave: its struct thread is there
 * to be asked. A queue that was not empty has asked already. */
static void biased_push(struct biased_owner *owner, rc_t *rc)
{
    rc_note_queued(rc);
    rc->link = owner->queued;
    owner->queued = rc;
    if (!rc->link)
        thread_request(owner->thread, BREAKER_MERGE);
}

/* Merges all in `list`, and puts what is dead on `dead`. */
static void biased_merge_all(rc_t *list, rc_t **dead)
{
    while (list) {
        rc_t *rc = list;

        list = rc->link;
        if (biased_merge_queued(rc)) {
            rc->link = *dead;
            *dead = rc;
        }
    }
}

/* What waits for an owner that is detached is merged in its name, and the dead are
 * returned. It cannot attach meanwhile, nor leave, for it is held; one that was attached
 * at the look has seen biased_push ask, and drains before it is detached. */
static rc_t *biased_merge_for_detached(struct biased_bucket *bucket, struct biased_owner *owner)
    REQUIRES(bucket->lock)
{
    rc_t *dead = NULL;

    (void)bucket;
    if (!RC_SUSPENDS || owner == &biased_self || !thread_hold(owner->thread))
        return NULL;
    biased_merge_all(owner->taken, &dead);
    biased_merge_all(owner->queued, &dead);
    owner->taken = owner->queued = NULL;
    thread_let_go(owner->thread);
    return dead;
}

/* Gives the owner an object that has just become QUEUED, with the reference of the
 * caller; returns those that are dead by that, if the owner is no more or detached. If the
 * owner has merged the object since, its number may be gone already; 0 finds nobody. */
static rc_t *biased_enqueue(rc_t *rc)
{
    uintptr_t id = atomic_load_explicit(&rc->owner, memory_order_relaxed);
    struct biased_bucket *bucket = biased_bucket_of(id);
    struct biased_owner *owner;
    rc_t *dead = NULL;

    rc_lock(&bucket->lock, rc);
    owner = biased_find(bucket, id);
    if (owner) {
        biased_push(owner, rc);
        dead = biased_merge_for_detached(bucket, owner);
    } else {
        rc->link = NULL;
        biased_merge_all(rc, &dead);
    }
    mutex_unlock(&bucket->lock);
    return dead;
}

/* Destroys the others; true: `rc` is among them, and is left to the caller. */
static bool biased_destroy_others(rc_t *dead, const rc_t *rc)
{
    bool found = false;

    while (dead) {
        rc_t *next = dead->link;

        if (dead == rc)
            found = true;
        else
            rc_destroy(dead);
        dead = next;
    }
    return found;
}

/* Below QUEUED a compare-and-swap, as a count of 0 must not be lowered. From QUEUED on
 * every subtraction is right, and the one that leaves exactly MERGED is the last. */
bool biased_decref_foreign(rc_t *rc)
{
    /* cut 06: subtract, or queue | return biased_destroy_others(NULL, rc) && biased_enqueue(rc); */
    int32_t old = atomic_load_explicit(&rc->shared, memory_order_relaxed);

    while (!(old & BIASED_QUEUED)) {
        bool zero = old < BIASED_ONE;

        if (atomic_compare_exchange_weak_explicit(&rc->shared, &old,
                                                  zero ? BIASED_QUEUED : old - BIASED_ONE,
                                                  memory_order_release, memory_order_relaxed))
            return zero && biased_destroy_others(biased_enqueue(rc), rc);
        rc_note_retry(rc);
    }
    old = atomic_fetch_sub_explicit(&rc->shared, BIASED_ONE, memory_order_release);
    assert(old != BIASED_MERGED && "decref without a reference");
    if (old != BIASED_ONE + BIASED_MERGED)
        return false;
    (void)atomic_load_explicit(&rc->shared, memory_order_acquire);
    return true;
    /* end of cut */
}

/* DEFAULT and 0: nothing says whether the owner still holds it, and it was not
 * published. Any other word but MERGED keeps the owner from freeing without looking. */
bool biased_try_incref_foreign(rc_t *rc)
{
    /* cut 06: in which states does it live for sure? | return !rc; */
    int32_t old = atomic_load_explicit(&rc->shared, memory_order_relaxed);

    while (old != BIASED_DEFAULT && old != BIASED_MERGED) {
        if (atomic_compare_exchange_weak_explicit(&rc->shared, &old, old + BIASED_ONE,
                                                  memory_order_acquire, memory_order_relaxed))
            return true;
        rc_note_retry(rc);
    }
    return false;
    /* end of cut */
}

void biased_register(void)
{
    struct biased_owner *owner = &biased_self;
    struct biased_bucket *bucket;

    assert(!owner->id && !owner->queued && !owner->taken);
    owner->id = (uintptr_t)__builtin_thread_pointer();
    owner->thread = thread_self;
    bucket = biased_bucket_of(owner->id);
    mutex_lock(&bucket->lock);
    owner->next = bucket->owners;
    bucket->owners = owner;
    mutex_unlock(&bucket->lock);
}

/* Takes the owner out if nothing is queued for it; false if something is. */
static bool biased_leave(struct biased_owner *owner)
{
    struct biased_bucket *bucket = biased_bucket_of(owner->id);
    struct biased_owner **link = &bucket->owners;
    bool empty;

    mutex_lock(&bucket->lock);
    empty = !owner->queued;
    while (empty && *link != owner)
        link = &(*link)->next;
    if (empty)
        *link = owner->next;
    mutex_unlock(&bucket->lock);
    return empty;
}

/* The look that finds the queue empty and the leaving are one: whoever comes later
 * finds no owner, and merges for itself. No count is touched after. */
void biased_unregister(void)
{
    /* cut 06: others may be queueing for you just now | biased_leave(&biased_self); */
    do
        biased_drain_own();
    while (!biased_leave(&biased_self));
    /* end of cut */
    biased_self.id = 0;
}

/* One of the objects that wait for `owner`; NULL: there was none, seen under the lock.
 * What is taken stays on a list of the owner's and not of the caller's: a destructor
 * may drain again, or be stopped while rc_quiesce drains for it. */
static rc_t *biased_pop(struct biased_owner *owner)
{
    struct biased_bucket *bucket = biased_bucket_of(owner->id);
    rc_t *rc;

    if (!owner->taken) {
        mutex_lock(&bucket->lock);
        owner->taken = owner->queued;
        owner->queued = NULL;
        mutex_unlock(&bucket->lock);
    }
    rc = owner->taken;
    if (rc)
        owner->taken = rc->link;
    return rc;
}

static void biased_drain(struct biased_owner *owner)
{
    rc_t *rc;

    while ((rc = biased_pop(owner)))
        if (biased_merge_queued(rc))
            rc_destroy(rc);
}

/* Not within itself: a destructor that blocks comes here again, and if each went on with the
 * next object the stack would be as deep as the queue is long. So while one is blocked, the
 * rest of the queue waits. */
void biased_drain_own(void)
{
    struct biased_owner *self = &biased_self;

    if (self->draining)
        return;
    self->draining = true;
    biased_drain(self);
    self->draining = false;
}

/* One in this bucket for whom something waits, or NULL. */
static struct biased_owner *biased_busy(struct biased_bucket *bucket)
{
    struct biased_owner *owner;

    mutex_lock(&bucket->lock);
    owner = bucket->owners;
    while (owner && !owner->queued && !owner->taken)
        owner = owner->next;
    mutex_unlock(&bucket->lock);
    return owner;
}

/* A destructor may queue for an owner in a bucket that was done: begin again. */
void biased_drain_all(void)
{
    struct biased_owner *owner;

    for (int i = 0; i < BIASED_BUCKETS; i++)
        while ((owner = biased_busy(&biased_buckets[i]))) {
            biased_drain(owner);
            i = 0;
        }
}

/* How many threads are registered. */
int biased_owners(void)
{
    int count = 0;

    for (int i = 0; i < BIASED_BUCKETS; i++) {
        struct biased_bucket *bucket = &biased_buckets[i];

        mutex_lock(&bucket->lock);
        for (const struct biased_owner *owner = bucket->owners; owner; owner = owner->next)
            count++;
        mutex_unlock(&bucket->lock);
    }
    return count;
}

#endif

#endif
