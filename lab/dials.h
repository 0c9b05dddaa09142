/* dials.h - the factors of a matrix, and the levels that each takes.
 *
 * A matrix is the product of its dials. On a command line a dial is an option, in a
 * matrix file a key; both give its levels in the words of lab/parse.h.
 */
#ifndef LAB_DIALS_H
#define LAB_DIALS_H

#include "lab/parse.h"

#include <stddef.h>

enum { THREADS_MOST = 1024, UNITS_MOST = 100000, BUILDS_MAX = 16 };

struct dials {
    struct variants workload, unit, heap, gil, policy;
    struct modes mode;
    struct numbers units, threads; /* units: of those that are not threads */
    int builds;
    char build[BUILDS_MAX][LABEL_MAX]; /* paths of labs; "" or "self" is this one */
};

/* Sets the dial of this letter, as in experiment_options. 0; -1 and a mistake; 1: there is no
 * such dial. */
int dials_take(struct dials *dials, int letter, const char *levels, struct mistake *m);

/* Crosses --policy with --gil into modes; what was not set gets the levels of the
 * comparison that everybody wants to see first. 0, or -1 and a mistake. */
int dials_complete(struct dials *dials, struct mistake *m);

/* How many levels of `units` the k-th unit takes: one, if its workers are threads. */
int dials_units_of(const struct dials *dials, int unit);

/* The size of the product. */
size_t dials_count(const struct dials *dials);

#endif
