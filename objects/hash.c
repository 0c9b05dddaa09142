/* hash.c - the secret numbers, and SipHash-1-3. */
#include "objects/hash.h"

#include <stdlib.h>
#include <string.h>
#include <sys/random.h>

struct hash_key hash_key;

/* SplitMix64; G. Steele, D. Lea, C. Flood, Fast splittable pseudorandom number generators,
 * OOPSLA 2014. */
static uint64_t next_number(uint64_t *state)
{
    uint64_t x = *state += 0x9E3779B97F4A7C15u;

    x = (x ^ x >> 30) * 0xBF58476D1CE4E5B9u;
    x = (x ^ x >> 27) * 0x94D049BB133111EBu;
    return x ^ x >> 31;
}

static void draw_from(uint64_t seed)
{
    hash_key.start = next_number(&seed);
    hash_key.factor = next_number(&seed);
    hash_key.bytes[0] = next_number(&seed);
    hash_key.bytes[1] = next_number(&seed);
}

/* Before main, since an object may be hashed on any thread. If the kernel has no random
 * numbers yet, the place where it loaded the program must do. */
static __attribute__((constructor)) void draw(void)
{
    const char *seed = getenv("LAB_HASH_SEED");

    if (seed)
        draw_from(strtoull(seed, NULL, 10));
    else if (getrandom(&hash_key, sizeof hash_key, GRND_NONBLOCK) != (ssize_t)sizeof hash_key)
        draw_from((uintptr_t)&hash_key);
    hash_key.factor |= 1;
}

static uint64_t rotate(uint64_t word, int bits)
{
    return word << bits | word >> (64 - bits);
}

static inline void sip_round(uint64_t v[4])
{
    v[0] += v[1];
    v[2] += v[3];
    v[1] = rotate(v[1], 13) ^ v[0];
    v[3] = rotate(v[3], 16) ^ v[2];
    v[0] = rotate(v[0], 32);
    v[2] += v[1];
    v[0] += v[3];
    v[1] = rotate(v[1], 17) ^ v[2];
    v[3] = rotate(v[3], 21) ^ v[0];
    v[2] = rotate(v[2], 32);
}

static inline void sip_word(uint64_t v[4], uint64_t word)
{
    v[3] ^= word;
    sip_round(v);
    v[0] ^= word;
}

uint64_t siphash(const uint64_t key[2], const char *bytes, size_t length)
{
    uint64_t v[4] = { key[0] ^ 0x736F6D6570736575u, key[1] ^ 0x646F72616E646F6Du,
                      key[0] ^ 0x6C7967656E657261u, key[1] ^ 0x7465646279746573u };
    uint64_t word, last = (uint64_t)length << 56;

    for (; length >= sizeof word; bytes += sizeof word, length -= sizeof word) {
        memcpy(&word, bytes, sizeof word);
        sip_word(v, word);
    }
    word = 0;
    memcpy(&word, bytes, length);
    sip_word(v, last | word);
    v[2] ^= 0xFF;
    for (int i = 0; i < 3; i++)
        sip_round(v);
    return v[0] ^ v[1] ^ v[2] ^ v[3];
}

uint64_t hash_bytes(const char *bytes, size_t length)
{
    return siphash(hash_key.bytes, bytes, length);
}
