/* object.h - the header of every object; incref and decref.
 *
 * Ownership. `struct object *` is owned: whoever holds it decrefs it or passes it
 * on. `borrowed` is kept alive by somebody else. A returned struct object * is a new
 * reference. A parameter that takes the caller's reference says "steals".
 *
 * None, True and False are not counted at all: a pointer to one has its lowest bit
 * set, and incref and decref look at that bit before they touch memory. (Ruby's nil
 * and CPython 3.14's tagged references do it likewise.) The test costs one fused
 * instruction, and those objects' cache lines stay unwritten.
 *
 * All of it needs an attached thread.
 */
#ifndef OBJECTS_OBJECT_H
#define OBJECTS_OBJECT_H

#include "gil/attributes.h"
#include "gil/bytelock.h"
#include "gil/thread.h"
#include "objects/audit.h"
#include "objects/heap.h"
#include "objects/refcount.h"
#include "objects/stats.h"
#include "objects/type.h"

#include <stdatomic.h>

/* 1: this is the second build of a policy, which tallies what each thread does to
 * published objects (audit.h). */
#ifndef RC_AUDIT
#define RC_AUDIT 0
#endif

enum object_flag {
    OBJECT_PUBLISHED = 1, /* other threads may see it; so may they what it holds */
    OBJECT_PARKED = 2,    /* its count reached zero, and it was kept (audit.h) */
    OBJECT_EMPTIED = 4,   /* its postponed destructor has run */
    OBJECT_WEAK = 8,      /* there may be weak references to it (weakref.h); it is published */
};

struct object {
    rc_t rc;
    const struct type *type; /* set once; read it through type_of */
    _Atomic uint8_t flags;   /* atomic */
    struct bytelock lock;    /* of its sections: section.h */
    uint32_t tracked;        /* its number in the collector's register; 0: it is not there. Of one
                              * that is finished since nobody holds it: not any more */
#if RC_AUDIT
    uint32_t audit; /* set once, when published: its number in the tallies; 0: none */
#endif
#if RC_STATS
    struct object_stats stats;
#endif
};

/* True for None, True and False. */
static inline bool uncounted(borrowed o)
{
    return (uintptr_t)o & 1;
}

static inline const struct type *type_of(borrowed o)
{
    return ((borrowed)((uintptr_t)o & ~(uintptr_t)1))->type;
}

/* What its memory takes. */
static inline size_t object_size(borrowed o)
{
    const struct type *type = type_of(o);

    return type->size_bytes ? type->size_bytes : type->size_of(o);
}

/* For the builds that count: a reference was taken (1), or is about to be dropped (-1). */
static inline void tell_count(struct object *o, int change)
{
#if RC_STATS
    stats_count(o);
#endif
#if RC_AUDIT
    if (unlikely(o->audit))
        audit_tally(o, change);
#else
    (void)o;
    (void)change;
#endif
}

/* NULL, and MemoryError pending. */
SLOW_PATH struct object *object_no_memory(void);

/* A new object whose fields after the header are not initialised; NULL: MemoryError.
 * `size_bytes` must be what type->size_bytes says, or type->size_of will. Inline, for
 * each call adds a tenth to what an int costs that is made and dropped. */
static inline struct object *object_new(const struct type *type, size_t size_bytes)
{
    struct object *o = heap_alloc(size_bytes);

    if (unlikely(!o))
        return object_no_memory();
    rc_init(&o->rc);
    o->type = type;
    atomic_init(&o->flags, 0);
    bytelock_init(&o->lock);
    o->tracked = 0;
#if RC_AUDIT
    o->audit = 0;
#endif
#if RC_STATS
    stats_made(o);
#endif
    return o;
}

/* Its count has reached zero. */
void object_destroy(struct object *o);

/* A new reference to what the caller borrows. */
static inline struct object *incref(borrowed o)
{
    struct object *owned = (struct object *)o;

    if (!uncounted(o)) {
        rc_incref(&owned->rc);
        tell_count(owned, 1);
    }
    return owned;
}

/* The same of what the caller only knows to be in memory; false: its count has reached
 * zero. Another thread's object must have been published. */
static inline bool try_incref(borrowed o)
{
    struct object *owned = (struct object *)o;

    if (uncounted(o))
        return true;
    if (!rc_try_incref(&owned->rc))
        return false;
    tell_count(owned, 1);
    return true;
}

/* Gives up the caller's reference. */
static inline void decref(struct object *o)
{
    if (uncounted(o))
        return;
    tell_count(o, -1);
    if (rc_decref(&o->rc))
        object_destroy(o);
}

/* The same for a reference that may be NULL. */
static inline void xdecref(struct object *o)
{
    if (o)
        decref(o);
}

/* How many references there are; INT64_MAX for those that nobody counts. */
static inline int64_t refcount(borrowed o)
{
    return uncounted(o) ? INT64_MAX : rc_count(&o->rc);
}

static inline bool object_has(borrowed o, enum object_flag flag)
{
    return atomic_load_explicit(&((struct object *)o)->flags, memory_order_relaxed) & flag;
}

static inline bool published(borrowed o)
{
    return !uncounted(o) && object_has(o, OBJECT_PUBLISHED);
}

/* Its count has reached zero, and it was kept. */
static inline bool parked(borrowed o)
{
    return object_has(o, OBJECT_PARKED);
}

/* Another thread is about to see this object, and through it all that it holds.
 * A container that is published publishes what is put into it: see publish_into. */
void publish(borrowed o);

/* Before `item` is stored in `container`. */
static inline void publish_into(borrowed container, borrowed item)
{
    if (unlikely(published(container)))
        publish(item);
}

/* Many threads will count this published object: the policy may count it in another way
 * from now on. The caller holds a reference. */
static inline void mark_hot(borrowed o)
{
    if (!uncounted(o))
        rc_mark_hot(&((struct object *)o)->rc);
}

/* What a thread of this runtime does for its counts: for thread_start. */
extern const struct thread_hooks object_hooks;

/* What a floor above does at the end of a thread, before the thread closes its books: it may run
 * programs. */
struct last_act {
    void (*call)(struct last_act *a);
    struct last_act *next;
};

/* For the calling thread; `a` stays where it is until it is called. The last one is called
 * first. */
void object_at_stop(struct last_act *a);

/* It is not called any more. */
void object_not_at_stop(struct last_act *a);

/* For who stops the world: what dies from now on and is unfinished (type.h) is left as it is;
 * then, when the world runs again, it is finished and destroyed. */
void object_postpone(void);
void object_catch_up(void);

/* Takes stack for as many levels as both are nested. */
bool object_equal(borrowed a, borrowed b);

/* -1 and TypeError if the type is not hashable, or RuntimeError if it is nested too deep;
 * else 0 and *hash. So what is a key can also be compared. */
int object_hash(borrowed o, uint64_t *hash);

/* Writes what Python's repr says of it into `text`, cut off to fit, for messages. At
 * least one byte. */
void object_repr(borrowed o, char *text, size_t size_bytes);

#endif
