/* heap.h - where the objects' memory comes from.
 *
 * One file in heaps/ is one heap: it defines `const struct heap heap_<file name>`.
 * Chosen at run time, while no thread of the runtime and no object lives.
 *
 * In sanitizer builds (SANITIZED) every heap takes objects from the intercepted
 * malloc, since AddressSanitizer does not see a read after jemalloc's sdallocx.
 *
 * Free lists. Two calls cost more than half of what jemalloc takes for a block and its
 * return, however little they do; so a heap that is to be much faster must be inline.
 * heap_alloc and heap_free are: a heap that says `lists` has its small blocks, once
 * freed, kept in lists of the freeing thread, one for each size, and is only called when
 * a list is empty or full. (CPython 3.13 keeps such lists per thread, by type.) For the
 * other heaps they are a test and the call, laid out as the straight way, so that they
 * pay as little as can be.
 */
#ifndef OBJECTS_HEAP_H
#define OBJECTS_HEAP_H

#include "gil/attributes.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

struct heap {
    const char *about;
    void *(*alloc)(size_t size_bytes);             /* aligned to 16; NULL: no memory */
    void (*free)(void *memory, size_t size_bytes); /* the size that alloc was given */

    /* All that follows may be left out. */

    const char *(*open)(void);          /* before all else: NULL, or why it is not to be had here */
    bool lists;                         /* its blocks go by way of heap_lists */
    size_t (*takes)(size_t size_bytes); /* what a block of it takes, rounded up */

    /* Of a thread of the runtime, if the allocator does not see by itself when one ends. Start
     * comes before the first block; stop after all that the runtime does for the thread, and
     * gives back what the heap keeps for it. The thread may go on to allocate and free, as
     * those may that are not of the runtime; nothing is kept for them. */
    void (*thread_start)(void);
    void (*thread_stop)(void);

    void (*tables)(int change); /* so many blocks more are no objects; for who counts */
};

struct named_heap {
    const char *name;
    const struct heap *heap;
};

/* Every heap there is, by name; ends with a NULL name. */
extern const struct named_heap heap_list[];

/* The chosen one, open; set before the first thread starts. `jemalloc` until then. */
extern const struct heap *heap;

/* A list's blocks are all of its class's size: class c has those of 16 * c bytes. */
enum { HEAP_GRAIN_LOG2 = 4, HEAP_CLASSES = 33, HEAP_POISON = 0xDB };

struct heap_block {
    struct heap_block *next;
};

struct heap_free_list {
    struct heap_block *first;
    size_t room; /* for so many more; 0 in threads that are not of the runtime */
};

extern _Thread_local struct heap_free_list heap_lists[HEAP_CLASSES]; /* owner */

static inline size_t heap_class(size_t size_bytes)
{
    return (size_bytes + (1 << HEAP_GRAIN_LOG2) - 1) >> HEAP_GRAIN_LOG2;
}

/* A list that a heap puts blocks on; in debug builds who reads one reads rubbish. */
static inline void heap_push(struct heap_free_list *list, void *memory, size_t class)
{
    struct heap_block *block = memory;

#ifndef NDEBUG
    memset(memory, HEAP_POISON, class << HEAP_GRAIN_LOG2);
#else
    (void)class;
#endif
    block->next = list->first;
    list->first = block;
    list->room--;
}

static inline void *heap_pop(struct heap_free_list *list)
{
    struct heap_block *block = list->first;

    list->first = block->next;
    list->room++;
    return block;
}

/* As heap->alloc. */
static inline void *heap_alloc(size_t size_bytes)
{
    size_t class = heap_class(size_bytes);

    if (unlikely(heap->lists) && class < HEAP_CLASSES && likely(heap_lists[class].first))
        return heap_pop(&heap_lists[class]);
    return heap->alloc(size_bytes);
}

/* As heap->free. */
static inline void heap_free(void *memory, size_t size_bytes)
{
    size_t class = heap_class(size_bytes);

    if (unlikely(heap->lists) && class < HEAP_CLASSES && likely(heap_lists[class].room))
        heap_push(&heap_lists[class], memory, class);
    else
        heap->free(memory, size_bytes);
}

/* For what belongs to an object beside itself: a list's items, a dict's table. It is told
 * before it is counted, and uncounted before it is told: never one object too many. */
static inline void *heap_alloc_table(size_t size_bytes)
{
    void *table;

    if (unlikely(heap->tables))
        heap->tables(1);
    table = heap_alloc(size_bytes);
    if (unlikely(!table && heap->tables))
        heap->tables(-1);
    return table;
}

static inline void heap_free_table(void *table, size_t size_bytes)
{
    heap_free(table, size_bytes);
    if (unlikely(heap->tables))
        heap->tables(-1);
}

/* Counting, which costs time: from now on what the chosen heap gives is counted. To be
 * called where a heap may be chosen. */
void heap_count(void);

/* What has been counted. At any moment of at most so many objects, and of so many bytes. */
struct heap_counts {
    int64_t live;        /* objects that have not been freed */
    int64_t most;        /* objects alive at once */
    int64_t asked_bytes; /* the most that was asked for at once, for objects and tables */
    int64_t taken_bytes; /* the same with what the heap rounds up; -1: it does not say */
};

void heap_counted(struct heap_counts *counts);

#endif
