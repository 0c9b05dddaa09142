/* timers.c - the hole goes down to the end, and what fills it comes up again.
 *
 * What takes the place of the first was the last, and will mostly end near the bottom again: so
 * it is not compared on the way down. I. Wegener, Bottom-up-heapsort, a new variant of heapsort
 * beating, on an average, quicksort, Theoretical Computer Science 118(1), 1993. What is swept is
 * built anew, one by one.
 *
 * Score: 100
 */
#include "coroutines/timers.h"

#include "objects/exception.h"
#include "objects/heap.h"

#include <assert.h>

enum {
    WAYS = 4,
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

/* Puts `moved` where it belongs on the way from `hole` to the top. */
static void sift_up(struct timers *t, size_t hole, struct timer_entry moved)
{
    while (hole) {
        size_t parent = (hole - 1) / WAYS;

        if (!earlier(&moved, &t->entry[parent]))
            break;
        t->entry[hole] = t->entry[parent];
        hole = parent;
    }
    t->entry[hole] = moved;
}

static size_t first_child_of(const struct timers *t, size_t parent)
{
    size_t child = parent * WAYS + 1, best = child, end = child + WAYS;

    if (end > t->count)
        end = t->count;
    while (++child < end)
        if (earlier(&t->entry[child], &t->entry[best]))
            best = child;
    return best;
}

/* Fills the first place by those that come first below; where the hole is in the end. */
static size_t hole_to_the_end(struct timers *t)
{
    size_t hole = 0;

    while (hole * WAYS + 1 < t->count) {
        size_t child = first_child_of(t, hole);

        t->entry[hole] = t->entry[child];
        hole = child;
    }
    return hole;
}

int timers_add(struct timers *t, struct timer *timer)
{
    if (unlikely(t->count == t->capacity) && grow(t) < 0)
        return -1;
    timer->sequence = t->sequence++;
    sift_up(t, t->count++, (struct timer_entry){ timer->when_ns, timer });
    return 0;
}

struct timer *timers_pop(struct timers *t)
{
    struct timer *first = t->entry[0].timer;

    assert(t->count);
    __builtin_prefetch(first, 1); /* who asks will look at it: it comes while the next is found */
    if (--t->count) {
        struct timer_entry last = t->entry[t->count];

        sift_up(t, hole_to_the_end(t), last);
    }
    return first;
}

static size_t keep_others(struct timers *t, bool (*gone)(struct timer *timer))
{
    size_t kept = 0;

    for (size_t i = 0; i < t->count; i++)
        if (!gone(t->entry[i].timer))
            t->entry[kept++] = t->entry[i];
    return kept;
}

void timers_sweep(struct timers *t, bool (*gone)(struct timer *timer))
{
    size_t count = keep_others(t, gone);

    for (t->count = 0; t->count < count; t->count++)
        sift_up(t, t->count, t->entry[t->count]);
}
