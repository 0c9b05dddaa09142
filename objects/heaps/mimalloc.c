/* mimalloc.c - objects from mimalloc, by its own names.
 *
 * Debian's library defines malloc as well, reallocarray, which jemalloc leaves to glibc,
 * and __libc_malloc, by which the heap `system` reaches glibc. Linked in, in whatever
 * order, it would take over some of them. So it is loaded apart, where only what asks for
 * its names finds them (docs/decisions/14-mimalloc-apart.md).
 */
#include "gil/attributes.h"
#include "objects/heap.h"

#include <stdlib.h>

#if SANITIZED
static void mimalloc_free(void *memory, size_t size_bytes)
{
    (void)size_bytes;
    free(memory);
}

const struct heap heap_mimalloc = {
    .about = "mimalloc, loaded beside jemalloc", .alloc = malloc, .free = mimalloc_free,
};
#else
#include <dlfcn.h>
#include <mimalloc.h>

/* Set once, by open_library. */
static __typeof__(mi_malloc) *library_malloc;
static __typeof__(mi_free_size) *library_free;
static __typeof__(mi_good_size) *library_good_size;

/* Stays open: the memory that it gave is in use. */
static const char *open_library(void)
{
    void *library = library_malloc ? NULL : dlopen("libmimalloc.so.2", RTLD_NOW | RTLD_LOCAL);

    if (library) {
        library_malloc = (__typeof__(library_malloc))dlsym(library, "mi_malloc");
        library_free = (__typeof__(library_free))dlsym(library, "mi_free_size");
        library_good_size = (__typeof__(library_good_size))dlsym(library, "mi_good_size");
    }
    return library_malloc && library_free && library_good_size ? NULL : dlerror();
}

static void *mimalloc_alloc(size_t size_bytes)
{
    return library_malloc(size_bytes);
}

static void mimalloc_free(void *memory, size_t size_bytes)
{
    library_free(memory, size_bytes);
}

static size_t mimalloc_takes(size_t size_bytes)
{
    return library_good_size(size_bytes);
}

const struct heap heap_mimalloc = {
    .about = "mimalloc, loaded beside jemalloc", .open = open_library,
    .alloc = mimalloc_alloc, .free = mimalloc_free, .takes = mimalloc_takes,
};
#endif
