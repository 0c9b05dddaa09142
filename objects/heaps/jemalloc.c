/* jemalloc.c - objects from jemalloc, with sized frees.
 *
 * jemalloc, linked in, owns the name malloc, and that is its shortest way to memory:
 * malloc and sdallocx take three quarters of the time of mallocx and sdallocx
 * (bare_malloc and bare_mallocx of `make bench`), and malloc can stand in the table
 * itself, where mallocx with its flags needs a function between.
 */
#include "gil/attributes.h"
#include "objects/heap.h"

#include <jemalloc/jemalloc.h>
#include <stdlib.h>

static void jemalloc_free(void *memory, size_t size_bytes)
{
#if SANITIZED
    (void)size_bytes;
    free(memory);
#else
    sdallocx(memory, size_bytes, 0);
#endif
}

#if !SANITIZED
static size_t jemalloc_takes(size_t size_bytes)
{
    return nallocx(size_bytes, 0);
}
#endif

const struct heap heap_jemalloc = {
    .about = "jemalloc: its malloc and sized sdallocx, a cache per thread",
    .alloc = malloc, .free = jemalloc_free,
#if !SANITIZED
    .takes = jemalloc_takes,
#endif
};
