/* buffered.h - who counts writes it down; one thread at a time adds it all up.
 *
 * An incref or decref touches no object: it puts the object into a log of the thread's
 * own, one for each kind. Now and then the thread hands in what it has: under the one lock
 * it applies its increments, then its decrements. So counts are plain numbers that one
 * thread at a time changes, and a hot object's line moves between cores once per log, not
 * once per count.
 *
 * To choose when objects are shared by all and counted by all, and it does not matter when
 * they die. Weaknesses:
 *   - every count is made twice, written down and applied;
 *   - nothing dies at once. Two hand-ins by everybody are between the last decref and the
 *     end, and one thread that is attached, has counted, and neither counts on nor passes
 *     a safe point nor blocks, holds back all that the others drop meanwhile;
 *   - handing in is serial: where all threads do nothing but count they wait for the lock;
 *   - rc_try_incref takes the lock. So does whoever is no thread of the runtime.
 *
 * Sources. The two logs and the one who commits, increments first: L. Hastings, the
 * Gilectomy, 2016/17. That this alone is not exact, and what is: D. Bacon, C. Attanasio,
 * H. Lee, V. Rajan, S. Smith, Java without the Coffee Breaks, PLDI 2001 (decrements count
 * an epoch later than increments); Y. Levanoni, E. Petrank, TOPLAS 2006. Here decrements
 * are applied at once, and what waits an epoch is the verdict on an object whose count
 * they took to zero, as in Refcache (A. Clements, F. Kaashoek, N. Zeldovich, RadixVM,
 * EuroSys 2013): then no log outlives its hand-in (docs/decisions/17-buffered-counts.md).
 *
 * The danger. Thread A takes a reference from a list's slot, and B then overwrites the slot
 * and drops what was in it. If B hands in before A does, the count is 0 while A holds a
 * reference. So a count of 0 is only a doubt, for A's increment may still be in its log.
 *
 * An epoch lasts until every thread has handed in that had anything in its logs when the
 * epoch began; who has not is `behind`. Objects come into doubt when a decrement takes
 * their count to zero or below; when an epoch begins, all that are in doubt await its end.
 * Then those that are 0, and that no decrement took there in this epoch, are dead. The
 * others are acquitted if they are above zero, and else await the end of the next one.
 *
 * Whoever completes an epoch passes the verdicts, the one that hands in last: there is no
 * thread for it, and nobody waits for anybody, but for the lock.
 *
 * Why this is right. "Before" is happens-before; hand-ins and the beginnings and ends of
 * epochs are ordered by the lock.
 *
 *   1. A thread is active from its first entry in empty logs, which it announces under the
 *      lock, until it hands in. Who is not active has nothing in its logs: so it is with
 *      who blocks (rc_safepoint comes first) and who has left. Who yields a global lock at
 *      a safe point may be active, and is waited for.
 *   2. Let a decrement have been applied before an epoch began. When the epoch ends all
 *      increments before that decrement have been applied. Let i be one, in A's log. Had A
 *      become active after the epoch began, i would be after it, hence after the decrement.
 *      So A was active then, if i had not been applied already, and the epoch waited for A
 *      to hand in; had it written down i after that, i would again be after the decrement.
 *   3. Call a set of applied changes closed if it has, with each decrement, all increments
 *      before it. In a closed set a count of 0 is final. Each decref gives up a reference
 *      that an incref before it made (or rc_init, or rc_try_incref, which are applied as
 *      they are made). So all references that the set made, it has given up. Were there an
 *      increment outside of it, take the first: something kept a reference alive for the
 *      caller, which then is of the set, and the decref that gave it up, also of the
 *      set, is after that increment. The set would not be closed.
 *   4. An object that awaited the end of an epoch, is 0 then, and was not taken to 0 or
 *      below in this epoch, had no decrement in this epoch: after the last one it would be
 *      above zero, and only another one lowers it. So by 2 its changes are a closed set, by
 *      3 it is dead, and no log has an entry of it.
 *   5. What is in doubt is on one list, once, by its one link; who is found dead moves to
 *      the list of its finder. So nothing here ever allocates, but rc_thread_start.
 *   6. Increments may be applied at any time before they must be. So an incref that finds
 *      its log full applies them and ends no epoch: it may be in a section, where nothing
 *      must be destroyed.
 *   7. While no thread is active nothing is in doubt: who hands in last goes on beginning
 *      and ending epochs until this is so.
 *   8. Who destroys sees what each thread wrote before it gave up its references, as all
 *      have handed in under the lock since.
 *   9. No lock is held while anything is destroyed: destructors come back here. They do not
 *      nest: what is found dead meanwhile waits for the outermost, so that a long chain
 *      needs no deep stack. A thread that blocks in a destructor holds it back.
 *
 * A thread hands in when a log is full (see 6), when it blocks or leaves, and at the latest
 * when it has passed BUFFERED_SAFEPOINTS safe points since it became active. By then its
 * last decref is applied; so many rounds later the epoch is over in which that happened,
 * and again so many later the epoch that the object awaited: RC_LATE_SAFEPOINTS.
 * What is dead and not yet destroyed is what was dropped in that time. The logs take
 * 2 * BUFFERED_ENTRIES pointers a thread.
 */
#ifndef OBJECTS_REFCOUNT_BUFFERED_H
#define OBJECTS_REFCOUNT_BUFFERED_H

#include "gil/attributes.h"
#include "objects/policy.h"
#include "objects/stats.h"

#include <assert.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Test builds fill logs and end epochs all the time. */
#ifdef NDEBUG
enum { BUFFERED_ENTRIES = 1024, BUFFERED_SAFEPOINTS = 64 };
#else
enum { BUFFERED_ENTRIES = 8, BUFFERED_SAFEPOINTS = 3 };
#endif

#define RC_NEEDS_GIL 0
#define RC_HAS_THREADS 1
#define RC_HAS_DUE 1
#define RC_HAS_QUIESCE 1
#define RC_HAS_LATE 1
#define RC_LATE_SAFEPOINTS (3 * BUFFERED_SAFEPOINTS)
#define RC_LATE_HERE 1

static const struct policy rc_policy = {
    .about = "each thread logs its increments and decrements; one at a time applies them",
    .cost = "a compare and two stores to the thread's own memory; later an add to the count",
    .space = "16 bytes, and 16 KiB for each thread",
    .threads = "any; destructors run late, in whoever completes an epoch",
    .needs = "safe points and thread hooks",
    .paper = "L. Hastings, the Gilectomy, 2016; D. Bacon et al., Java without the Coffee Breaks, "
             "PLDI 2001",
};

enum {
    BUFFERED_IMMORTAL = 1 << 30,
    BUFFERED_DEAD = INT32_MIN, /* the verdict has been passed */
};

typedef struct rc {
    _Atomic int32_t count; /* changed under buffered.lock, read by anyone */
    uint32_t doubted;      /* buffered.lock: the epoch that last took it to zero or below */
    struct rc *link;       /* buffered.lock, of the dead their finder; NULL: on no list */
} rc_t;

struct buffered_log {
    rc_t **next, **end; /* owner; equal: full, or the thread is not active */
};

struct buffered_thread {
    struct buffered_log taken, dropped;
    rc_t **entries;                       /* set once: of both logs; NULL: not registered */
    int safepoints;                       /* owner: passed since it became active */
    bool active;                          /* buffered.lock; the owner may read it */
    bool destroying;                      /* owner */
    uint32_t since;                       /* buffered.lock: the epoch in which it became active */
    rc_t *dead;                           /* owner, in rc_quiesce its caller */
    struct buffered_thread *next, **link; /* buffered.lock */
};

extern _Thread_local struct buffered_thread buffered_self;

/* What is not the fast path; each does what the function of the contract says. */
SLOW_PATH void buffered_take(rc_t *rc);
SLOW_PATH void buffered_drop(rc_t *rc);
SLOW_PATH bool buffered_try_take(rc_t *rc);
SLOW_PATH int64_t buffered_count(const rc_t *rc);
SLOW_PATH int buffered_register(void);
SLOW_PATH void buffered_unregister(void);
SLOW_PATH void buffered_commit(void);
SLOW_PATH void buffered_commit_all(void);

static inline void rc_init(rc_t *rc)
{
    atomic_init(&rc->count, 1);
    rc->doubted = 0;
    rc->link = NULL;
}

static inline void rc_immortal(rc_t *rc)
{
    rc_init(rc);
    atomic_init(&rc->count, BUFFERED_IMMORTAL);
}

static inline void rc_incref(rc_t *rc)
{
    struct buffered_log *log = &buffered_self.taken;

    assert(atomic_load_explicit(&rc->count, memory_order_relaxed) != BUFFERED_DEAD &&
           "incref of an object that is being destroyed");
    if (unlikely(log->next == log->end))
        buffered_take(rc);
    else
        *log->next++ = rc;
}

static inline bool rc_decref(rc_t *rc)
{
    struct buffered_log *log = &buffered_self.dropped;

    assert(atomic_load_explicit(&rc->count, memory_order_relaxed) != BUFFERED_DEAD &&
           "decref without a reference");
    if (unlikely(log->next == log->end))
        buffered_drop(rc);
    else
        *log->next++ = rc;
    return false;
}

/* May be true when the last reference has been dropped, but not since the verdict. */
static inline bool rc_try_incref(rc_t *rc)
{
    return buffered_try_take(rc);
}

/* With what the calling thread has in its logs: exact if it alone has counted. */
static inline int64_t rc_count(const rc_t *rc)
{
    return buffered_count(rc);
}

static inline int rc_thread_start(void)
{
    return buffered_register();
}

static inline void rc_thread_stop(void)
{
    buffered_unregister();
}

static inline bool rc_due(void)
{
    return ++buffered_self.safepoints >= BUFFERED_SAFEPOINTS;
}

/* By fact 7 a thread that has nothing to hand in completes nothing either. */
static inline void rc_safepoint(void)
{
    if (buffered_self.active)
        buffered_commit();
}

static inline void rc_quiesce(void)
{
    buffered_commit_all();
}

#if RC_IMPLEMENTATION

#include "gil/mutex.h"
#include "gil/thread.h"

#include <stdlib.h>

/* object.c provides it (refcount.h). */
void rc_destroy(rc_t *rc);

static rc_t buffered_end; /* ends lists, so that the last one's link is not NULL either */

static struct {
    struct mutex lock;               /* takes no other */
    struct buffered_thread *threads; /* lock */
    uint32_t epoch;                  /* lock */
    int active;                      /* lock: so many threads are */
    int behind;                      /* lock: of them, since before the epoch began */
    rc_t *doubtful;                  /* lock: they came into doubt in this epoch */
    rc_t *awaiting;                  /* lock: the end of this epoch */
} buffered = { .lock = MUTEX_INIT, .doubtful = &buffered_end, .awaiting = &buffered_end };

_Thread_local struct buffered_thread buffered_self;

static void buffered_push(rc_t **list, rc_t *rc)
{
    rc->link = *list;
    *list = rc;
}

static rc_t *buffered_pop(rc_t **list)
{
    rc_t *rc = *list;

    *list = rc->link;
    return rc;
}

/* A load and a store, for the caller holds the lock. Returns the new count. */
static int32_t buffered_add(rc_t *rc, int32_t change) REQUIRES(buffered.lock)
{
    int32_t count = atomic_load_explicit(&rc->count, memory_order_relaxed);

    assert(count != BUFFERED_DEAD && "counted after the last reference was dropped");
    atomic_store_explicit(&rc->count, count + change, memory_order_relaxed);
    return count + change;
}

static void buffered_subtract(rc_t *rc) REQUIRES(buffered.lock)
{
    if (likely(buffered_add(rc, -1) > 0))
        return;
    rc->doubted = buffered.epoch;
    if (!rc->link) {
        rc_note_queued(rc);
        buffered_push(&buffered.doubtful, rc);
    }
}

static void buffered_apply_taken(struct buffered_thread *t) REQUIRES(buffered.lock)
{
    rc_t **first = t->entries;

    while (t->taken.next > first)
        buffered_add(*--t->taken.next, 1);
}

static void buffered_apply_dropped(struct buffered_thread *t) REQUIRES(buffered.lock)
{
    rc_t **first = t->entries + BUFFERED_ENTRIES;

    while (t->dropped.next > first)
        buffered_subtract(*--t->dropped.next);
}

/* Fact 1. The caller is the thread itself, or has stopped it. */
static void buffered_hand_in(struct buffered_thread *t) REQUIRES(buffered.lock)
{
    if (!t->active)
        return;
    rc_note_merge();
    buffered_apply_taken(t);
    buffered_apply_dropped(t);
    t->taken.end = t->taken.next;
    t->dropped.end = t->dropped.next;
    t->active = false;
    buffered.active--;
    buffered.behind -= t->since != buffered.epoch;
}

/* Fact 4. */
static void buffered_judge(rc_t *rc, rc_t **dead) REQUIRES(buffered.lock)
{
    int32_t count = atomic_load_explicit(&rc->count, memory_order_relaxed);

    rc->link = NULL;
    if (count <= 0 && rc->doubted == buffered.epoch) {
        buffered_push(&buffered.doubtful, rc);
        return;
    }
    rc_note_drained(rc);
    if (count > 0)
        return;
    assert(count == 0 && "more decrefs than references");
    atomic_store_explicit(&rc->count, BUFFERED_DEAD, memory_order_relaxed);
    buffered_push(dead, rc);
}

static void buffered_begin_epoch(void) REQUIRES(buffered.lock)
{
    buffered.epoch++;
    buffered.behind = buffered.active;
    buffered.awaiting = buffered.doubtful;
    buffered.doubtful = &buffered_end;
}

/* Ends what epochs have come to their end. Who dies is put on the list `dead`. */
static void buffered_advance(rc_t **dead) REQUIRES(buffered.lock)
{
    while (buffered.behind == 0 &&
           (buffered.awaiting != &buffered_end || buffered.doubtful != &buffered_end)) {
        while (buffered.awaiting != &buffered_end)
            buffered_judge(buffered_pop(&buffered.awaiting), dead);
        buffered_begin_epoch();
    }
}

/* Destroys what the caller has found dead; true if there was anything. The list stays its
 * own to the end: a destructor may find more, or be stopped while rc_quiesce goes on. */
static bool buffered_destroy_dead(struct buffered_thread *self)
{
    bool nested = self->destroying, any = self->dead;

    self->destroying = true;
    while (self->dead)
        rc_destroy(buffered_pop(&self->dead));
    self->destroying = nested;
    return any;
}

/* Again if anything was destroyed, for destructors have dropped what those held. */
void buffered_commit(void)
{
    struct buffered_thread *self = &buffered_self;

    do {
        rc_lock(&buffered.lock, NULL);
        buffered_hand_in(self);
        buffered_advance(&self->dead);
        mutex_unlock(&buffered.lock);
    } while (!self->destroying && buffered_destroy_dead(self));
}

/* Hands in for `t`, and takes over what it has found dead. */
static void buffered_relieve(struct buffered_thread *t, struct buffered_thread *self)
    REQUIRES(buffered.lock)
{
    buffered_hand_in(t);
    while (t != self && t->dead)
        buffered_push(&self->dead, buffered_pop(&t->dead));
}

/* Then nobody is active: by fact 7 all verdicts are passed. */
void buffered_commit_all(void)
{
    struct buffered_thread *self = &buffered_self;

    do {
        mutex_lock(&buffered.lock);
        for (struct buffered_thread *t = buffered.threads; t; t = t->next)
            buffered_relieve(t, self);
        buffered_advance(&self->dead);
        mutex_unlock(&buffered.lock);
    } while (buffered_destroy_dead(self));
}

static void buffered_become_active(struct buffered_thread *self)
{
    rc_lock(&buffered.lock, NULL);
    self->active = true;
    self->since = buffered.epoch;
    buffered.active++;
    mutex_unlock(&buffered.lock);
    self->taken.end = self->taken.next + BUFFERED_ENTRIES;
    self->dropped.end = self->dropped.next + BUFFERED_ENTRIES;
    self->safepoints = 0;
    thread_request(thread_self, BREAKER_MERGE);
}

/* Of a thread that is not registered, and so has no log. */
static void buffered_take_unlogged(rc_t *rc)
{
    rc_lock(&buffered.lock, rc);
    buffered_add(rc, 1);
    mutex_unlock(&buffered.lock);
}

void buffered_take(rc_t *rc)
{
    struct buffered_thread *self = &buffered_self;

    if (!self->entries) {
        buffered_take_unlogged(rc);
        return;
    }
    if (self->active) { /* fact 6 */
        rc_lock(&buffered.lock, NULL);
        buffered_apply_taken(self);
        mutex_unlock(&buffered.lock);
    } else {
        buffered_become_active(self);
    }
    *self->taken.next++ = rc;
}

static void buffered_drop_unlogged(struct buffered_thread *self, rc_t *rc)
{
    rc_lock(&buffered.lock, rc);
    buffered_subtract(rc);
    buffered_advance(&self->dead);
    mutex_unlock(&buffered.lock);
    if (!self->destroying)
        buffered_destroy_dead(self);
}

/* Destructors may have made the thread active again, and filled its log. */
void buffered_drop(rc_t *rc)
{
    struct buffered_thread *self = &buffered_self;

    if (!self->entries) {
        buffered_drop_unlogged(self, rc);
        return;
    }
    while (self->dropped.next == self->dropped.end)
        (self->active ? buffered_commit() : buffered_become_active(self));
    *self->dropped.next++ = rc;
}

bool buffered_try_take(rc_t *rc)
{
    bool lives;

    rc_lock(&buffered.lock, rc);
    lives = atomic_load_explicit(&rc->count, memory_order_relaxed) != BUFFERED_DEAD;
    if (lives)
        buffered_add(rc, 1);
    mutex_unlock(&buffered.lock);
    return lives;
}

static int64_t buffered_entries_of(const rc_t *rc, rc_t **first, rc_t **next)
{
    int64_t count = 0;

    while (next > first)
        count += *--next == rc;
    return count;
}

int64_t buffered_count(const rc_t *rc)
{
    const struct buffered_thread *self = &buffered_self;
    int32_t count = atomic_load_explicit(&rc->count, memory_order_relaxed);

    if (count == BUFFERED_DEAD)
        return 0;
    if (!self->entries)
        return count;
    return count + buffered_entries_of(rc, self->entries, self->taken.next) -
           buffered_entries_of(rc, self->entries + BUFFERED_ENTRIES, self->dropped.next);
}

int buffered_register(void)
{
    struct buffered_thread *self = &buffered_self;

    assert(!self->entries && !self->dead);
    self->entries = malloc(2 * BUFFERED_ENTRIES * sizeof *self->entries);
    if (!self->entries)
        return -1;
    self->taken.next = self->taken.end = self->entries;
    self->dropped.next = self->dropped.end = self->entries + BUFFERED_ENTRIES;
    mutex_lock(&buffered.lock);
    self->next = buffered.threads;
    self->link = &buffered.threads;
    if (self->next)
        self->next->link = &self->next;
    buffered.threads = self;
    mutex_unlock(&buffered.lock);
    return 0;
}

/* After a commit nothing is in its logs, nor dead. */
void buffered_unregister(void)
{
    struct buffered_thread *self = &buffered_self;

    buffered_commit();
    assert(!self->active && !self->dead);
    mutex_lock(&buffered.lock);
    *self->link = self->next;
    if (self->next)
        self->next->link = self->link;
    mutex_unlock(&buffered.lock);
    free(self->entries);
    *self = (struct buffered_thread){ 0 };
}

#endif

#endif
