/* bare_malloc.c - malloc, which is jemalloc's, and a sized free: the bare calls that
 * the heap `jemalloc` makes.
 */
#include "benches/micro.h"

#include "benches/workload.h"

#include <jemalloc/jemalloc.h>
#include <stdlib.h>

enum { SIZE_BYTES = 32 }; /* of an int under plain */

/* Sanitizer builds are not linked with jemalloc. */
#if SANITIZED
#define sdallocx(memory, size_bytes, flags) free(memory)
#endif

MEASURED static void run(uint64_t iterations)
{
    for (uint64_t i = 0; i < iterations; i++) {
        void *memory = malloc(SIZE_BYTES);

        barrier(memory);
        sdallocx(memory, SIZE_BYTES, 0);
    }
}

const struct micro micro_bare_malloc = {
    .about = "jemalloc's malloc and sdallocx of 32 bytes: what int_new on jemalloc cannot beat",
    .once = true, .run = run,
};
