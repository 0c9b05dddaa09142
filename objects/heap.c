/* heap.c - the list of heaps, and the chosen one. */
#include "objects/heap.h"

#define HEAP(name) extern const struct heap heap_##name;
#include "gen/heaps.h"
#undef HEAP

const struct named_heap heap_list[] = {
#define HEAP(name) { #name, &heap_##name },
#include "gen/heaps.h"
#undef HEAP
    { NULL, NULL },
};

extern const struct heap heap_jemalloc;
const struct heap *heap = &heap_jemalloc;
