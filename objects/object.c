/* object.c - making and destroying objects; what holds for every type. */
#include "objects/object.h"

#include "objects/exception.h"
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

static SLOW_PATH void cut_weak_references(struct object *o)
{
    struct weakref_object *called = NULL;

    weakref_cut(o, &called);
    weakref_call(called);
}

/* Of an object that holds others, or whose size must be asked, or that was published. Not
 * inlined: object_destroy then saves no register and ends in a jump, for most objects
 * that die are as plain as an int. */
static __attribute__((noinline)) void destroy_with_care(struct object *o)
{
    size_t size_bytes;

    if (unlikely(object_has(o, OBJECT_WEAK)))
        cut_weak_references(o);
    if (unlikely(parking) && park(o))
        return;
    size_bytes = object_size(o);
    if (o->type->destroy)
        o->type->destroy(o);
    if (published(o))
        free_later(o, size_bytes);
    else
        heap_free(o, size_bytes);
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
/* Where a destructor drops a reference to another of them, that one is still there to be
 * found immortal. */
void rc_destroy_all(rc_t *const *all, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        struct object *o = (struct object *)all[i];

        if (object_has(o, OBJECT_WEAK))
            cut_weak_references(o);
        if (!(parking && park(o)) && o->type->destroy)
            o->type->destroy(o);
    }
    for (size_t i = 0; i < count; i++) {
        struct object *o = (struct object *)all[i];

        if (!parked(o))
            heap->free(o, object_size(o));
    }
}
#endif

static void publish_held(borrowed held, void *argument)
{
    (void)argument;
    publish(held);
}

void publish(borrowed o)
{
    struct object *object = (struct object *)o;

    if (uncounted(o) || published(o))
        return;
    if (unlikely(parking))
        parking_enter(object);
    rc_publish(&object->rc);
    /* No read-modify-write: until it is published nobody else sees it. */
    atomic_store_explicit(&object->flags,
                          atomic_load_explicit(&object->flags, memory_order_relaxed) |
                              OBJECT_PUBLISHED,
                          memory_order_relaxed);
    if (o->type->traverse)
        o->type->traverse(o, publish_held, NULL);
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

static void stop(struct thread *t)
{
    exception_restore(NULL); /* before the policy closes its books */
    rc_thread_stop();
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
    .start = start, .stop = stop, .safepoint = merge,
    .before_block = before_block, .after_block = after_block, .quiet = reclaim_quiet,
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
    if (type_of(o)->repr)
        type_of(o)->repr(o, text, size_bytes);
    else
        snprintf(text, size_bytes, "<%s object>", type_of(o)->name);
}
