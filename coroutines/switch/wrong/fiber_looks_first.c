/* fiber_looks_first.c - wrong fibers: to see that one is suspended and to take it are two steps.
 *
 * Two threads that resume it at once both find it suspended, and run on one stack.
 *
 * Instead of: coroutines/switch/fiber.c
 * Caught by: coroutines/switch/tests/test_threads (debug asan tsan).
 */
#include <sched.h>
#include <stdatomic.h>
#include <stdbool.h>

static bool look_and_store(_Atomic int *state, int expected, int wanted)
{
    if (atomic_load_explicit(state, memory_order_acquire) != expected)
        return false;
    sched_yield(); /* it takes a while, as it might */
    atomic_store_explicit(state, wanted, memory_order_relaxed);
    return true;
}

#undef atomic_compare_exchange_strong_explicit
#define atomic_compare_exchange_strong_explicit(state, expected, wanted, success, failure) \
    look_and_store(state, *(expected), wanted)
#include "coroutines/switch/fiber.c"
