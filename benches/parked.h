/* parked.h - what a unit takes of memory while it waits: of each kind, from 1 to 100 000.
 *
 * So many of a kind are made in a process of their own, forked for that, and left where they wait.
 * What has come to the process meanwhile is divided by their number: anonymous memory that is
 * resident, page tables, maps; and of the whole machine the stacks of the kernel, of which each
 * thread has one. The first units pay for what is there once.
 *
 * Who is refused one is told by which limit. Time and memory are bounded: a count that would take
 * more than a quarter of what is available is not tried, and one that takes longer than five seconds
 * is given up.
 */
#ifndef BENCHES_PARKED_H
#define BENCHES_PARKED_H

#include "gil/attributes.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum {
    PARKED_COUNT_MOST = SANITIZED ? 1000 : 100000, /* sanitizers make each many times as large */
    PARKED_MEMORY_SHARE = 4,                       /* a quarter */
    PARKED_TIME_S = 5,
    PARKED_WHY_BYTES = 160,
};

enum parked_kind {
    PARKED_GENERATOR, PARKED_TASK, PARKED_STACKFUL, PARKED_GREENLET, PARKED_THREAD, PARKED_KINDS
};

extern const char *const parked_names[PARKED_KINDS];

/* What so many have taken together. */
struct parked {
    int64_t made;            /* as many as were asked for, or there is a reason */
    int64_t resident_bytes;  /* anonymous */
    int64_t tables_bytes;    /* page tables */
    int64_t maps;            /* of address space: the kernel's limit is on these, too */
    int64_t stacks_bytes;    /* of the kernel, on the whole machine; -1: it does not say */
    char why[PARKED_WHY_BYTES]; /* "" */
};

/* The caller is attached, and waits detached. 0, or -1 with an exception pending: no process. */
int parked_measure(enum parked_kind kind, int64_t count, struct parked *p);

/* Prints a line for each count of each kind, 1, 10 and so on up to `most`. 0 or -1. */
int parked_tell(int64_t most);

#endif
