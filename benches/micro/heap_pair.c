/* heap_pair.c - a block of 32 bytes taken from the heap and given back, as objects do. */
#include "benches/micro.h"

#include "benches/workload.h"
#include "objects/heap.h"

enum { SIZE_BYTES = 32 }; /* of an int under plain */

MEASURED static void run(uint64_t iterations)
{
    for (uint64_t i = 0; i < iterations; i++) {
        void *memory = heap_alloc(SIZE_BYTES);

        barrier(memory);
        heap_free(memory, SIZE_BYTES);
    }
}

const struct micro micro_heap_pair = {
    .about = "a block of 32 bytes taken from the heap and given back",
    .once = true, .per_heap = true, .run = run,
};
