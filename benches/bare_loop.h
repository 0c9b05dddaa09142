/* bare_loop.h - an event loop without objects: what the loop of coroutines/ cannot beat.
 *
 * The same turn, ring, heap of timers, inbox and reactor, but what is called is a function and
 * a pointer: nothing is counted, nothing is cancelled, nobody is named, and no books are kept.
 * For the controls of micro-benchmarks. Its memory is malloc's.
 */
#ifndef BENCHES_BARE_LOOP_H
#define BENCHES_BARE_LOOP_H

#include "coroutines/inbox.h"
#include "coroutines/reactor/reactor.h"
#include "coroutines/timers.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

typedef void bare_action(void *argument);

struct bare_callback {
    bare_action *act;
    void *argument;
};

struct bare_timer {
    struct timer timer;
    struct bare_callback callback;
};

struct bare_letter {
    struct letter letter;
    struct bare_callback callback;
};

struct bare_loop {
    struct bare_callback *callback; /* a ring; capacity is a power of two */
    size_t capacity, first, count;
    struct timers timers;
    struct inbox inbox;
    struct reactor *reactor;
};

/* 0, or -1 with an exception pending. What still waits at the end is freed. */
int bare_loop_init(struct bare_loop *loop);
void bare_loop_fini(struct bare_loop *loop);

/* false: no memory. */
bool bare_call_soon(struct bare_loop *loop, bare_action *act, void *argument);
bool bare_call_at(struct bare_loop *loop, uint64_t when_ns, bare_action *act, void *argument);
bool bare_call_soon_threadsafe(struct bare_loop *loop, bare_action *act, void *argument);

/* Polls without waiting, and calls what is ready then. */
void bare_turn(struct bare_loop *loop);

#endif
