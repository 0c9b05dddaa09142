/* parks_blindly.c - a wrong lock: it sleeps at whatever the word is by now.
 *
 * Who waits says so in the word, and then sleeps if the word has not changed; but here it
 * loads it once more for the kernel to compare. If the holder has let go in between, it
 * sleeps at a lock that is free, of which nobody knows any more that somebody sleeps there.
 *
 * Caught by: gil/tests/test_turns (debug asan tsan), whose watchdog ends the hang.
 */
#include "gil/futex.h"
#include "gil/gil.h"
#include "gil/thread.h"

#include <unistd.h>

extern const struct gil_class gil_parks_blindly;

enum { FREE, HELD, CONTENDED };

struct gil_parks_blindly {
    struct gil head;
    _Atomic uint32_t word; /* atomic */
};

static _Atomic uint32_t *word_of(struct gil *gil)
{
    return &((struct gil_parks_blindly *)gil)->word;
}

static int init(struct gil *gil)
{
    (void)gil;
    return 0;
}

static void fini(struct gil *gil)
{
    (void)gil;
}

static void enter(struct gil *gil, struct thread *t)
{
    (void)gil;
    thread_request(t, BREAKER_GIL);
}

/* Dozes before it sleeps: so long a gap is seldom missed. */
static void park(_Atomic uint32_t *word)
{
    uint64_t hour_ns = clock_ns() + 3600ull * NS_PER_S;

    usleep(50);
    futex_wait_until(word, atomic_load_explicit(word, memory_order_relaxed), hour_ns);
}

static void acquire(struct gil *gil, struct thread *t)
{
    _Atomic uint32_t *word = word_of(gil);
    uint32_t found = FREE;

    (void)t;
    if (atomic_compare_exchange_strong_explicit(word, &found, HELD, memory_order_acquire,
                                                memory_order_relaxed))
        return;
    while (atomic_exchange_explicit(word, CONTENDED, memory_order_acquire) != FREE)
        park(word);
}

static void release(struct gil *gil, struct thread *t)
{
    (void)t;
    if (atomic_exchange_explicit(word_of(gil), FREE, memory_order_release) == CONTENDED)
        futex_wake_one(word_of(gil));
}

static bool due(struct gil *gil, struct thread *t)
{
    (void)gil;
    (void)t;
    return true;
}

static void yield(struct gil *gil, struct thread *t)
{
    release(gil, t);
    acquire(gil, t);
}

const struct gil_class gil_parks_blindly = {
    .about = "wrong: sleeps at whatever the word is by now", .source = "a planted fault",
    .size_bytes = sizeof(struct gil_parks_blindly), .excludes = true,
    .init = init, .fini = fini, .enter = enter,
    .acquire = acquire, .release = release, .due = due, .yield = yield,
};
