/* object.c - making and destroying objects; what holds for every type. */
#include "objects/object.h"

#include "objects/exception.h"

struct object *object_no_memory(void)
{
    exception_set_no_memory();
    return NULL;
}

/* Of an object that holds others, or whose size must be asked, or while parking. Not
 * inlined: object_destroy then saves no register and ends in a jump, for most objects
 * that die are as plain as an int. */
static __attribute__((noinline)) void destroy_with_care(struct object *o)
{
    const struct type *type = o->type;
    size_t size_bytes;

    if (unlikely(parking) && park(o))
        return;
    size_bytes = type->size_bytes ? type->size_bytes : type->size_of(o);
    if (type->destroy)
        type->destroy(o);
    heap->free(o, size_bytes);
}

void object_destroy(struct object *o)
{
    const struct type *type = o->type;

    if (unlikely(parking) || type->destroy || !type->size_bytes)
        destroy_with_care(o);
    else
        heap->free(o, type->size_bytes);
}

#if RC_HAS_LATE
void rc_destroy(rc_t *rc)
{
    object_destroy((struct object *)rc); /* the count stands first in the object */
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
    rc_publish(&object->rc);
    atomic_fetch_or_explicit(&object->flags, OBJECT_PUBLISHED, memory_order_relaxed);
    if (o->type->traverse)
        o->type->traverse(o, publish_held, NULL);
}

static int start(struct thread *t)
{
    (void)t;
    return rc_thread_start();
}

static void stop(struct thread *t)
{
    (void)t;
    exception_restore(NULL); /* before the policy closes its books */
    rc_thread_stop();
}

static void merge(struct thread *t)
{
    (void)t;
    rc_safepoint();
}

const struct thread_hooks object_hooks = {
    .start = start, .stop = stop,
    .safepoint = merge, .before_block = RC_HAS_THREADS ? merge : NULL,
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
    *hash = type->hash ? type->hash(o) : (uint64_t)(uintptr_t)o >> 4;
    return 0;
}
