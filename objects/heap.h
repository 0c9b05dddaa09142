/* heap.h - where the objects' memory comes from.
 *
 * One file in heaps/ is one heap: it defines `const struct heap heap_<file name>`.
 * Chosen at run time before the first object is made, and not changed after.
 *
 * In sanitizer builds (SANITIZED) every heap takes objects from the intercepted
 * malloc, since AddressSanitizer does not see a read after jemalloc's sdallocx.
 */
#ifndef OBJECTS_HEAP_H
#define OBJECTS_HEAP_H

#include <stddef.h>

struct heap {
    const char *about;
    void *(*alloc)(size_t size_bytes);           /* aligned to 16; NULL: no memory */
    void (*free)(void *memory, size_t size_bytes); /* the size that alloc was given */
};

struct named_heap {
    const char *name;
    const struct heap *heap;
};

/* Every heap there is, by name; ends with a NULL name. */
extern const struct named_heap heap_list[];

/* The chosen one; set once, before the first object. The first of the list until then. */
extern const struct heap *heap;

#endif
