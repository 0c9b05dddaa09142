/* statistics.h - medians with intervals that hold for any distribution.
 *
 * What is measured here is skewed, often in two heaps, and there are five to fifty samples
 * of it; so there are medians and ranks, and no formula that wants a normal distribution.
 * Nothing is ever dropped as an outlier: a window that a neighbour disturbed happened, too.
 * All functions depend on their arguments alone. Where memory is short, what is returned has
 * a count of 0, as if there were no samples.
 *
 * Elsewhere: comparison.h says whether two sets of samples differ, stability.h whether one
 * set can be believed, scaling.h how it depends on the number of threads. */
#ifndef LAB_STATISTICS_H
#define LAB_STATISTICS_H

#include <stddef.h>

struct estimate {
    size_t count; /* of samples; 0: there is nothing to say */
    double median, low, high;
    double confidence; /* with which the true median lies in low..high */
};

/* The median and its bootstrap interval: what lies between the tails (below) of the medians
 * that samples drawn again from these would have. The distribution of those medians is
 * computed, not drawn (B. Efron, Bootstrap Methods, Annals of Statistics 1979, section 3), so
 * that equal samples give equal intervals. With fewer than six samples nothing covers 95 %:
 * then it is the whole range, with its coverage of 1 - 2^(1-n). Sorts `values`.
 * docs/decisions/11-bootstrap.md has the coverage of this and of its rivals. */
struct estimate estimate_median(double *values, size_t count);

/* The same of a[i] / b[i], for pairs that were measured in the same round. Left out are
 * pairs of which one was not measured (it is negative), and ratios to 0. */
struct estimate estimate_ratio(const double *a, const double *b, size_t count);

/* The share of resampled values to leave out on each side of a 95 % interval, if the smallest
 * sample has `count` values, at least 2. It is less than 2.5 %, as the plain percentile
 * interval is too narrow where samples are few (T. Hesterberg, What Teachers Should Know About
 * the Bootstrap, The American Statistician 2015, section 5.3: expanded percentiles). */
double bootstrap_tail(size_t count);

/* Ascending. */
void sort_values(double *values, size_t count);
double median_of_sorted(const double *values, size_t count);

/* The chance that of `n` trials, each of chance `p` (0 .. 1), at most `k` succeed. */
double binomial_at_most(size_t k, size_t n, double p);

/* The chance that a standard normal value exceeds `z`. */
double normal_above(double z);

#endif
