/* block.h - a thread waits for another one: detach, spin for a while, sleep, attach.
 *
 * The one place where a thread of this floor waits for what no system call of its own
 * brings (io.h has those): for a result, for work, for others to leave. What it waits for
 * is a bit of a word; who has brought it about sets that bit and wakes.
 *
 * Spinning. To put a thread to sleep and to wake it takes 12 to 35 us from core to core, to see
 * another core's write a tenth of one. So a thread looks `spin` times before it sleeps, each
 * some 50 ns; not for long, since the one it waits for may need its processor, and then each
 * look delays what it looks for (docs/decisions/27-executors.md has the figures). It is
 * detached all the while: others may have the global lock, and a stopped world does not wait.
 *
 * The word. Two bits are used here, all others are the caller's, who must not mind a wait
 * that looks again when they change.
 */
#ifndef COROUTINES_BLOCK_H
#define COROUTINES_BLOCK_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

enum {
    BLOCK_OVER = 1,   /* what is waited for has come */
    BLOCK_SLEEPS = 2, /* somebody sleeps, or is about to: who sets BLOCK_OVER must wake */
};

/* Looks before a thread sleeps, where nobody says otherwise. */
enum { BLOCK_SPIN = 100 };

/* For a deadline or a timeout: there is none. */
#define BLOCK_FOREVER UINT64_MAX

/* Of clock_ns, `timeout_ns` from now; BLOCK_FOREVER stays what it is. */
uint64_t block_deadline(uint64_t timeout_ns);

/* Acquires what was written before the bit was set. */
static inline bool block_is_over(_Atomic uint32_t *word)
{
    return atomic_load_explicit(word, memory_order_acquire) & BLOCK_OVER;
}

/* The calling thread, attached, waits until the bit is set; it is detached meanwhile, and
 * others will have run. False: `deadline_ns` has passed first. errno is kept. */
bool block_until(_Atomic uint32_t *word, uint64_t deadline_ns, uint32_t spin);

/* Sets the bit, and says whether somebody must be woken: by block_wake, with nothing locked.
 * The word may be gone by then, for that takes the address only. Any thread may call these. */
static inline bool block_mark(_Atomic uint32_t *word)
{
    /* Release, with block_is_over. In one step with the other bit, or the sleeper's could
     * come between the look and the write, and it would sleep on. */
    return atomic_fetch_or_explicit(word, BLOCK_OVER, memory_order_acq_rel) & BLOCK_SLEEPS;
}

void block_wake(_Atomic uint32_t *word);

/* Both. */
static inline void block_end(_Atomic uint32_t *word)
{
    if (block_mark(word))
        block_wake(word);
}

#endif
