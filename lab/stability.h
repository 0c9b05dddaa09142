/* stability.h - can the samples of one cell be summed up by one median?
 *
 * Not if they went up or down while the run went on (a machine that warms up or slows
 * down), and not if they lie in two heaps (two placements, two clock rates): then the median is
 * of neither. Both are tests whose p is to be corrected where many cells are looked at
 * (comparison.h). */
#ifndef LAB_STABILITY_H
#define LAB_STABILITY_H

#include <stddef.h>

struct drift {
    double tau; /* Kendall's, of value against order: 1 always rose, -1 always fell */
    double p;   /* the chance of a tau as far from 0, if the order means nothing */
};

/* Of values in the order in which they were measured (H. Mann, Nonparametric Tests Against Trend,
 * 1945). Exact for up to fifty values without ties, otherwise by the normal distribution. With
 * fewer than four values p cannot be low. -1 and ENOMEM. */
int drift_over_order(const double *values, size_t count, struct drift *drift);

/* How far the values are from any distribution with one mode: the dip (J. and P. Hartigan, The Dip
 * Test of Unimodality, Annals of Statistics 1985), from 1 / (2 * count) to 1/4. `sorted` is
 * ascending, `count` at least 1. 0, as of no sample, if memory is short. */
double dip_of_sorted(const double *sorted, size_t count);

enum { DIP_MIN = 10 }; /* with fewer samples two heaps are seen where there is one cloud */

/* The chance of a dip as large if there is one mode. By formula: it is good to one in ten
 * thousand and beyond, as it must be where hundreds of cells are looked at, and where drawing would
 * take minutes. 1 if there are fewer than DIP_MIN values, or memory is short. For values that seldom
 * repeat, as rates are: a few numbers that all do are so many modes. Of ten values of two heaps far
 * apart it finds six times in ten, of normal ones it suspects 1 % (test_stability prints
 * both). Sorts `values`. */
double bimodality_p(double *values, size_t count);

#endif
