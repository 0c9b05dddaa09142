/* pool_loses_wake.c - thread_pool.c, but only a worker that already sleeps is woken.
 *
 * The fault: one that has found the queue empty, and is about to sleep, is taken off the list of
 * idle ones and not told. Then a job waits in the queue and nobody will look.
 *
 * Instead of: coroutines/thread_pool.c
 * Under: atomic
 * Caught by: coroutines/tests/test_thread_pool (debug asan tsan)
 */
#include "coroutines/block.h"

static inline void wake_if_asleep(_Atomic uint32_t *word)
{
    if (atomic_load_explicit(word, memory_order_relaxed) & BLOCK_SLEEPS)
        block_end(word);
}

#define block_end wake_if_asleep
#include "coroutines/thread_pool.c"
