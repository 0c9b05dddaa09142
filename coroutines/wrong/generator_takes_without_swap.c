/* generator_takes_without_swap.c - generator.c, but two threads can both find a generator free.
 *
 * The fault: whoever resumes one looks at its stage and then writes it, which another thread may
 * do in between. Both run the body, in one frame (CPython gh-120321).
 *
 * Instead of: coroutines/generator.c
 * Under: atomic
 * Caught by: coroutines/tests/test_generator (debug asan tsan)
 */
#include <sched.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

/* Gives way between the look and the write, so that the fault is there on one core too. */
static bool look_and_write(_Atomic uint8_t *word, uint8_t *expected, uint8_t wanted)
{
    uint8_t seen = atomic_load_explicit(word, memory_order_acquire);

    if (seen != *expected) {
        *expected = seen;
        return false;
    }
    sched_yield();
    atomic_store_explicit(word, wanted, memory_order_relaxed);
    return true;
}

#include "coroutines/coroutine.h"
#include "objects/collector.h"
#include "objects/iterator.h"
#include "objects/warning.h"

#undef atomic_compare_exchange_weak_explicit
#undef atomic_compare_exchange_strong_explicit
#define atomic_compare_exchange_weak_explicit(word, expected, wanted, success, failure) \
    look_and_write(word, expected, wanted)
#define atomic_compare_exchange_strong_explicit atomic_compare_exchange_weak_explicit
#include "coroutines/generator.c"
