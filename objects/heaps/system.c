/* system.c - objects from glibc's own malloc.
 *
 * jemalloc, linked in, owns the names malloc and free; glibc's stay reachable under
 * the names that glibc exports for such interposers.
 */
#include "gil/attributes.h"
#include "objects/heap.h"

#include <stdlib.h>

#if SANITIZED
#define system_malloc malloc
#define system_release free
#else
extern void *__libc_malloc(size_t size_bytes);
extern void __libc_free(void *memory);
#define system_malloc __libc_malloc
#define system_release __libc_free
#endif

/* glibc's malloc sets itself up when it is first called, and trusts that no thread has been
 * started before, as each pthread_create allocates: here that is jemalloc's business. Two
 * threads that come first at once would both believe that the main arena is theirs, and an
 * assertion of glibc's ends the program when the second leaves. */
static const char *set_up(void)
{
    system_release(system_malloc(1));
    return NULL;
}

static void *system_alloc(size_t size_bytes)
{
    return system_malloc(size_bytes);
}

static void system_free(void *memory, size_t size_bytes)
{
    (void)size_bytes;
    system_release(memory);
}

const struct heap heap_system = {
    .about = "glibc's malloc, by its own names beside jemalloc",
    .open = set_up, .alloc = system_alloc, .free = system_free,
};
