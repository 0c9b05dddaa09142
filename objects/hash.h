/* hash.h - from words and bytes to 64 bits of which each depends on all that went in.
 *
 * Both are keyed with secret numbers that are drawn anew for each process, so that nobody
 * can prepare keys that collide. LAB_HASH_SEED=N in the environment makes them follow from
 * N, for runs that must repeat.
 *
 * Bytes, which come from elsewhere, get SipHash-1-3: J.-P. Aumasson, D. J. Bernstein,
 * SipHash: a fast short-input PRF, INDOCRYPT 2012, with one round per word and three at the
 * end, as in CPython and Rust. A word gets two multiplications to 128 bits whose halves are
 * folded together, after Wang Yi's wyhash (2019): a quarter of the time, and weaker, for who
 * could watch many hashes might find the numbers. No hash is ever shown.
 */
#ifndef OBJECTS_HASH_H
#define OBJECTS_HASH_H

#include <stddef.h>
#include <stdint.h>

struct hash_key {
    uint64_t start, factor; /* of words; factor is odd */
    uint64_t bytes[2];      /* SipHash's key */
};

extern struct hash_key hash_key; /* set once, before main */

/* What has been hashed so far, and the next word. */
static inline uint64_t hash_step(uint64_t hash, uint64_t word)
{
    unsigned __int128 product = (unsigned __int128)(hash ^ word) * hash_key.factor;

    return (uint64_t)product ^ (uint64_t)(product >> 64);
}

/* A second step, since the first leaves the low bits of a small word's product to itself. */
static inline uint64_t hash_word(uint64_t word)
{
    return hash_step(hash_step(hash_key.start, word), hash_key.start);
}

uint64_t hash_bytes(const char *bytes, size_t length);

/* The same with another key: for tests against the published function. */
uint64_t siphash(const uint64_t key[2], const char *bytes, size_t length);

#endif
