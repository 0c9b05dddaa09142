/* shared.h - what a load and its parent both see. For load.c and driver.c alone. */
#ifndef BENCHES_LOAD_SHARED_H
#define BENCHES_LOAD_SHARED_H

#include "benches/load/load.h"

enum load_state { LOAD_OPENING, LOAD_OPEN, LOAD_ENDED };

/* When it looked at itself: it ran then, so whatever it had waited for is counted. */
struct load_moment {
    uint64_t now_ns; /* 0: it has not */
    uint64_t cpu_ns;
    int64_t held_up_ns; /* that it was ready and others had its processor; -1: not known */
};

/* In a mapping that the fork shares. Each count has one writer, the process, and is a number for
 * itself: relaxed. What orders them is the process's end, or a byte through an eventfd. */
struct load_shared {
    _Alignas(128) _Atomic uint64_t answers;                      /* the process's */
    _Alignas(128) _Atomic uint64_t asked, open, opened, overdue; /* the process's */
    _Atomic uint64_t error[LOAD_ERRORS];                         /* the process's */
    _Atomic int state;                                           /* the process's; a load_state */
    _Atomic int first_error; /* the process's; errno; 0: none, or not the kernel's */
    char first_words[160];   /* the process's, before the next; what TLS said; "" */
    _Atomic int first_kind;  /* the process's; a load_error; -1: none; release, acquire */
    _Atomic uint64_t cpu_ns; /* the process's, when it ends */
    _Alignas(128) _Atomic bool going, recording, stopping; /* the parent's */
    struct histogram latency;    /* the process's; for the parent when it has ended, as the next */
    struct load_moment from, to; /* of what was recorded */
};

/* What the process is given. `told` it rings when its state has changed, at `bell` it listens. */
struct load_order {
    struct load_plan plan;
    struct tls_context *trusting; /* NULL: no TLS */
    struct load_shared *shared;
    void *arena;    /* load_arena_bytes, zero */
    int told, bell; /* eventfds */
};

size_t load_arena_bytes(const struct load_plan *plan);

/* The process's life. */
_Noreturn void load_drive(const struct load_order *order);

#endif
