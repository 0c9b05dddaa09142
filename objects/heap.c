/* heap.c - the list of heaps, the chosen one, and counting what it gives. */
#include "objects/heap.h"

#include <stdatomic.h>

#define HEAP(name) extern const struct heap heap_##name;
#include "gen/heaps.h"
#undef HEAP

const struct named_heap heap_list[] = {
#define HEAP(name) { #name, &heap_##name },
#include "gen/heaps.h"
#undef HEAP
    { NULL, NULL },
};

extern const struct heap heap_jemalloc;
const struct heap *heap = &heap_jemalloc;

_Thread_local struct heap_free_list heap_lists[HEAP_CLASSES];

/* ---- Counting ----
 *
 * Plain sums that all threads share, so that "at once" is exact; relaxed, as a sum is right
 * in whatever order its parts come. */

struct amount {
    _Atomic int64_t now, most;
};

static struct {
    const struct heap *heap; /* set once, by heap_count */
    struct amount objects, asked, taken;
} counted;

static void add(struct amount *a, int64_t change)
{
    int64_t now = atomic_fetch_add_explicit(&a->now, change, memory_order_relaxed) + change;
    int64_t most = atomic_load_explicit(&a->most, memory_order_relaxed);

    while (now > most && !atomic_compare_exchange_weak_explicit(
                             &a->most, &most, now, memory_order_relaxed, memory_order_relaxed)) { }
}

static void count(size_t size_bytes, int sign)
{
    add(&counted.asked, sign * (int64_t)size_bytes);
    if (counted.heap->takes)
        add(&counted.taken, sign * (int64_t)counted.heap->takes(size_bytes));
}

static void *counting_alloc(size_t size_bytes)
{
    void *memory = counted.heap->alloc(size_bytes);

    if (memory) {
        add(&counted.objects, 1);
        count(size_bytes, 1);
    }
    return memory;
}

static void counting_free(void *memory, size_t size_bytes)
{
    add(&counted.objects, -1);
    count(size_bytes, -1);
    counted.heap->free(memory, size_bytes);
}

/* Each is a block too, which counts as an object. */
static void counting_tables(int change)
{
    add(&counted.objects, -change);
}

void heap_count(void)
{
    static struct heap counting;

    counted.heap = heap;
    counting = *heap;
    counting.lists = false; /* they do not call us */
    counting.alloc = counting_alloc;
    counting.free = counting_free;
    counting.tables = counting_tables;
    heap = &counting;
}

void heap_counted(struct heap_counts *counts)
{
    *counts = (struct heap_counts){
        .live = atomic_load_explicit(&counted.objects.now, memory_order_relaxed),
        .most = atomic_load_explicit(&counted.objects.most, memory_order_relaxed),
        .asked_bytes = atomic_load_explicit(&counted.asked.most, memory_order_relaxed),
        .taken_bytes = counted.heap->takes
                           ? atomic_load_explicit(&counted.taken.most, memory_order_relaxed)
                           : -1,
    };
}
