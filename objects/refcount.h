/* refcount.h - the contract of a refcount policy, and the choice of one.
 *
 * A policy is one header in refcount/; its file name is its name. It is chosen at
 * compile time, since counting happens per operation. It provides
 *
 *   rc_policy        const struct policy: what it costs and needs, and whose it is
 *   rc_t             the count, at the start of every object
 *   rc_init          one reference, the caller's; no other thread sees the object yet
 *   rc_immortal      in place of rc_init, for static objects: decref never returns true
 *   rc_incref        the caller holds a reference, or something that keeps one alive
 *   rc_decref        gives up a reference; true: it was the last, the caller destroys
 *   rc_try_incref    false if the count has reached zero; another thread's object must
 *                    have been published, and its memory kept by something
 *   rc_count         the number of references: a snapshot, exact once quiesced; INT64_MAX
 *                    if there were more than RC_COUNT_MOST, for then nobody counts them
 *   RC_NEEDS_GIL     1: two threads must not count at the same time
 *
 * and may say with RC_HAS_x 1 (always defined here, 0 otherwise) that it has
 *
 *   RC_HAS_THREADS   rc_thread_start (0, or -1 and errno), rc_thread_stop: the thread
 *                    enters, leaves; rc_safepoint: it has been asked with BREAKER_MERGE,
 *                    or is about to block
 *   RC_HAS_DUE       rc_due: whether this safe point is one for rc_safepoint. If not the
 *                    thread stays asked: for policies that count safe points
 *   RC_HAS_PUBLISH   rc_publish: about to be seen by another thread
 *   RC_HAS_HOT       rc_mark_hot: many threads will count it; the caller holds a
 *                    reference, the object has been published
 *   RC_HAS_QUIESCE   rc_quiesce: make every count exact; the world is stopped, or every
 *                    other thread has left
 *   RC_HAS_LATE      a last decref may return false and the policy calls rc_destroy(rc)
 *                    later, on a thread that is attached
 *   RC_HAS_FINISH    rc_finish: the runtime ends, no other thread is left, nobody holds an
 *                    object: give back what the policy keeps for ever. It may be started
 *                    again
 *   RC_HAS_RECORDS   rc_records: how many records of threads the policy keeps now, spare
 *                    ones too; never more than there were threads at one time
 *
 * How late is late, as numbers that the tests hold a policy to:
 *
 *   RC_LATE_SAFEPOINTS   once the last reference has been dropped, and then every thread has
 *                    passed a safe point, so many times over, the object has been
 *                    destroyed; a thread that is detached, or has left, need not pass any.
 *                    0 without RC_HAS_LATE
 *   RC_LATE_HERE     1: this holds even for an object that one thread alone has seen;
 *                    0: such a one is destroyed by the decref itself, always
 *   RC_LATE_DETACHED 1: a thread that is detached holds back what waits for it
 *
 * And one of how many references are counted:
 *
 *   RC_COUNT_MOST    an object that gets more has become immortal, as is one that has
 *                    been through rc_immortal or rc_mark_hot: its count is not written any
 *                    more. INT64_MAX: the policy goes on counting in all three cases
 *
 * A policy tells where its threads meet: rc_note_retry, rc_note_merge, rc_note_queued,
 * rc_note_drained, rc_lock of objects/stats.h. They do something only in the build that
 * counts this, RC_STATS 1; the calls are there for every policy to make.
 *
 * Everything is static inline; what must exist once (tables, slow paths) stands in
 * the same header under `#if RC_IMPLEMENTATION`, which refcount.c sets.
 */
#ifndef OBJECTS_REFCOUNT_H
#define OBJECTS_REFCOUNT_H

#include "gil/attributes.h"
#include "objects/policy.h"
#include "objects/stats.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#ifndef RC_POLICY /* so that an editor, or a bare `cc -c`, sees a whole program */
#define RC_POLICY plain
#define RC_HEADER "objects/refcount/plain.h"
#endif
#ifndef RC_IMPLEMENTATION
#define RC_IMPLEMENTATION 0
#endif
#include RC_HEADER

#ifndef RC_HAS_THREADS
#define RC_HAS_THREADS 0
static inline int rc_thread_start(void)
{
    return 0;
}

static inline void rc_thread_stop(void)
{
}

static inline void rc_safepoint(void)
{
}
#endif

#ifndef RC_HAS_DUE
#define RC_HAS_DUE 0
static inline bool rc_due(void)
{
    return true;
}
#endif

#ifndef RC_HAS_PUBLISH
#define RC_HAS_PUBLISH 0
static inline void rc_publish(rc_t *rc)
{
    (void)rc;
}
#endif

#ifndef RC_HAS_HOT
#define RC_HAS_HOT 0
static inline void rc_mark_hot(rc_t *rc)
{
    (void)rc;
}
#endif

#ifndef RC_HAS_QUIESCE
#define RC_HAS_QUIESCE 0
static inline void rc_quiesce(void)
{
}
#endif

#ifndef RC_HAS_LATE
#define RC_HAS_LATE 0
#define RC_LATE_SAFEPOINTS 0
#endif
#ifndef RC_LATE_HERE
#define RC_LATE_HERE 0
#endif
#ifndef RC_LATE_DETACHED
#define RC_LATE_DETACHED 0
#endif

#ifndef RC_HAS_FINISH
#define RC_HAS_FINISH 0
static inline void rc_finish(void)
{
}
#endif

#ifndef RC_HAS_RECORDS
#define RC_HAS_RECORDS 0
static inline int rc_records(void)
{
    return 0;
}
#endif

#ifndef RC_COUNT_MOST
#define RC_COUNT_MOST INT64_MAX
#endif

/* Late destruction: object.c provides it; called by policies with RC_HAS_LATE. */
void rc_destroy(rc_t *rc);

/* The end of objects that may hold one another, in rings too: no memory goes before the
 * last destructor has run. For rc_finish; object.c provides it. */
void rc_destroy_all(rc_t *const *all, size_t count);

#define RC_PROVIDES(type, fn) \
    _Static_assert(_Generic(&fn, type: 1, default: 0), #fn " must have type " #type)
RC_PROVIDES(const struct policy *, rc_policy);
RC_PROVIDES(void (*)(rc_t *), rc_init);
RC_PROVIDES(void (*)(rc_t *), rc_immortal);
RC_PROVIDES(void (*)(rc_t *), rc_incref);
RC_PROVIDES(bool (*)(rc_t *), rc_decref);
RC_PROVIDES(bool (*)(rc_t *), rc_try_incref);
RC_PROVIDES(int64_t (*)(const rc_t *), rc_count);
RC_PROVIDES(int (*)(void), rc_thread_start);
RC_PROVIDES(void (*)(void), rc_thread_stop);
RC_PROVIDES(void (*)(void), rc_safepoint);
RC_PROVIDES(bool (*)(void), rc_due);
RC_PROVIDES(void (*)(rc_t *), rc_publish);
RC_PROVIDES(void (*)(rc_t *), rc_mark_hot);
RC_PROVIDES(void (*)(void), rc_quiesce);
RC_PROVIDES(void (*)(void), rc_finish);
RC_PROVIDES(int (*)(void), rc_records);
#undef RC_PROVIDES

#endif
