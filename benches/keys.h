/* keys.h - the keys that our dict and its peers are given: the same ones, in one order. */
#ifndef BENCHES_KEYS_H
#define BENCHES_KEYS_H

#include <inttypes.h>
#include <stdint.h>
#include <stdio.h>

enum { KEYS = 1024, KEY_BYTES = 32 }; /* a power of two */

/* Spread over 63 bits: counting up would flatter a table that takes its slot from the low
 * ones. (The multiplier is 2^64 over the golden ratio.) */
static inline int64_t key_int(int i)
{
    return (int64_t)(((uint64_t)i + 1) * 0x9E3779B97F4A7C15u >> 1);
}

static inline void key_text(int i, char text[KEY_BYTES])
{
    snprintf(text, KEY_BYTES, "key %" PRIx64, (uint64_t)key_int(i) >> 20);
}

#endif
