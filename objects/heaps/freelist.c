/* freelist.c - a list of free blocks for each thread and size, over jemalloc.
 *
 * What a thread frees it keeps, whoever allocated it, and allocates from there: no lock,
 * no atomic, no call (objects/heap.h). It is called only for what the lists cannot do: a
 * list is empty, so a block comes from jemalloc; a list is full, so half of it goes back,
 * which bounds what a thread keeps that only frees; and for large blocks.
 *
 * A block's size is rounded up to its class's on the way to jemalloc, so any block of a
 * class will do for any size in it. When a thread leaves, its lists go back and have no
 * room any more: what it frees after that goes straight to jemalloc.
 */
#include "gil/attributes.h"
#include "objects/heap.h"

#include <jemalloc/jemalloc.h>
#include <stdlib.h>

/* Blocks in a list: small in tests, so that lists get full. */
#ifdef NDEBUG
enum { MOST = 256 };
#else
enum { MOST = 8 };
#endif

#if SANITIZED
static void freelist_free(void *memory, size_t size_bytes)
{
    (void)size_bytes;
    free(memory);
}

const struct heap heap_freelist = {
    .about = "a list of free blocks per thread and size, over jemalloc",
    .alloc = malloc, .free = freelist_free,
};
#else
static size_t rounded(size_t size_bytes)
{
    size_t class = heap_class(size_bytes);

    return class < HEAP_CLASSES ? class << HEAP_GRAIN_LOG2 : size_bytes;
}

static size_t freelist_takes(size_t size_bytes)
{
    return nallocx(rounded(size_bytes), 0);
}

static void *freelist_alloc(size_t size_bytes)
{
    return malloc(rounded(size_bytes));
}

static void give_back(size_t class, size_t room)
{
    struct heap_free_list *list = &heap_lists[class];

    while (list->room < room && list->first)
        sdallocx(heap_pop(list), class << HEAP_GRAIN_LOG2, 0);
}

static void freelist_free(void *memory, size_t size_bytes)
{
    size_t class = heap_class(size_bytes);

    sdallocx(memory, rounded(size_bytes), 0);
    if (class < HEAP_CLASSES && heap_lists[class].first && !heap_lists[class].room)
        give_back(class, MOST / 2);
}

static void thread_start(void)
{
    for (size_t i = 0; i < HEAP_CLASSES; i++)
        heap_lists[i].room = MOST;
}

static void thread_stop(void)
{
    for (size_t i = 0; i < HEAP_CLASSES; i++) {
        give_back(i, MOST);
        heap_lists[i].room = 0;
    }
}

const struct heap heap_freelist = {
    .about = "a list of free blocks per thread and size, over jemalloc",
    .lists = true, .alloc = freelist_alloc, .free = freelist_free, .takes = freelist_takes,
    .thread_start = thread_start, .thread_stop = thread_stop,
};
#endif
