/* futex.h - sleep while a word has a value, and wake who sleeps there.
 *
 * For a lock that is one word. The kernel compares and queues in one step: who changes the
 * word and wakes after that finds asleep whoever had compared before. Both calls may come
 * back for no reason, so the caller looks at the word again; memory is ordered by that
 * look, not by the calls. All threads are of one process. errno is kept.
 *
 * Source: U. Drepper, "Futexes Are Tricky", 2011; futex(2).
 */
#ifndef GIL_FUTEX_H
#define GIL_FUTEX_H

#include "gil/mutex.h"

#include <errno.h>
#include <limits.h>
#include <linux/futex.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/syscall.h>
#include <unistd.h>

/* Sleeps if the word has this value. False: it is `deadline`, or later. NULL: there is none. */
static inline bool futex_sleep(_Atomic uint32_t *word, uint32_t value,
                               const struct timespec *deadline)
{
    int before = errno;
    bool in_time = syscall(SYS_futex, word, FUTEX_WAIT_BITSET_PRIVATE, value, deadline, NULL,
                           FUTEX_BITSET_MATCH_ANY) == 0 ||
                   errno != ETIMEDOUT;

    errno = before;
    return in_time;
}

static inline void futex_wait(_Atomic uint32_t *word, uint32_t value)
{
    futex_sleep(word, value, NULL);
}

/* False: `deadline_ns` (of clock_ns) has passed. A time and not a duration, so that signals
 * (EINTR) do not stretch it. */
static inline bool futex_wait_until(_Atomic uint32_t *word, uint32_t value, uint64_t deadline_ns)
{
    struct timespec deadline = timespec_of_ns(deadline_ns);

    return futex_sleep(word, value, &deadline);
}

/* Between two looks of who spins before it sleeps: the other thread of the core goes on. */
static inline void relax(void)
{
#if defined(__x86_64__)
    __builtin_ia32_pause();
#elif defined(__aarch64__)
    __asm__ volatile("isb");
#endif
}

/* Wakes one that sleeps there, and says whether there was one. The word may be gone: it is
 * an address only. */
static inline bool futex_wake_one(_Atomic uint32_t *word)
{
    return syscall(SYS_futex, word, FUTEX_WAKE_PRIVATE, 1, NULL, NULL, 0) > 0;
}

/* The same for all that sleep there. */
static inline void futex_wake_all(_Atomic uint32_t *word)
{
    int before = errno;

    syscall(SYS_futex, word, FUTEX_WAKE_PRIVATE, INT_MAX, NULL, NULL, 0);
    errno = before;
}

#endif
