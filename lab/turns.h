/* turns.h - what a watched lock gave each thread: gil/stats.h as numbers for readers. */
#ifndef LAB_TURNS_H
#define LAB_TURNS_H

#include "gil/stats.h"

#include <stdbool.h>
#include <stdint.h>

/* The numbers, in the order in which they are written and read everywhere. */
enum turn_number {
    TURNS_HELD_NS, /* of the window; so with the two that follow */
    TURNS_WAITING_NS,
    TURNS_FREE_NS,
    TURNS_FORCED, /* as struct gil_stats, what follows too */
    TURNS_IN_VAIN,
    TURNS_VOLUNTARY,
    TURNS_REQUESTS,
    TURNS_WAITS,  /* how many are in the histogram of which the last five are */
    TURNS_P50_NS, /* from here on 0 where there was no wait */
    TURNS_P90_NS,
    TURNS_P99_NS,
    TURNS_P999_NS,
    TURNS_MAX_NS,
    TURNS_NUMBERS
};

/* "held_ns", ...: of columns and keys. */
extern const char *const turns_names[TURNS_NUMBERS];

struct turns {
    uint64_t number[TURNS_NUMBERS];
};

void turns_of(const struct gil_stats *stats, struct turns *turns);

/* Whether this number is not known, as there was no wait. */
bool turns_lacks(const struct turns *turns, enum turn_number number);

#endif
