/* frees_at_once.c - reclaim.c, but nothing waits.
 *
 * The fault: a reader that has loaded a pointer tries to count what is somebody else's
 * memory by now.
 * Instead of: objects/reclaim.c
 * Under: atomic
 * Caught by: objects/tests/test_reclaim (debug asan tsan)
 */
#include "gil/qsbr.h"
#include "objects/heap.h"
#include "objects/reclaim.h"

void free_later(void *memory, size_t size_bytes)
{
    heap_free(memory, size_bytes);
}

void free_table_later(void *table, size_t size_bytes)
{
    heap_free_table(table, size_bytes);
}

void reclaim_enter(struct thread *t)
{
    qsbr_enter(t);
}

void reclaim_leave(struct thread *t)
{
    qsbr_leave(t);
}

void reclaim_quiet(struct thread *t)
{
    qsbr_quiet(t);
}

void reclaim_all(void)
{
}
