/* dynamic.h - counts plainly until the object is published, atomically from then on.
 *
 * Most objects never leave the thread that made them, and it is known when one does: the
 * runtime publishes what another thread is about to see. So a bit in the count says
 * whether the object has been published, and only then does counting cost a locked
 * instruction. Unlike biased.h nothing is merged, queued or destroyed late, and no thread
 * has an identity; but a published object costs its maker as much as everybody else,
 * and stays published.
 *
 * To choose when objects are made and dropped in one thread, and few are shared. Shared
 * ones cost what they cost under `atomic`, and a test and a branch.
 *
 * Source: D. Ungar, D. Grove, H. Franke, Dynamic Atomicity: Optimizing Swift Memory
 * Management, DLS 2017.
 *
 * The published state is the sign, so that the test needs no mask: the word is the
 * number of references, plus DYNAMIC_PUBLISHED (the least number) once published.
 *
 * Why counting plainly cannot race with publishing.
 *
 *   1. Until an object is published, one thread alone has seen it. Nothing that others
 *      have seen leads to it: publish() publishes what the object holds, all the way down,
 *      and a container that has been published publishes what is put into it, before.
 *   2. Hence rc_publish is called by that thread, between two operations of its own,
 *      and may be a load and a store: nobody can come between. Its own later
 *      operations see the sign, for they come after in the same thread.
 *   3. Another thread gets the pointer by some synchronisation after that, so whichever
 *      value of the word it reads has the sign; and nothing ever takes the sign away. So
 *      two threads that count one object both count it atomically.
 *   4. An object that is handed over whole, its maker keeping nothing, need not be
 *      published for the counts: synchronised, it again has one thread.
 */
#ifndef OBJECTS_REFCOUNT_DYNAMIC_H
#define OBJECTS_REFCOUNT_DYNAMIC_H

#include "gil/attributes.h"
#include "objects/policy.h"
#include "objects/stats.h"

#include <assert.h>
#include <stdbool.h>
#include <stdint.h>

#define RC_NEEDS_GIL 0
#define RC_HAS_PUBLISH 1

static const struct policy rc_policy = {
    .about = "plain until the object is published, atomic from then on",
    .cost = "unpublished: a test and one add; published: one locked read-modify-write",
    .space = "8 bytes",
    .threads = "any; destructors run where the last reference is dropped",
    .needs = "publishing before another thread sees an object",
    .paper = "D. Ungar, D. Grove, H. Franke, Dynamic Atomicity, DLS 2017",
};

#define DYNAMIC_PUBLISHED INT64_MIN

/* Not _Atomic: of two relaxed accesses gcc makes a load, an addition and a store, of `word++`
 * one instruction. A pair cost 1.25 times plain's the first way, 1.12 the second
 * (build/release/bench --benchmark_filter=pair). */
typedef struct rc {
    int64_t word; /* atomic, but for the one thread of fact 1 */
} rc_t;

/* Relaxed: fact 3 says that no order is needed to see the sign. */
static inline bool dynamic_published(const rc_t *rc)
{
    return __atomic_load_n(&rc->word, __ATOMIC_RELAXED) < 0;
}

/* Each does to a published object what the function of the contract says. Inline, since
 * for a shared object they are the usual case. */
static inline void dynamic_incref_published(rc_t *rc)
{
    /* Relaxed, as in atomic.h: the caller holds a reference. */
    int64_t old = __atomic_fetch_add(&rc->word, 1, __ATOMIC_RELAXED);

    assert(old != DYNAMIC_PUBLISHED && "incref of an object that is being destroyed");
    (void)old;
}

/* Release, and acquire for the last, as in atomic.h: the destructor sees what every
 * thread wrote before it gave up its reference. */
static inline bool dynamic_decref_published(rc_t *rc)
{
    int64_t old = __atomic_fetch_sub(&rc->word, 1, __ATOMIC_RELEASE);

    assert(old != DYNAMIC_PUBLISHED && "decref without a reference");
    if (old != DYNAMIC_PUBLISHED + 1)
        return false;
    (void)__atomic_load_n(&rc->word, __ATOMIC_ACQUIRE);
    return true;
}

/* Acquire, as in atomic.h. */
static inline bool dynamic_try_incref_published(rc_t *rc)
{
    int64_t word = __atomic_load_n(&rc->word, __ATOMIC_RELAXED);

    while (word != DYNAMIC_PUBLISHED) {
        if (__atomic_compare_exchange_n(&rc->word, &word, word + 1, true, __ATOMIC_ACQUIRE,
                                        __ATOMIC_RELAXED))
            return true;
        rc_note_retry(rc);
    }
    return false;
}

static inline void rc_init(rc_t *rc)
{
    rc->word = 1;
}

/* Published from the beginning: any thread may find a static object. */
static inline void rc_immortal(rc_t *rc)
{
    rc->word = DYNAMIC_PUBLISHED / 2;
}

/* The unpublished case is the one to be fast: the other has a locked instruction to wait
 * for, beside which a jump is nothing. */
static inline void rc_incref(rc_t *rc)
{
    if (unlikely(dynamic_published(rc))) {
        dynamic_incref_published(rc);
        return;
    }
    assert(rc->word > 0 && "incref of an object that is being destroyed");
    rc->word++;
}

static inline bool rc_decref(rc_t *rc)
{
    if (unlikely(dynamic_published(rc)))
        return dynamic_decref_published(rc);
    assert(rc->word > 0 && "decref without a reference");
    return --rc->word == 0;
}

static inline bool rc_try_incref(rc_t *rc)
{
    if (unlikely(dynamic_published(rc)))
        return dynamic_try_incref_published(rc);
    if (rc->word == 0)
        return false;
    rc->word++;
    return true;
}

static inline int64_t rc_count(const rc_t *rc)
{
    return __atomic_load_n(&rc->word, __ATOMIC_RELAXED) & INT64_MAX;
}

/* Plain, by fact 2. Again, or of a static object, it changes nothing. */
static inline void rc_publish(rc_t *rc)
{
    if (!dynamic_published(rc))
        rc->word += DYNAMIC_PUBLISHED;
}

#endif
