/* jemalloc.c - objects from jemalloc, with sized frees. */
#include "gil/attributes.h"
#include "objects/heap.h"

#include <jemalloc/jemalloc.h>
#include <stdlib.h>

static void *jemalloc_alloc(size_t size_bytes)
{
#if SANITIZED
    return malloc(size_bytes);
#else
    return mallocx(size_bytes, 0);
#endif
}

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
    .about = "jemalloc: mallocx and sized sdallocx, a cache per thread",
    .alloc = jemalloc_alloc, .free = jemalloc_free,
};
