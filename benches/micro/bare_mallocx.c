/* bare_mallocx.c - jemalloc by the names that only it has, and no objects. */
#include "benches/micro.h"

#include "benches/workload.h"

#include <jemalloc/jemalloc.h>
#include <stdlib.h>

enum { SIZE_BYTES = 32 }; /* of an int under plain */

/* Sanitizer builds are not linked with jemalloc. */
#if SANITIZED
#define mallocx(size_bytes, flags) malloc(size_bytes)
#define sdallocx(memory, size_bytes, flags) free(memory)
#endif

MEASURED static void run(uint64_t iterations)
{
    for (uint64_t i = 0; i < iterations; i++) {
        void *memory = mallocx(SIZE_BYTES, 0);

        barrier(memory);
        sdallocx(memory, SIZE_BYTES, 0);
    }
}

const struct micro micro_bare_mallocx = {
    .about = "jemalloc's mallocx and sdallocx of 32 bytes",
    .once = true, .run = run,
};
