/* statistics.c - medians with intervals. */
#include "lab/statistics.h"

#include <math.h>
#include <stdlib.h>

static int by_value(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;

    return (x > y) - (x < y);
}

static double median_of_sorted(const double *values, size_t count)
{
    return count % 2 ? values[count / 2] : (values[count / 2 - 1] + values[count / 2]) / 2;
}

/* The chance that at most `k` of `n` fair coins show heads. */
static double binomial_below(size_t k, size_t n)
{
    double term = pow(0.5, (double)n), sum = 0;

    for (size_t i = 0; i <= k; i++) {
        sum += term;
        term *= (double)(n - i) / (double)(i + 1);
    }
    return sum;
}

struct estimate estimate_median(double *values, size_t count)
{
    struct estimate e = { .count = count };
    size_t cut = 0;

    if (!count)
        return e;
    qsort(values, count, sizeof *values, by_value);
    /* values[cut] and its mirror miss the median if at most `cut` samples lie on one side. */
    while (2 * (cut + 1) < count - 1 && 2 * binomial_below(cut + 1, count) <= 0.05)
        cut++;
    e.median = median_of_sorted(values, count);
    e.low = values[cut];
    e.high = values[count - 1 - cut];
    e.confidence = 1 - 2 * binomial_below(cut, count);
    return e;
}

struct estimate estimate_ratio(const double *a, const double *b, size_t count)
{
    double *ratios = malloc((count + 1) * sizeof *ratios);
    struct estimate e = { 0 };
    size_t kept = 0;

    if (!ratios)
        return e;
    for (size_t i = 0; i < count; i++)
        if (a[i] >= 0 && b[i] > 0)
            ratios[kept++] = a[i] / b[i];
    e = estimate_median(ratios, kept);
    free(ratios);
    return e;
}
