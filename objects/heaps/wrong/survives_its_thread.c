/* survives_its_thread.c - a wrong heap: a thread's lists are lost when it has left.
 *
 * Under: plain
 * Caught by: objects/tests/test_heap (debug asan).
 */
#include "objects/heap.h"

#include <stdlib.h>

extern const struct heap heap_survives_its_thread;

static void thread_start(void)
{
    for (size_t i = 0; i < HEAP_CLASSES; i++)
        heap_lists[i].room = 8;
}

static void *lists_alloc(size_t size_bytes)
{
    return malloc(heap_class(size_bytes) << HEAP_GRAIN_LOG2);
}

static void lists_free(void *memory, size_t size_bytes)
{
    (void)size_bytes;
    free(memory);
}

const struct heap heap_survives_its_thread = {
    .about = "free lists that nobody gives back", .lists = true, .alloc = lists_alloc,
    .free = lists_free, .thread_start = thread_start,
};
