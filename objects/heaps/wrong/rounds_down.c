/* rounds_down.c - a wrong heap: its lists' blocks are smaller than what is asked of them.
 *
 * A block goes on the list of the next smaller class, as is right, and is taken from there
 * for any size that rounds down to it.
 *
 * Under: plain
 * Caught by: objects/tests/test_heap (debug asan tsan).
 */
#include "objects/heap.h"

#include <stdlib.h>

static _Thread_local struct heap_free_list lists[HEAP_CLASSES];

extern const struct heap heap_rounds_down;

static void *rounding_alloc(size_t size_bytes)
{
    size_t class = size_bytes >> HEAP_GRAIN_LOG2;

    if (class && class < HEAP_CLASSES && lists[class].first)
        return heap_pop(&lists[class]);
    return malloc(size_bytes);
}

static void rounding_free(void *memory, size_t size_bytes)
{
    size_t class = size_bytes >> HEAP_GRAIN_LOG2;

    if (class && class < HEAP_CLASSES)
        heap_push(&lists[class], memory, class);
    else
        free(memory);
}

const struct heap heap_rounds_down = {
    .about = "free lists whose blocks are too small", .alloc = rounding_alloc,
    .free = rounding_free,
};
