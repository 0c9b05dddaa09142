/* random.h - a small generator of random numbers that repeats itself from its seed.
 *
 * For shuffled plans and for resampling, where a stored seed must give the same numbers on
 * every machine, which rand() does not promise. No secret may rest on it. It is SplitMix64
 * (G. Steele, D. Lea, C. Flood: Fast Splittable Pseudorandom Number Generators, OOPSLA
 * 2014): its state is one word, any seed is as good as another, and 0 is one, too. */
#ifndef LAB_RANDOM_H
#define LAB_RANDOM_H

#include <stdint.h>

/* 64 random bits. Put the seed into `*state` first. */
static inline uint64_t random_next(uint64_t *state)
{
    uint64_t bits = *state += 0x9e3779b97f4a7c15;

    bits = (bits ^ bits >> 30) * 0xbf58476d1ce4e5b9;
    bits = (bits ^ bits >> 27) * 0x94d049bb133111eb;
    return bits ^ bits >> 31;
}

/* Each of 0 .. n-1 with the same chance; n > 0. The high word of a product instead of a
 * remainder, and a redraw where some values would get one chance more than others (D. Lemire:
 * Fast Random Integer Generation in an Interval, TOMACS 2019). */
static inline uint64_t random_below(uint64_t *state, uint64_t n)
{
    __extension__ typedef unsigned __int128 wide;
    wide product = (wide)random_next(state) * n;

    if ((uint64_t)product < n)
        while ((uint64_t)product < -n % n)
            product = (wide)random_next(state) * n;
    return (uint64_t)(product >> 64);
}

/* Uniform in the open interval 0 .. 1, so that its logarithm is finite. */
static inline double random_unit(uint64_t *state)
{
    return ((double)(random_next(state) >> 11) + 0.5) * 0x1p-53;
}

#endif
