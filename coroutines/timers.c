/* timers.c - a 4-ary heap of deadlines. */
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
    /* cut 08: and if both are due at the same time? | return a->when_ns < b->when_ns; */
    if (likely(a->when_ns != b->when_ns))
        return a->when_ns < b->when_ns;
    return a->timer->sequence < b->timer->sequence;
    /* end of cut */
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
    /* cut 08: those above it that are later make room */
    while (hole) {
        size_t parent = (hole - 1) / WAYS;

        if (!earlier(&moved, &t->entry[parent]))
            break;
        t->entry[hole] = t->entry[parent];
        hole = parent;
    }
    /* end of cut */
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

/* The same on the way down. */
static void sift_down(struct timers *t, size_t hole, struct timer_entry moved)
{
    /* cut 08: those below it that are earlier make room | (void)first_child_of; */
    while (hole * WAYS + 1 < t->count) {
        size_t child = first_child_of(t, hole);

        if (!earlier(&t->entry[child], &moved))
            break;
        t->entry[hole] = t->entry[child];
        hole = child;
    }
    /* end of cut */
    t->entry[hole] = moved;
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
    if (--t->count)
        sift_down(t, 0, t->entry[t->count]);
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
    t->count = keep_others(t, gone);
    /* cut 08: what is left is no heap any more */
    for (size_t i = t->count / WAYS + 1; i-- > 0;)
        if (i < t->count)
            sift_down(t, i, t->entry[i]);
    /* end of cut */
}
