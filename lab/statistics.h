/* statistics.h - medians with intervals that hold for any distribution. */
#ifndef LAB_STATISTICS_H
#define LAB_STATISTICS_H

#include <stddef.h>

struct estimate {
    size_t count;      /* of samples; 0: there is nothing to say */
    double median, low, high;
    double confidence; /* with which the true median lies in low..high */
};

/* The median, and the narrowest symmetric pair of order statistics that covers the true
 * median with at least 95 %; with fewer than six samples the whole range, whose
 * coverage 1 - 2^(1-n) is less. (The sign test's interval: W. Conover, Practical
 * Nonparametric Statistics, 3.2.) Sorts `values`. */
struct estimate estimate_median(double *values, size_t count);

/* The same of a[i] / b[i], for pairs that were measured in the same round. Left out are
 * pairs of which one was not measured (it is negative), and ratios to 0. */
struct estimate estimate_ratio(const double *a, const double *b, size_t count);

#endif
