/* hash.h - from bytes to 64 bits of which each depends on all that went in.
 *
 * The step is a multiplication to 128 bits whose halves are folded together: one
 * instruction and an exclusive or, after Wang Yi, "Modern Non-Cryptographic Hash
 * Function and Pseudorandom Number Generator" (wyhash, 2019). It has no secret: who
 * knows it can make keys that collide.
 */
#ifndef OBJECTS_HASH_H
#define OBJECTS_HASH_H

#include <stddef.h>
#include <stdint.h>
#include <string.h>

/* The fractional parts of the golden ratio and of the square root of 2, made odd. */
static const uint64_t hash_start = 0x9E3779B97F4A7C15u, hash_factor = 0x6A09E667F3BCC909u;

/* What has been hashed so far, and the next word. */
static inline uint64_t hash_step(uint64_t hash, uint64_t word)
{
    unsigned __int128 product = (unsigned __int128)(hash ^ word) * hash_factor;

    return (uint64_t)product ^ (uint64_t)(product >> 64);
}

/* A second step, since the first leaves the low bits of a small word's product to itself. */
static inline uint64_t hash_word(uint64_t word)
{
    return hash_step(hash_step(hash_start, word), hash_start);
}

/* The length goes in first, so that zero bytes at the end count. */
static inline uint64_t hash_bytes(const char *bytes, size_t length)
{
    uint64_t hash = hash_step(hash_start, length), word;

    for (; length >= sizeof word; bytes += sizeof word, length -= sizeof word) {
        memcpy(&word, bytes, sizeof word);
        hash = hash_step(hash, word);
    }
    word = 0;
    memcpy(&word, bytes, length);
    return hash_step(hash_step(hash, word), hash_start);
}

#endif
