/* judgement.h - what may be believed of a run, and what may be claimed from it.
 *
 * Three things stand between a difference of two medians and a claim: its interval, its p value
 * corrected for all the comparisons made with it, and the noise floor: what this machine, in
 * this run, made of two cells that are one and the same.
 */
#ifndef LAB_JUDGEMENT_H
#define LAB_JUDGEMENT_H

#include "lab/comparison.h"
#include "lab/results.h"
#include "lab/scaling.h"

enum { WARNINGS_MAX = 10, WARNING_BYTES = 160 };

/* A difference by less than `share` is none: by so much the median ratio of the control's twins
 * may be off 1, with `confidence`. Of no pairs (there were no twins, or one window of each) it
 * is 0. */
struct floor {
    size_t pairs; /* between runs: windows of the control in the run that has fewer */
    double share, confidence;
};

struct floor judge_floor(const struct results *r);

/* The same of two runs: by so much the control may have changed from one to the other. None
 * if it was another one: on another heap, with more threads. */
struct floor judge_floor_between(const struct results *a, const struct results *b);

/* What a reader of a cell's row must know before believing it, each in a few words. */
struct warnings {
    int count;
    char text[WARNINGS_MAX][WARNING_BYTES];
};

/* Of an outcome of `r`. Drift and two heaps are suspected by chance in one table of twenty, however
 * many rows it has. */
void judge_warnings(const struct results *r, const struct outcome *o, struct warnings *w);

enum claim {
    CLAIM_FASTER, CLAIM_SLOWER, /* beyond interval, p and floor */
    CLAIM_NONE,                 /* no difference shown */
    CLAIM_BELOW_FLOOR,          /* there is one, but no larger than between equals */
    CLAIM_CANNOT_TELL           /* too few windows to show any, or to know the floor */
};

/* "faster", "below the noise floor" */
const char *claim_name(enum claim claim);

struct verdict {
    const struct outcome *a, *b;  /* b is judged against a */
    struct comparison comparison; /* of b to a; its p is corrected. Of a ratio of count 0, as
                                     of cells that gave nothing, nothing is to be told */
    enum claim claim;
};

/* Judges `count` verdicts whose a and b are set: paired by block within a run, else as groups.
 * Corrects by Holm's method. -1 and errno. */
int judge(struct verdict *verdict, size_t count, bool paired, const struct floor *floor);

/* Fewest windows of each cell with which one of so many comparisons could be claimed. */
size_t judge_windows_needed(size_t comparisons, bool paired);

/* The serial share that explains a speed-up (Karp and Flatt). NAN where there is no such share:
 * at one thread, where the workers do not fit on the cores, where they are only neighbours. */
double judge_serial_share(const struct results *r, const struct cell *cell,
                          struct estimate speed_up);

/* How the rate of cells like this one, but for the threads, depends on the threads, as far as
 * all workers have a core each. False, and its refusal, if there is no fit. */
bool judge_scaling(const struct results *r, const struct cell *like, struct scaling *scaling);

#endif
