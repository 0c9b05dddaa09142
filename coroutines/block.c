/* block.c - detach, spin, sleep, attach. */
#include "coroutines/block.h"

#include "gil/futex.h"
#include "gil/thread.h"

uint64_t block_deadline(uint64_t timeout_ns)
{
    uint64_t now_ns = clock_ns();

    return timeout_ns < BLOCK_FOREVER - now_ns ? now_ns + timeout_ns : BLOCK_FOREVER;
}

static bool spin_until(_Atomic uint32_t *word, uint32_t spin)
{
    while (spin-- > 0) {
        if (block_is_over(word))
            return true;
        relax();
    }
    return false;
}

/* The bit that says so is set before the last look, and futex_sleep looks again. */
static bool sleep_until(_Atomic uint32_t *word, uint64_t deadline_ns)
{
    struct timespec deadline = timespec_of_ns(deadline_ns);
    bool in_time = true;

    while (in_time) {
        uint32_t value = atomic_fetch_or_explicit(word, BLOCK_SLEEPS, memory_order_acq_rel);

        if (value & BLOCK_OVER)
            return true;
        in_time = futex_sleep(word, value | BLOCK_SLEEPS,
                              deadline_ns == BLOCK_FOREVER ? NULL : &deadline);
    }
    return block_is_over(word);
}

bool block_until(_Atomic uint32_t *word, uint64_t deadline_ns, uint32_t spin)
{
    struct thread *t = thread_self;
    bool over;

    if (block_is_over(word))
        return true;
    thread_detach(t);
    over = spin_until(word, spin) || sleep_until(word, deadline_ns);
    thread_attach(t);
    return over;
}

void block_wake(_Atomic uint32_t *word)
{
    futex_wake_all(word);
}
