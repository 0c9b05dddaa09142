/* statistics.c - medians with intervals. */
#include "lab/statistics.h"

#include <math.h>
#include <stdlib.h>

static int by_value(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;

    return (x > y) - (x < y);
}

void sort_values(double *values, size_t count)
{
    if (count)
        qsort(values, count, sizeof *values, by_value);
}

double median_of_sorted(const double *values, size_t count)
{
    return count % 2 ? values[count / 2] : (values[count / 2 - 1] + values[count / 2]) / 2;
}

static double log_choose(double n, double k)
{
    return lgamma(n + 1) - lgamma(k + 1) - lgamma(n - k + 1);
}

/* From the k-th term downwards, where they only get smaller: no term is lost to underflow
 * that would count, however many trials. */
double binomial_at_most(size_t k, size_t n, double p)
{
    double term, sum = 0;

    if (k >= n || p <= 0)
        return 1;
    if (p >= 1)
        return 0;
    if ((double)k > (double)n * p)
        return 1 - binomial_at_most(n - k - 1, n, 1 - p);
    term = exp(log_choose((double)n, (double)k) + (double)k * log(p) + (double)(n - k) * log1p(-p));
    for (size_t i = k; term > sum * 1e-17; i--) {
        sum += term;
        term *= (double)i / (double)(n - i + 1) * (1 - p) / p;
    }
    return sum;
}

double normal_above(double z)
{
    return erfc(z / sqrt(2)) / 2;
}

/* The 97.5 % quantile of Student's t (Abramowitz and Stegun, 26.7.5), off by 0.1 % for five
 * degrees of freedom, by less for more. */
static double student_quantile(double freedom)
{
    double z = 1.959963984540054, z2 = z * z, f = 1 / freedom;

    return z * (1 + f * ((z2 + 1) / 4 + f * (((5 * z2 + 16) * z2 + 3) / 96 +
                                             f * ((((3 * z2 + 19) * z2 + 17) * z2 - 15) / 384))));
}

double bootstrap_tail(size_t count)
{
    double n = (double)count;

    return normal_above(sqrt(n / (n - 1)) * student_quantile(n - 1));
}

enum { PAIRS_MAX = 1000 }; /* in larger samples both middle values are as good as one */

/* Draws from a sorted sample, as many as it has values. The median of an even number of
 * draws lies between two of them. power[i] is the root of the chance that one half of the draws
 * is among the first i, or the last i, values, whichever half that is: power[i] * power[j]
 * is the chance that one half is among the first i and the other among the last j. */
struct resampling {
    const double *sorted;
    size_t count;
    double *power;
};

static void fill_powers(struct resampling *r)
{
    double half = (double)r->count / 2, ways = log_choose(2 * half, half) / 2;

    for (size_t i = 0; i <= r->count; i++)
        r->power[i] = i ? exp(ways + half * log((double)i / (double)r->count)) : 0;
}

/* The chance that the resampled median is at most `limit`. First, that the middle draw is, or
 * the lower one of two; then less the chance that only that one is. For each such value i
 * that it may be, the upper one must lie among the last: those whose mean with i is above. */
static double median_within(double limit, const struct resampling *r)
{
    const double *x = r->sorted;
    size_t n = r->count, within = 0, last = 0;
    double chance;

    while (within < n && x[within] <= limit)
        within++;
    chance = 1 - binomial_at_most((n + 1) / 2 - 1, n, (double)within / (double)n);
    for (size_t i = 0; r->power && i < within; i++) {
        while (x[i] / 2 + x[n - 1 - last] / 2 > limit)
            last++;
        chance -= (r->power[i + 1] - r->power[i]) * r->power[last];
    }
    return chance;
}
/* The lowest median that more than `tail` of the resamples do not exceed: by halving, so that
 * the possible ones, the means of any two values, need not be listed and sorted. */
static double resampled_median(double tail, const struct resampling *r)
{
    double low = r->sorted[0], high = r->sorted[r->count - 1], middle;

    if (median_within(low, r) > tail)
        return low;
    while ((middle = low / 2 + high / 2) > low && middle < high)
        if (median_within(middle, r) > tail)
            high = middle;
        else
            low = middle;
    return high;
}

static void mirror(double *values, size_t count)
{
    for (size_t i = 0, j = count - 1; i <= j && j < count; i++, j--) {
        double value = -values[i];

        values[i] = -values[j];
        values[j] = value;
    }
}

static int bootstrap(struct estimate *e, double *sorted, size_t count)
{
    struct resampling r = { .sorted = sorted, .count = count };
    double tail = bootstrap_tail(count);

    if (count % 2 == 0 && count <= PAIRS_MAX) {
        r.power = malloc((count + 1) * sizeof *r.power);
        if (!r.power)
            return -1;
        fill_powers(&r);
    }
    e->low = resampled_median(tail, &r);
    mirror(sorted, count);
    e->high = -resampled_median(tail, &r);
    mirror(sorted, count);
    e->confidence = 0.95;
    free(r.power);
    return 0;
}

enum { BOOTSTRAP_MIN = 6 }; /* with fewer samples not even the whole range covers 95 % */

struct estimate estimate_median(double *values, size_t count)
{
    struct estimate e = { .count = count };

    if (!count)
        return e;
    sort_values(values, count);
    e.median = median_of_sorted(values, count);
    e.low = values[0];
    e.high = values[count - 1];
    e.confidence = 1 - pow(0.5, (double)count - 1);
    if (count >= BOOTSTRAP_MIN && bootstrap(&e, values, count))
        e.count = 0;
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
