/* stack_unguarded.c - wrong stacks: whoever runs off one goes on in the next.
 *
 * Instead of: coroutines/switch/stack.c
 * Caught by: coroutines/switch/tests/test_overflow (debug asan tsan).
 */
#include <stddef.h>
#include <sys/mman.h>

static int advise_no_guard(void *address, size_t size_bytes, int advice)
{
    return advice == 102 ? 0 : madvise(address, size_bytes, advice);
}

static int protect_nothing(void *address, size_t size_bytes, int rights)
{
    (void)address, (void)size_bytes, (void)rights;
    return 0;
}

#define madvise advise_no_guard
#define mprotect protect_nothing
#include "coroutines/switch/stack.c"
