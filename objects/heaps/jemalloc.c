/* jemalloc.c - objects from jemalloc, with sized frees.
 *
 * By the name malloc, which is jemalloc's in this program, and not by mallocx, which
 * looks at its flags before it looks for memory: `make bench` shows the difference.
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

const struct heap heap_jemalloc = {
    .about = "jemalloc: its malloc, and sized sdallocx, a cache per thread",
    .alloc = malloc, .free = jemalloc_free,
};
