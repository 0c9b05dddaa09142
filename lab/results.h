/* results.h - all that a run has measured so far, cell by cell. */
#ifndef LAB_RESULTS_H
#define LAB_RESULTS_H

#include "lab/cell.h"
#include "lab/measurement.h"
#include "lab/statistics.h"

#include <stdio.h>

enum { ROUNDS_MAX = 1000 };

struct outcome {
    struct cell cell;
    int rounds;                /* how many of `round` are filled */
    struct measurement *round; /* owned; room for results->rounds; in the order of time */
    struct measurement audit;  /* of unsafe cells; `audited` says whether it is filled */
    bool audited;
};

struct results {
    int rounds;  /* planned */
    int cores;   /* that this process may use */
    size_t count;
    struct outcome *outcome; /* owned */
};

/* Rooms for `count` cells of `rounds` rounds, all empty; -1 and errno. */
int results_init(struct results *r, size_t count, int rounds, int cores);
void results_free(struct results *r);

/* True if the two are to be compared: of the same workload, on the same heap. */
bool comparable(const struct cell *a, const struct cell *b);

/* The thread count with which others are compared: one; none where the threads are not
 * those that do what is counted, but their neighbours. */
int base_threads(const struct cell *cell);

/* What "of nolock" compares with: plain counts and no lock, with base_threads; or NULL. */
const struct outcome *results_nolock(const struct results *r, const struct cell *like);

/* The outcome that is comparable and has this mode's label and thread count, or NULL. */
const struct outcome *results_find(const struct results *r, const struct cell *like,
                                   const char *mode, int threads);

/* True if the window gave a rate that counts: ok, or ended early. */
bool measured(const struct measurement *m);

struct estimate outcome_rate(const struct outcome *o);

/* The ratio of two outcomes' rates, paired by round; count 0 if one has none. */
struct estimate outcome_ratio(const struct outcome *o, const struct outcome *base);

struct estimate outcome_fairness(const struct outcome *o);
struct estimate outcome_p50_ns(const struct outcome *o);

/* The table, a group of rows for each workload. */
void table_print(const struct results *r, FILE *out);

/* What was found, in sentences: only those that the measured cells support. */
void answer_print(const struct results *r, FILE *out);

/* "12.3 M", in at most 7 columns. */
const char *human_rate(double rate, char *text, size_t size_bytes);

/* "5.1 ms" */
const char *human_ns(double ns, char *text, size_t size_bytes);

#endif
