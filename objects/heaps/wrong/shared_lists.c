/* shared_lists.c - a wrong heap: its free lists are everybody's, and nothing guards them.
 *
 * Two threads that take at once get one block.
 *
 * Under: plain
 * Caught by: objects/tests/test_heap (debug asan tsan).
 */
#include "objects/heap.h"

#include <stdlib.h>

static struct heap_free_list lists[HEAP_CLASSES];

extern const struct heap heap_shared_lists;

static void *shared_alloc(size_t size_bytes)
{
    size_t class = heap_class(size_bytes);

    if (class < HEAP_CLASSES && lists[class].first)
        return heap_pop(&lists[class]);
    return malloc(class << HEAP_GRAIN_LOG2);
}

static void shared_free(void *memory, size_t size_bytes)
{
    size_t class = heap_class(size_bytes);

    if (class < HEAP_CLASSES)
        heap_push(&lists[class], memory, class);
    else
        free(memory);
}

const struct heap heap_shared_lists = {
    .about = "free lists that all threads share", .alloc = shared_alloc, .free = shared_free,
};
