/* object.c - making and destroying objects; what holds for every type. */
#include "objects/object.h"

#include "objects/collector.h"
#include "objects/exception.h"
#include "objects/execution.h"
#include "objects/hash.h"
#include "objects/reclaim.h"
#include "objects/section.h"
#include "objects/weakref.h"

#include <errno.h>
#include <stdio.h>

struct object *object_no_memory(void)
{
    exception_set_no_memory();
    return NULL;
}

/* A list in a list in a list ...: to destroy one drops the last reference to the next. So
 * that this takes no stack, destructors of containers nest so deep and no deeper; what
 * dies below waits on a list, linked through its slot in the register, and the outermost
 * destructor destroys it when it is done. (CPython calls it the trashcan.) An object is
 * out of the register while it waits, so no collection sees it. */
#ifdef NDEBUG
enum { NESTING_MOST = 50 };
#else
enum { NESTING_MOST = 3 };
#endif

_Thread_local struct destroying object_destroying;

static _Thread_local struct last_act *last_acts; /* of this thread; the last one first */

/* The callbacks are programs, and may leave this stack for another (coroutines/greenlet.h): what
 * counts the destructors on it stays behind with it. */
static SLOW_PATH void cut_weak_references(struct object *o)
{
    struct weakref_object *called = NULL;
    struct destroying outer;

    weakref_cut(o, &called);
    if (!called)
        return;
    outer = object_destroying;
    object_destroying.nesting = 0;
    object_destroying.waiting = NULL;
    weakref_call(called);
    object_destroying.nesting = outer.nesting;
    object_destroying.waiting = outer.waiting;
}

static void destroy_now(struct object *o)
{
    size_t size_bytes = object_size(o);

    if (o->type->destroy)
        o->type->destroy(o);
    if (published(o))
        free_later(o, size_bytes);
    else
        heap_free(o, size_bytes);
}

static void put_on(struct object **list, struct object *o)
{
    struct slot *slot = container_slot(o);

    slot->object = NULL;
    slot->link = *list;
    *list = o;
}

/* The first, no longer linked; NULL: there is none. */
static struct object *take_from(struct object **list)
{
    struct object *o = *list;

    if (o)
        *list = container_slot(o)->link;
    return o;
}

/* What runs now is a program and no destructor: what dies in it need not wait for those that
 * are running. The nesting stays bounded, for `finish` leaves it to the destructor to drop
 * what the object holds. */
static SLOW_PATH void finish(struct object *o)
{
    struct destroying outer = object_destroying;

    object_destroying = (struct destroying){ 0 };
    o->type->finish(o);
    object_destroying = outer;
}

static bool unfinished(borrowed o)
{
    return o->type->unfinished && o->type->unfinished(o);
}

static void end_container(struct object *o)
{
    bool has_to_finish = unfinished(o);

    if (unlikely(has_to_finish) && object_destroying.postpones) {
        put_on(&object_destroying.unfinished, o);
        return;
    }
    container_forget(o);
    if (unlikely(has_to_finish)) {
        o->tracked = 0;
        finish(o);
    }
    destroy_now(o);
}

static void destroy_container(struct object *o)
{
    if (object_destroying.nesting == NESTING_MOST) {
        put_on(&object_destroying.waiting, o);
        return;
    }
    object_destroying.nesting++;
    do
        end_container(o);
    while (object_destroying.nesting == 1 && (o = take_from(&object_destroying.waiting)));
    object_destroying.nesting--;
}

void object_destroy_waiting(struct object **waiting)
{
    struct object *o;

    while ((o = take_from(waiting)))
        destroy_container(o);
}

void object_postpone(void)
{
    object_destroying.postpones = true;
}

void object_catch_up(void)
{
    struct object *o;

    object_destroying.postpones = false;
    while ((o = take_from(&object_destroying.unfinished)))
        destroy_container(o);
}

/* Of an object that holds others, or whose size must be asked, or that was published. Not
 * inlined: object_destroy then saves no register and ends in a jump, for most objects
 * that die are as plain as an int. */
static __attribute__((noinline)) void destroy_with_care(struct object *o)
{
    if (unlikely(object_has(o, OBJECT_WEAK)))
        cut_weak_references(o);
    if (unlikely(parking) && park(o))
        return;
    if (o->tracked)
        destroy_container(o);
    else
        destroy_now(o);
}

/* The common end comes first and calls nothing else, so it needs no stack frame. What has
 * not been published has no weak references, and is not parked. */
void object_destroy(struct object *o)
{
    const struct type *type = o->type;

    if (likely(!type->destroy && type->size_bytes && !object_has(o, OBJECT_PUBLISHED)))
        heap_free(o, type->size_bytes);
    else
        destroy_with_care(o);
}

#if RC_HAS_LATE
void rc_destroy(rc_t *rc)
{
    object_destroy((struct object *)rc); /* the count stands first in the object */
}
#endif

#if RC_HAS_FINISH
/* Its memory and its count stay: others may hold it, and must find it immortal. */
static void end_immortal(struct object *o)
{
    if (object_has(o, OBJECT_WEAK))
        cut_weak_references(o);
    if (parking && park(o))
        return;
    if (o->tracked)
        container_forget(o);
    o->tracked = 0;
    if (o->type->destroy)
        o->type->destroy(o);
}

/* Where a destructor drops a reference to another of them, that one is still there; and so
 * it is for the cycles that only they have held, and that may hold them. */
void rc_destroy_all(rc_t *const *all, size_t count)
{
    for (size_t i = 0; i < count; i++)
        end_immortal((struct object *)all[i]);
    if (count)
        collect(GENERATION_ALL);
    for (size_t i = 0; i < count; i++) {
        struct object *o = (struct object *)all[i];

        if (!parked(o))
            heap->free(o, object_size(o));
    }
}
#endif

static void set_published(struct object *o)
{
    if (unlikely(o->type->publish))
        o->type->publish(o);
    if (unlikely(parking))
        parking_enter(o);
#if RC_STATS
    stats_published(o);
#endif
    rc_publish(&o->rc);
    /* No read-modify-write: until it is published nobody else sees it. */
    atomic_store_explicit(&o->flags,
                          atomic_load_explicit(&o->flags, memory_order_relaxed) | OBJECT_PUBLISHED,
                          memory_order_relaxed);
}

/* The object itself; what it holds, if it is a container, is left on the list `argument`,
 * which is linked through slots, so that a structure may be nested as deep as it likes. */
static void publish_one(borrowed o, void *argument)
{
    struct object *object = (struct object *)o, **containers = argument;

    if (uncounted(o) || published(o))
        return;
    set_published(object);
    if (o->tracked) {
        container_slot(o)->link = *containers;
        *containers = object;
    } else if (o->type->traverse) {
        o->type->traverse(o, publish_one, containers);
    }
}

void publish(borrowed o)
{
    struct object *containers = NULL;

    publish_one(o, &containers);
    while ((o = containers)) {
        containers = container_slot(o)->link;
        o->type->traverse(o, publish_one, &containers);
    }
}

static void leave_heap(void)
{
    if (heap->thread_stop)
        heap->thread_stop();
}

static int start(struct thread *t)
{
    int error;

    if (heap->thread_start)
        heap->thread_start();
    if (rc_thread_start() == 0) {
        reclaim_enter(t);
        return 0;
    }
    error = errno;
    leave_heap();
    errno = error;
    return -1;
}

void object_at_stop(struct last_act *a)
{
    a->next = last_acts;
    last_acts = a;
}

void object_not_at_stop(struct last_act *a)
{
    struct last_act **link = &last_acts;

    while (*link != a)
        link = &(*link)->next;
    *link = a->next;
}

static void play_last_acts(void)
{
    struct last_act *a;

    while ((a = last_acts)) {
        last_acts = a->next;
        a->call(a);
    }
}

static void stop(struct thread *t)
{
    play_last_acts();
    exception_restore(NULL); /* before the policy closes its books */
    rc_thread_stop();
    container_thread_stop();
    reclaim_leave(t); /* after the policy, which may destroy objects */
    leave_heap();
}

static void merge(struct thread *t)
{
    (void)t;
    rc_safepoint();
}

#if RC_HAS_DUE
static bool due(struct thread *t)
{
    (void)t;
    return rc_due();
}
#endif

/* It may be called more than once: what is merged may be destroyed, and a destructor reads.
 * Last the sections: what is destroyed on the way may begin and end some itself. */
static void before_block(struct thread *t)
{
    if (RC_HAS_THREADS) {
        reclaim_enter(t);
        rc_safepoint();
    }
    reclaim_leave(t);
    if (!t->keeps_sections)
        section_suspend(t);
}

/* Last the sections, since they may detach again. */
static void after_block(struct thread *t)
{
    reclaim_enter(t);
    section_resume(t);
}

const struct thread_hooks object_hooks = {
    .start = start,
    .stop = stop,
    .safepoint = merge,
    .before_block = before_block,
    .after_block = after_block,
    .quiet = reclaim_quiet,
    .collect = collector_asked,
#if RC_HAS_DUE
    .due = due,
#endif
};

bool object_equal(borrowed a, borrowed b)
{
    if (a == b)
        return true;
    return type_of(a) == type_of(b) && type_of(a)->equal && type_of(a)->equal(a, b);
}

int object_hash(borrowed o, uint64_t *hash)
{
    const struct type *type = type_of(o);

    if (type->unhashable) {
        exception_set(&type_error, "unhashable type: '%s'", type->name);
        return -1;
    }
    if (type->hash)
        return type->hash(o, hash);
    *hash = hash_word((uintptr_t)o);
    return 0;
}

void object_repr(borrowed o, char *text, size_t size_bytes)
{
    if (size_bytes < 2) /* no deeper than there is room for a bracket */
        *text = '\0';
    else if (type_of(o)->repr)
        type_of(o)->repr(o, text, size_bytes);
    else
        snprintf(text, size_bytes, "<%s object>", type_of(o)->name);
}
