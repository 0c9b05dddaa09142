/* advice.h - which unit and mode to choose for operations that compute so long and wait so long.
 *
 * From what was measured of cpu_fraction on this machine (lab/waiting.h). A *choice* is a unit, a
 * mode that is safe, and a number of threads that carry it. What it would do at the point that was
 * asked for is interpolated, block by block, between its measured neighbours, and never beyond
 * them:
 *
 *     over the share of waiting, the time that the program takes for an operation, linearly: it is
 *         a straight line while workers wait for nobody, and another when the cores are full
 *     over how many run in parallel, its logarithm, by the logarithm of the count
 *     over the length of an operation, in proportion, from a quarter of what was measured to four
 *         times that
 *
 * Modes that count otherwise compute more slowly or faster; cpu_fraction's operations take the
 * same time under each, and not the same work. So a mode's time is longer by what the workload
 * countdown, one thread alone, says of it: without that only the counting of `gil` is advised.
 *
 * The best is told only if no other could be better by more than the margin; among those that are
 * as good, the one that takes least processor time.
 */
#ifndef LAB_ADVICE_H
#define LAB_ADVICE_H

#include "lab/waiting.h"

enum { CHOICES_MAX = 128, ADVICE_BYTES = 1000 };

struct demand {
    double cpu_us, wait_us; /* of an operation */
    int parallel;
};

/* What a choice came to. */
enum fate {
    FATE_BEATEN,  /* it does less */
    FATE_WORSE,   /* it may do less, and no more */
    FATE_AS_GOOD, /* it does as much */
    FATE_RIVAL,   /* it may do more: this hides the answer */
};

extern const char *const fate_names[];

struct choice {
    const struct point *point; /* one of its line */
    double price;              /* of its counting: times the time of plain counts */
    double share;              /* of waiting, of its operations */
    double *rate, *cpu;        /* owned; by block; operations a second; seconds for each */
    struct estimate rate_is, cpu_is;
    struct estimate of_best, cpu_of_best; /* of the best one's rate; of the chosen one's time */
    enum fate fate;
};

struct advice {
    struct demand demand;
    double margin;
    struct point *points; /* owned; where choices point to */
    size_t blocks;
    int count;
    struct choice choice[CHOICES_MAX]; /* the best first */
    int chosen;                        /* its index; -1: it cannot be told */
    int operation_us;                  /* that was measured */
    char why[ADVICE_BYTES];            /* it cannot be told; or how sure the choice is */
    char notes[ADVICE_BYTES];          /* what else to know; "" */
    char command[2 * ADVICE_BYTES];    /* that would settle it; "" */
};

/* 0; -1: no memory. */
int advise(const struct results *r, const struct demand *demand, struct advice *a);
void advice_free(struct advice *a);

#endif
