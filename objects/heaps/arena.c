/* arena.c - jemalloc with an arena for each thread.
 *
 * By itself jemalloc has four arenas for each processor and hands them out in turn; with
 * more threads than that, two share one, its locks and its cache lines. Here each thread
 * of the runtime has one to itself while it lives ("thread.arena" of jemalloc(3)). All
 * else is as in jemalloc.c, so the two differ in this alone.
 *
 * An arena is never destroyed, for what was allocated in it may live on with another
 * thread. So that threads that come and go do not each leave one behind, the arena of a
 * thread that has left is the next one's: there are as many as threads lived at once.
 * jemalloc has at most 4095; a thread that gets none stays in a shared one.
 */
#include "gil/attributes.h"
#include "objects/heap.h"

#include <jemalloc/jemalloc.h>
#include <stdlib.h>

#if SANITIZED
static void arena_free(void *memory, size_t size_bytes)
{
    (void)size_bytes;
    free(memory);
}

const struct heap heap_arena = {
    .about = "jemalloc with an arena per thread, handed on when the thread has left",
    .alloc = malloc, .free = arena_free,
};
#else
#include "gil/mutex.h"

enum { ARENAS_MOST = 4095 };

static struct {
    struct mutex lock;
    unsigned count, arena[ARENAS_MOST]; /* lock; those that no thread has */
} left = { .lock = MUTEX_INIT };

/* While the thread is one of the runtime; owner. */
static _Thread_local struct {
    bool given;
    unsigned arena, before;
} own;

static bool take_left(unsigned *arena)
{
    bool any;

    mutex_lock(&left.lock);
    any = left.count > 0;
    if (any)
        *arena = left.arena[--left.count];
    mutex_unlock(&left.lock);
    return any;
}

static bool create(unsigned *arena)
{
    size_t length = sizeof *arena;

    return mallctl("arenas.create", arena, &length, NULL, 0) == 0;
}

static void thread_start(void)
{
    size_t length = sizeof own.before;

    own.given = (take_left(&own.arena) || create(&own.arena)) &&
                mallctl("thread.arena", &own.before, &length, &own.arena, sizeof own.arena) == 0;
}

/* The cache is emptied while the thread is still in its arena: its blocks go where the next
 * owner finds them. */
static void thread_stop(void)
{
    if (!own.given)
        return;
    own.given = false;
    mallctl("thread.tcache.flush", NULL, NULL, NULL, 0);
    mallctl("thread.arena", NULL, NULL, &own.before, sizeof own.before);
    mutex_lock(&left.lock);
    left.arena[left.count++] = own.arena;
    mutex_unlock(&left.lock);
}

static void arena_free(void *memory, size_t size_bytes)
{
    sdallocx(memory, size_bytes, 0);
}

static size_t arena_takes(size_t size_bytes)
{
    return nallocx(size_bytes, 0);
}

const struct heap heap_arena = {
    .about = "jemalloc with an arena per thread, handed on when the thread has left",
    .alloc = malloc, .free = arena_free, .takes = arena_takes,
    .thread_start = thread_start, .thread_stop = thread_stop,
};
#endif
