/* mine.h - WRONG: a merge forgets the reference that the queue held.
 *
 * Who queues subtracts nothing: the queue holds its reference. Whoever takes the object out of
 * the queue must drop that; else it stays above zero for ever.
 *
 * Score: 0
 * Says: did not pass
 * Caught by: objects/tests/test_counting (debug)
 */
#ifndef OBJECTS_REFCOUNT_MINE_H
#define OBJECTS_REFCOUNT_MINE_H

#include "gil/attributes.h"
#include "objects/policy.h"
#include "objects/stats.h"

#include <assert.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#define RC_NEEDS_GIL 0
#define RC_HAS_THREADS 1
#define RC_HAS_PUBLISH 1
#define RC_HAS_QUIESCE 1
#define RC_HAS_LATE 1
#define RC_LATE_SAFEPOINTS 1
#define RC_LATE_DETACHED 1
#define RC_HAS_RECORDS 1

static const struct policy rc_policy = {
    .about = "the owner counts plainly, the others atomically; a merge adds too much",
    .cost = "owner: a compare and one add to memory; others: one locked read-modify-write",
    .space = "24 bytes",
    .threads = "any; destructors run where the last reference is dropped, or later in the owner",
    .needs = "safe points and thread hooks",
    .paper = "J. Choi, T. Shull, J. Torrellas, Biased Reference Counting, PACT 2018",
};

/* The state, in the two low bits of `shared`; references are counted above them. */
enum { MINE_PLAIN, MINE_SEEN, MINE_QUEUED, MINE_MERGED, MINE_ONE };

typedef struct rc {
    _Atomic uintptr_t owner; /* a thread pointer; 0 once merged */
    int32_t local;           /* the owner; or mine_lock, if there is none */
    _Atomic int32_t shared;  /* atomic */
    struct rc *link;         /* mine_lock; while queued */
} rc_t;

struct mine_owner {
    uintptr_t id; /* set once; 0: not registered */
    struct thread *thread;
    rc_t *queue;             /* mine_lock; what others have queued */
    rc_t *taken;             /* itself; what it has taken from there */
    bool draining;           /* itself */
    struct mine_owner *next; /* mine_lock */
};

extern _Thread_local struct mine_owner mine_self;

SLOW_PATH bool mine_merge(rc_t *rc);
SLOW_PATH bool mine_decref_foreign(rc_t *rc);
SLOW_PATH bool mine_try_foreign(rc_t *rc);
SLOW_PATH void mine_enter(void);
SLOW_PATH void mine_leave(void);
SLOW_PATH void mine_drain(struct mine_owner *owner);
SLOW_PATH void mine_drain_all(void);
SLOW_PATH int mine_count_owners(void);

static inline bool mine_is_owner(const rc_t *rc)
{
    return atomic_load_explicit(&rc->owner, memory_order_relaxed) ==
           (uintptr_t)__builtin_thread_pointer();
}

static inline void rc_init(rc_t *rc)
{
    bool owned = mine_self.id != 0;

    atomic_init(&rc->owner, mine_self.id);
    rc->local = owned;
    atomic_init(&rc->shared, owned ? MINE_PLAIN : MINE_ONE + MINE_MERGED);
}

static inline void rc_immortal(rc_t *rc)
{
    atomic_init(&rc->owner, 0);
    rc->local = 0;
    atomic_init(&rc->shared, (INT32_MAX / 8) * MINE_ONE + MINE_MERGED);
}

static inline void rc_incref(rc_t *rc)
{
    if (likely(mine_is_owner(rc)))
        rc->local++;
    else
        atomic_fetch_add_explicit(&rc->shared, MINE_ONE, memory_order_relaxed);
}

static inline bool rc_decref(rc_t *rc)
{
    if (unlikely(!mine_is_owner(rc)))
        return mine_decref_foreign(rc);
    assert(rc->local > 0);
    if (likely(--rc->local > 0))
        return false;
    return atomic_load_explicit(&rc->shared, memory_order_acquire) == MINE_PLAIN || mine_merge(rc);
}

static inline bool rc_try_incref(rc_t *rc)
{
    if (!mine_is_owner(rc))
        return mine_try_foreign(rc);
    if (rc->local == 0)
        return false;
    rc->local++;
    return true;
}

/* In whatever moment: another thread may be counting. */
__attribute__((no_sanitize("thread"))) static inline int64_t rc_count(const rc_t *rc)
{
    int32_t shared = atomic_load_explicit(&rc->shared, memory_order_relaxed);

    return *(const volatile int32_t *)&rc->local + (shared - (shared & MINE_MERGED)) / MINE_ONE;
}

static inline void rc_publish(rc_t *rc)
{
    int32_t plain = atomic_load_explicit(&rc->shared, memory_order_relaxed);

    while ((plain & MINE_MERGED) == MINE_PLAIN &&
           !atomic_compare_exchange_weak_explicit(&rc->shared, &plain, plain + MINE_SEEN,
                                                  memory_order_relaxed, memory_order_relaxed))
        ;
}

static inline int rc_thread_start(void)
{
    mine_enter();
    return 0;
}

static inline void rc_thread_stop(void)
{
    mine_leave();
}

static inline void rc_safepoint(void)
{
    mine_drain(&mine_self);
}

static inline void rc_quiesce(void)
{
    mine_drain_all();
}

static inline int rc_records(void)
{
    return mine_count_owners();
}

#if RC_IMPLEMENTATION

#include "gil/mutex.h"
#include "gil/thread.h"

#include <stddef.h>

void rc_destroy(rc_t *rc);

static struct mutex mine_lock = MUTEX_INIT;
static struct mine_owner *mine_owners; /* mine_lock */

_Thread_local struct mine_owner mine_self;

/* Who sets MERGED has set `owner` to 0 before. True: nobody holds it. */
bool mine_merge(rc_t *rc)
{
    int32_t old;

    atomic_store_explicit(&rc->owner, 0, memory_order_relaxed);
    old = atomic_fetch_or_explicit(&rc->shared, MINE_MERGED, memory_order_acq_rel);
    return (old | MINE_MERGED) == MINE_MERGED;
}

/* Of one that was queued: what its owner counted goes over. */
static bool mine_merge_queued(rc_t *rc)
{
    int32_t state = atomic_load_explicit(&rc->shared, memory_order_acquire) & MINE_MERGED;
    int32_t change = rc->local * MINE_ONE + MINE_MERGED - state;

    rc->local = 0;
    atomic_store_explicit(&rc->owner, 0, memory_order_relaxed);
    return atomic_fetch_add_explicit(&rc->shared, change, memory_order_acq_rel) + change ==
           MINE_MERGED;
}

/* The caller's reference is the queue's now. True: there was no owner, and it is dead. */
static bool mine_enqueue(rc_t *rc)
{
    struct mine_owner *owner;
    uintptr_t id;
    bool dead = false;

    mutex_lock(&mine_lock);
    id = atomic_load_explicit(&rc->owner, memory_order_relaxed);
    owner = mine_owners;
    while (owner && owner->id != id)
        owner = owner->next;
    if (owner) {
        rc->link = owner->queue;
        owner->queue = rc;
        thread_request(owner->thread, BREAKER_MERGE);
    } else {
        dead = mine_merge_queued(rc);
    }
    mutex_unlock(&mine_lock);
    return dead;
}

bool mine_decref_foreign(rc_t *rc)
{
    int32_t old = atomic_load_explicit(&rc->shared, memory_order_relaxed);

    while (!(old & MINE_QUEUED)) {
        bool none_left = old < MINE_ONE;
        int32_t new = none_left ? MINE_QUEUED : old - MINE_ONE;

        if (atomic_compare_exchange_weak_explicit(&rc->shared, &old, new, memory_order_release,
                                                  memory_order_relaxed))
            return none_left && mine_enqueue(rc);
    }
    old = atomic_fetch_sub_explicit(&rc->shared, MINE_ONE, memory_order_release);
    if (old != MINE_ONE + MINE_MERGED)
        return false;
    (void)atomic_load_explicit(&rc->shared, memory_order_acquire);
    return true;
}

bool mine_try_foreign(rc_t *rc)
{
    int32_t old = atomic_load_explicit(&rc->shared, memory_order_relaxed);

    while (old != MINE_PLAIN && old != MINE_MERGED)
        if (atomic_compare_exchange_weak_explicit(&rc->shared, &old, old + MINE_ONE,
                                                  memory_order_acquire, memory_order_relaxed))
            return true;
    return false;
}

void mine_enter(void)
{
    mine_self.id = (uintptr_t)__builtin_thread_pointer();
    mine_self.thread = thread_self;
    mutex_lock(&mine_lock);
    mine_self.next = mine_owners;
    mine_owners = &mine_self;
    mutex_unlock(&mine_lock);
}

static rc_t *mine_pop(struct mine_owner *owner)
{
    rc_t *rc;

    if (!owner->taken) {
        mutex_lock(&mine_lock);
        owner->taken = owner->queue;
        owner->queue = NULL;
        mutex_unlock(&mine_lock);
    }
    rc = owner->taken;
    if (rc)
        owner->taken = rc->link;
    return rc;
}

static void mine_drain_of(struct mine_owner *owner)
{
    rc_t *rc;

    while ((rc = mine_pop(owner)))
        if (mine_merge_queued(rc))
            rc_destroy(rc);
}

/* A destructor may come here again; the outer call goes on with the rest. */
void mine_drain(struct mine_owner *owner)
{
    if (owner->draining)
        return;
    owner->draining = true;
    mine_drain_of(owner);
    owner->draining = false;
}

/* Out of the list in the same step in which the queue is seen to be empty. */
static bool mine_try_to_leave(void)
{
    struct mine_owner **link = &mine_owners;
    bool empty;

    mutex_lock(&mine_lock);
    empty = !mine_self.queue;
    while (empty && *link != &mine_self)
        link = &(*link)->next;
    if (empty)
        *link = mine_self.next;
    mutex_unlock(&mine_lock);
    return empty;
}

void mine_leave(void)
{
    do
        mine_drain(&mine_self);
    while (!mine_try_to_leave());
    mine_self.id = 0;
}

static struct mine_owner *mine_find_busy(void)
{
    struct mine_owner *owner;

    mutex_lock(&mine_lock);
    owner = mine_owners;
    while (owner && !owner->queue && !owner->taken)
        owner = owner->next;
    mutex_unlock(&mine_lock);
    return owner;
}

void mine_drain_all(void)
{
    struct mine_owner *owner;

    while ((owner = mine_find_busy()))
        mine_drain_of(owner);
}

int mine_count_owners(void)
{
    int count = 0;

    mutex_lock(&mine_lock);
    for (const struct mine_owner *owner = mine_owners; owner; owner = owner->next)
        count++;
    mutex_unlock(&mine_lock);
    return count;
}

#endif

#endif
