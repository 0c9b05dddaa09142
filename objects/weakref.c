/* weakref.c - references that do not keep alive.
 *
 * A table leads from the address of an object to its weak references: a bucket is a list
 * with a lock of one byte, and holds those of all objects that hash there. The flag
 * OBJECT_WEAK says that an object may have some. Whoever destroys one that has the flag
 * first takes its weak references out of the table (weakref_cut); whoever upgrades one
 * looks, under the lock, whether that has happened, and if not, tries to take a reference.
 *
 * Why no upgrade finds what is dead, and none that found it alive is betrayed:
 *
 *   1. A weak reference is in its bucket as long as `referent` is not NULL, and both
 *      change only under the bucket's lock. The bucket does not change.
 *   2. Whoever destroys the object sees OBJECT_WEAK. It was set by a thread that had a
 *      reference, or was lent one; the count has gone down to zero since, and every policy
 *      orders what happened before a decref before the destruction.
 *   3. Its memory is given back after weakref_cut. So by 1, as long as a thread has the
 *      lock and sees a `referent` that is not NULL, that is an object with a count, though
 *      perhaps one that is being destroyed.
 *   4. rc_try_incref then decides, as the contract in refcount.h has it. If it succeeds, the
 *      count had not reached zero, and the object lives as long as the new reference. If
 *      it fails, the decision to destroy has been made and is not taken back, though
 *      weakref_cut may still be waiting for the lock. So of two upgrades and a last
 *      decref, each upgrade is as if it alone came before the decref, or after.
 *   5. Between the two there is nothing: the policy, not this file, makes "the last
 *      reference has gone" one step that a try_incref comes before or after. For `plain`
 *      that is the GIL, as there is no safe point in here; for `atomic` and `locked` it is
 *      the step to 0; for `biased` the word MERGED, which is why the object is published
 *      first: an owner frees what is not published without an atomic operation, and a
 *      try_incref of another thread could come between its look and its free.
 *   6. A policy that destroys late decides late: until then the last reference is a queue's
 *      (biased), or a count of zero is a doubt that a try_incref ends (buffered). Before the
 *      decision upgrades succeed, and the object goes on living; after it, 4 holds.
 *   7. A callback needs its weak reference alive. weakref_cut, having the lock, tries to
 *      take a reference to it: its memory is there, since its own destructor must take it
 *      out of the bucket first. If that fails it is dying itself, and is not called; if
 *      not, it is kept on a list of the caller's until it has been called. For another
 *      thread to be allowed that, a weak reference with a callback is published.
 *   8. A callback is called once, as `referent` becomes NULL once. No lock is held while it
 *      is called, or while anything is dropped: both come back here.
 *   9. A bucket's lock is held for the length of its list, with no call but rc_try_incref,
 *      which destroys nothing and passes no safe point. So no thread that is detached,
 *      stopped or at a safe point holds one.
 *
 * While parking (audit.h) what is published is kept when its count reaches zero. Its weak
 * references are cut all the same, each time, since that may have been early and somebody
 * may have made another; and at the end, for its count may never have reached zero: then
 * silently, as what a callback needs may be emptied already. So none leads to memory that
 * is given back.
 */
#include "objects/weakref.h"

#include "objects/collector.h"
#include "objects/exception.h"
#include "objects/function.h"
#include "objects/hash.h"

#include <assert.h>

enum {
#ifdef NDEBUG
    BUCKETS = 1024,
#else
    BUCKETS = 2,
#endif
};

struct bucket {
    struct bytelock lock;
    struct weakref_object *first; /* lock */
};

struct weakref_object {
    struct object head;
    struct bucket *bucket;               /* set once */
    struct object *callback;             /* set once; owned, or NULL */
    struct object *referent;             /* bucket->lock; borrowed; NULL: dead */
    struct weakref_object *next, **link; /* bucket->lock; or of who calls its callback */
};

static struct bucket buckets[BUCKETS];

static struct weakref_object *as_weakref(borrowed o)
{
    assert(type_of(o) == &weakref_type);
    return (struct weakref_object *)o;
}

static struct bucket *bucket_of(borrowed referent)
{
    return &buckets[hash_word((uintptr_t)referent) % BUCKETS];
}

static void link_in(struct weakref_object *w, struct bucket *bucket)
{
    bytelock_lock(&bucket->lock);
    w->next = bucket->first;
    w->link = &bucket->first;
    if (w->next)
        w->next->link = &w->next;
    bucket->first = w;
    bytelock_unlock(&bucket->lock);
}

/* The bucket's lock is held. */
static void take_out(struct weakref_object *w)
{
    *w->link = w->next;
    if (w->next)
        w->next->link = w->link;
    w->referent = NULL;
}

/* The flag comes before the entry and after publish, which writes the flags as a whole. */
struct object *weakref_new(borrowed referent, borrowed callback)
{
    struct weakref_object *w;

    if (uncounted(referent)) {
        exception_set(&type_error, "cannot create weak reference to '%s' object",
                      type_of(referent)->name);
        return NULL;
    }
    w = (struct weakref_object *)container_new(&weakref_type, sizeof *w);
    if (!w)
        return NULL;
    publish(referent);
    atomic_fetch_or_explicit(&((struct object *)referent)->flags, OBJECT_WEAK,
                             memory_order_relaxed);
    w->bucket = bucket_of(referent);
    w->referent = (struct object *)referent;
    w->callback = callback ? incref(callback) : NULL;
    if (callback)
        publish(&w->head);
    link_in(w, w->bucket);
    return &w->head;
}

struct object *weakref_get(borrowed o)
{
    struct weakref_object *w = as_weakref(o);
    struct object *referent;

    bytelock_lock(&w->bucket->lock);
    referent = w->referent;
    if (referent && !try_incref(referent))
        referent = NULL;
    bytelock_unlock(&w->bucket->lock);
    return referent;
}

void weakref_cut(borrowed referent, struct weakref_object **called)
{
    struct bucket *bucket = bucket_of(referent);

    bytelock_lock(&bucket->lock);
    for (struct weakref_object *w = bucket->first, *next; w; w = next) {
        next = w->next;
        if (w->referent != referent)
            continue;
        take_out(w);
        if (!called || !w->callback || !try_incref(&w->head))
            continue;
        w->next = *called;
        *called = w;
    }
    bytelock_unlock(&bucket->lock);
}

/* What was pending stays so: an object may die while an error is on its way. */
static void call_back(struct weakref_object *w)
{
    struct object *pending = exception_take();
    struct object *result = call(w->callback, (borrowed[]){ &w->head }, 1);

    xdecref(result);
    exception_restore(pending);
}

void weakref_call(struct weakref_object *called)
{
    for (struct weakref_object *w = called, *next; w; w = next) {
        next = w->next;
        call_back(w);
        decref(&w->head);
    }
}

static void weakref_destroy(struct object *o)
{
    struct weakref_object *w = as_weakref(o);

    bytelock_lock(&w->bucket->lock);
    if (w->referent)
        take_out(w);
    bytelock_unlock(&w->bucket->lock);
    xdecref(w->callback);
}

/* Not the referent, which it does not hold. */
static void weakref_traverse(borrowed o, void (*visit)(borrowed held, void *argument),
                             void *argument)
{
    if (as_weakref(o)->callback)
        visit(as_weakref(o)->callback, argument);
}

const struct type weakref_type = {
    .name = "weakref", .size_bytes = sizeof(struct weakref_object), .destroy = weakref_destroy,
    .traverse = weakref_traverse,
};
