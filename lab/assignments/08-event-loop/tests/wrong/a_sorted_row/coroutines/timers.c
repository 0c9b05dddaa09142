/* timers.c - WRONG: a row in the order of deadlines.
 *
 * Right, and the first is had at once. But each new timer moves all that are later, and each
 * that is taken moves all the others: a thousand timers are no trouble, ten thousand are.
 *
 * Score: 75..85
 * Says: places moved: 4
 * Says: times as long as atomic for timers
 * Caught by: tests/test_heap (debug)
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

/* Puts `moved` where it belongs in a row whose first `hole` places are taken. */
static void insert(struct timers *t, size_t hole, struct timer_entry moved)
{
    for (; hole && earlier(&moved, &t->entry[hole - 1]); hole--)
        t->entry[hole] = t->entry[hole - 1];
    t->entry[hole] = moved;
}

int timers_add(struct timers *t, struct timer *timer)
{
    if (unlikely(t->count == t->capacity) && grow(t) < 0)
        return -1;
    timer->sequence = t->sequence++;
    insert(t, t->count++, (struct timer_entry){ timer->when_ns, timer });
    return 0;
}

struct timer *timers_pop(struct timers *t)
{
    struct timer *first = t->entry[0].timer;

    assert(t->count);
    __builtin_prefetch(first, 1); /* who asks will look at it: it comes while the next is found */
    t->count--;
    memmove(t->entry, t->entry + 1, t->count * sizeof *t->entry);
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
}
