/* comparison.h - do two sets of samples differ, by how much, and how surely?
 *
 * Samples that were measured side by side, in the same block, are compared as pairs: what
 * disturbed a block disturbed both. Samples of two runs have no partner; they are compared
 * as two groups, which needs more of them for the same difference. Values are rates or
 * times: 0 or more. Both work on logarithms, so that to exchange a and b turns every ratio
 * over and leaves every p as it is. */
#ifndef LAB_COMPARISON_H
#define LAB_COMPARISON_H

#include "lab/statistics.h"

#include <stddef.h>

struct comparison {
    struct estimate ratio; /* of a to b; what its count counts is said below */
    double superiority;    /* the chance that a value of a is above one of b, ties being
                              half; Cliff's delta is twice that, less 1 */
    double p;              /* two-sided: the chance to see this much if there is no difference */
};

/* Of pairs a[i], b[i]; one that was not measured (negative) leaves its pair out. The ratio is
 * the median of theirs, its count that of the pairs; p is of the exact sign test, for which a
 * pair whose values are equal says nothing. */
struct comparison compare_pairs(const double *a, const double *b, size_t count);

/* Of two groups. The ratio is the one by which a group must be multiplied to lie where the
 * other does (J. Hodges, E. Lehmann: Estimates of Location Based on Rank Tests, 1963), its
 * interval all those that the test below would not reject at 5 % (L. Moses; M. Hollander, D. Wolfe,
 * Nonparametric Statistical Methods, 1999, section 4.3); where too few values could reject any,
 * the whole range, with its coverage. Its count is the size of the smaller group.
 * p is of the test of Mann and Whitney: exact if no values are equal and there
 * are few (at most 400 pairs of them), otherwise by the normal distribution, corrected for
 * ties and for continuity. */
struct comparison compare_groups(const double *a, size_t a_count, const double *b, size_t b_count);

/* Its p alone; 1 if memory is short. */
double mann_whitney_p(const double *a, size_t a_count, const double *b, size_t b_count);

/* For many comparisons at once, the p that each of them may be judged by alone. Holm's keep the
 * chance of even one false claim below the level at which they are judged (S. Holm, 1979);
 * those of Benjamini and Hochberg (1995) keep the share of false ones among all
 * claims below it. `p` and `adjusted` may be the same array. -1 and ENOMEM. */
int adjust_holm(const double *p, double *adjusted, size_t count);
int adjust_benjamini_hochberg(const double *p, double *adjusted, size_t count);

#endif
