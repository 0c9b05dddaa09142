/* ready.c - a ring of callbacks. */
#include "coroutines/ready.h"

#include "objects/exception.h"
#include "objects/heap.h"

#ifdef NDEBUG
enum { LEAST_CAPACITY = 64 };
#else
enum { LEAST_CAPACITY = 2 };
#endif

/* A callback that is dropped may push another. */
void ready_fini(struct ready *r)
{
    while (r->count)
        callback_drop(ready_pop(r));
    if (r->callback)
        heap_free_table(r->callback, r->capacity * sizeof *r->callback);
    *r = (struct ready){ NULL };
}

int ready_grow(struct ready *r)
{
    size_t capacity = r->capacity ? 2 * r->capacity : LEAST_CAPACITY;
    struct callback *callback = heap_alloc_table(capacity * sizeof *callback);

    if (!callback) {
        exception_set_no_memory();
        return -1;
    }
    for (size_t i = 0; i < r->count; i++)
        callback[i] = r->callback[(r->first + i) & (r->capacity - 1)];
    if (r->callback)
        heap_free_table(r->callback, r->capacity * sizeof *r->callback);
    r->room += capacity - r->capacity;
    r->callback = callback;
    r->capacity = capacity;
    r->first = 0;
    return 0;
}

void ready_traverse(const struct ready *r, void (*visit)(borrowed held, void *argument),
                    void *argument)
{
    for (size_t i = 0; i < r->count; i++)
        callback_traverse(&r->callback[(r->first + i) & (r->capacity - 1)], visit, argument);
}
