/* draws.h - samples to try statistics on, and how often something may happen by chance. */
#ifndef LAB_TESTS_DRAWS_H
#define LAB_TESTS_DRAWS_H

#include "lab/random.h"

#include <math.h>
#include <stddef.h>

enum shape { NORMAL, LOGNORMAL, EXPONENTIAL, UNIFORM, TWO_HEAPS, SHAPES };

static inline double draw_normal(uint64_t *random)
{
    double radius = sqrt(-2 * log(random_unit(random)));

    return radius * cos(2 * 3.14159265358979323846 * random_unit(random));
}

/* All have their median at shape_median. */
static inline double draw(enum shape shape, uint64_t *random)
{
    switch (shape) {
    case NORMAL:
        return 10 + draw_normal(random);
    case LOGNORMAL:
        return exp(0.5 * draw_normal(random));
    case EXPONENTIAL:
        return -log(random_unit(random));
    case UNIFORM:
        return 1 + random_unit(random);
    default:
        return 10 + (random_below(random, 2) ? 3 : -3) + 0.5 * draw_normal(random);
    }
}

static inline double shape_median(enum shape shape)
{
    static const double medians[SHAPES] = { 10, 1, 0.69314718055994530942, 1.5, 10 };

    return medians[shape];
}

static inline void draw_all(enum shape shape, double *values, size_t count, uint64_t *random)
{
    for (size_t i = 0; i < count; i++)
        values[i] = draw(shape, random);
}

/* Four standard deviations above the share of `trials` that have a chance of `p` each: with a
 * fixed seed this is no gamble, but tells what a seed could do. */
static inline double share_at_most(double p, int trials)
{
    return p + 4 * sqrt(p * (1 - p) / trials);
}

#endif
