/* lag.h - how late a loop calls what is ready, and who made it late.
 *
 * A loop that calls something which computes for long, or blocks, is late for everything else,
 * and from outside nobody can tell why. So each loop keeps books, always: how long callbacks and
 * turns took, how late timers were, and the name of the slowest callback. And it says who runs
 * now, in a word that others may read: the watchdog does, a thread of its own, which works also
 * while the loop is stuck, and touches no object.
 *
 * What it costs: a word written for each callback, and looks at the processor's counter, of some
 * 16 ns each (a clock takes twice as long). The first callbacks of a turn are timed one by one,
 * which is little beside the turn's poll. When there are many, and they are short, the others are
 * timed in groups: a callback that blocks is then known to be one of its group, and from the next
 * one on they are timed one by one again. The counter's rate is found by comparing it with the
 * clock.
 *
 * All is the loop's thread's, but for what says otherwise.
 */
#ifndef COROUTINES_LAG_H
#define COROUTINES_LAG_H

#include "gil/attributes.h"
#include "gil/histogram.h"

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct lag_figures {
    uint64_t turns, callbacks;
    struct histogram callback_ns; /* how long each took */
    struct histogram turn_ns;     /* from one poll to the next: so late is what came at its start */
    struct histogram late_ns;     /* of timers: from the deadline to the turn that calls them */
    const char *slowest;          /* the callback that took longest; NULL: there was none */
    uint64_t slowest_ns;
    uint32_t slowest_among; /* 1: it was that one; else it is the last of so many, which took that
                               long together */
};

struct lag {
    _Atomic(const char *) running;      /* owner; read by any: who runs; NULL: it waits */
    _Atomic uint64_t serial;            /* owner; read by any: of groups that have ended */
    uint64_t ticks;                     /* owner; when the last group ended */
    uint64_t took_ticks, slowest_ticks; /* owner; the last group, the longest */
    size_t timed;                       /* owner; callbacks that have ended in this turn */
    uint64_t turn_ns;                   /* owner; when the turn began */
    uint64_t first_ns, first_ticks;     /* set once; one moment on the clock and on the counter */
    struct lag_figures figures;         /* owner; callback_ns in ticks */

    const char *name;                       /* lags.lock; of the loop; NULL: it has none */
    struct lag *next, **link;               /* lags.lock; link NULL: it is not watched */
    uint64_t seen_serial, seen_ns, told_ns; /* lags.lock; the watchdog's */
};

/* Ticks of a counter that all processors share and that never stops. */
static inline uint64_t lag_ticks(void)
{
#if defined(__x86_64__)
    return __builtin_ia32_rdtsc();
#elif defined(__aarch64__)
    uint64_t ticks;

    __asm__ volatile("mrs %0, cntvct_el0" : "=r"(ticks));
    return ticks;
#else
    struct timespec now;

    clock_gettime(CLOCK_MONOTONIC, &now);
    return (uint64_t)now.tv_sec * 1000000000 + (uint64_t)now.tv_nsec;
#endif
}

/* NULL: MemoryError. */
struct lag *lag_new(void);
void lag_free(struct lag *lag);

/* ---- the books ---- */

/* Who runs from now on; the name lives for ever. */
static inline void lag_enter(struct lag *lag, const char *name)
{
    atomic_store_explicit(&lag->running, name, memory_order_relaxed);
}

#ifdef NDEBUG
enum { LAG_ALONE = 16, LAG_GROUP = 32, LAG_SHORT_TICKS = 32000 };
#else
enum { LAG_ALONE = 2, LAG_GROUP = 3, LAG_SHORT_TICKS = 100000 }; /* its callbacks are slow */
#endif

/* How many of the next `left` callbacks are to be timed together: one by one the first of a turn,
 * and those after a group that was not short. */
static inline size_t lag_group(const struct lag *lag, size_t left)
{
    if (lag->timed < LAG_ALONE || lag->took_ticks > LAG_SHORT_TICKS)
        return 1;
    return left < LAG_GROUP ? left : LAG_GROUP;
}

/* A group has ended that took longer than any so far. */
SLOW_PATH void lag_note_slowest(struct lag *lag, uint32_t among);

/* So many callbacks have ended; the next one begins. */
static inline void lag_called(struct lag *lag, size_t count)
{
    uint64_t now = lag_ticks();

    lag->took_ticks = now - lag->ticks;
    lag->ticks = now;
    lag->timed += count;
    histogram_record_many(&lag->figures.callback_ns, lag->took_ticks / count, count);
    if (unlikely(lag->took_ticks > lag->slowest_ticks))
        lag_note_slowest(lag, (uint32_t)count);
    atomic_store_explicit(&lag->serial,
                          atomic_load_explicit(&lag->serial, memory_order_relaxed) + 1,
                          memory_order_relaxed);
}

/* A timer will be called so much after its deadline. */
static inline void lag_late(struct lag *lag, uint64_t late_ns)
{
    histogram_record(&lag->figures.late_ns, late_ns);
}

static inline void lag_turn_begins(struct lag *lag, uint64_t now_ns)
{
    lag->turn_ns = now_ns;
    lag->ticks = lag_ticks();
    lag->timed = 0;
}

static inline void lag_turn_ends(struct lag *lag, uint64_t now_ns)
{
    lag_enter(lag, NULL);
    lag->figures.turns++;
    histogram_record(&lag->figures.turn_ns, now_ns - lag->turn_ns);
}

/* Of the group that has ended last. */
uint64_t lag_took_ns(const struct lag *lag);
const char *lag_running(const struct lag *lag);

void lag_figures_of(const struct lag *lag, struct lag_figures *figures);

/* ---- the watchdog ---- */

/* The loop runs: the watchdog looks at it from now on, if there is one. And it does not. */
void lag_watch(struct lag *lag);
void lag_unwatch(struct lag *lag);
void lag_set_name(struct lag *lag, const char *name);

/* `callback` has run in `loop` for `since_ns`, and at most a quarter of the patience more. Runs on
 * the watchdog's thread, which is none of the runtime, with lags.lock held: it prints, or counts.
 */
typedef void lag_tell(const char *loop, const char *callback, uint64_t since_ns);

/* A thread of its own, which looks at all loops of this policy that run, four times in the time of
 * `patience_ns` but at least once a second; it tells of each that has been in one callback for so
 * long, again when that time has doubled. One at a time. 0; -1 and OSError: no such thread. */
int lag_watchdog_start(uint64_t patience_ns, lag_tell *tell);

/* If it runs. */
void lag_watchdog_stop(void);

/* One look, at this moment of the clock: what the thread does, for those who have a clock of
 * their own. */
void lag_watchdog_look(uint64_t now_ns, uint64_t patience_ns, lag_tell *tell);

#endif
