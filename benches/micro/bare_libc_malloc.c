/* bare_libc_malloc.c - glibc's malloc without objects, by the names that it keeps.
 *
 * jemalloc, linked in, owns the names malloc and free.
 */
#include "benches/micro.h"

#include "benches/workload.h"

#include <stdlib.h>

enum { SIZE_BYTES = 32 }; /* of an int under plain */

#if SANITIZED
#define __libc_malloc malloc
#define __libc_free free
#else
extern void *__libc_malloc(size_t size_bytes);
extern void __libc_free(void *memory);
#endif

MEASURED static void run(uint64_t iterations)
{
    for (uint64_t i = 0; i < iterations; i++) {
        void *memory = __libc_malloc(SIZE_BYTES);

        barrier(memory);
        __libc_free(memory);
    }
}

const struct micro micro_bare_libc_malloc = {
    .about = "glibc's malloc and free of 32 bytes: what int_new on system cannot beat",
    .once = true, .run = run,
};
