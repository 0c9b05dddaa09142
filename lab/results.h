/* results.h - all that a run has measured so far, cell by cell. */
#ifndef LAB_RESULTS_H
#define LAB_RESULTS_H

#include "lab/cell.h"
#include "lab/measurement.h"
#include "lab/statistics.h"

#include <stdio.h>

struct outcome {
    struct cell cell;
    int rounds, room;          /* how many of `round` are filled, and could be */
    struct measurement *round; /* owned; round[k] is of block k + 1 */
    struct measurement *audit; /* owned; of a cell that miscounts; NULL: there is none yet */
    struct measurement *stats; /* owned; of the build that counts; likewise */
};

struct results {
    int cores;   /* that the run might use */
    double precision; /* share of a median that its interval was to be within; 0: none */
    size_t count;
    struct outcome *outcome; /* owned */
    const struct outcome **index; /* owned: by cell, for results_find */
};

/* Copies the cells, with nothing measured; -1 and errno. */
int results_init(struct results *r, const struct cell *cell, size_t count, int cores,
                 double precision);
void results_free(struct results *r);

/* After a cell was changed: makes results_find find it. */
void results_index(struct results *r);

/* Where the next window of this kind goes: empty, and counted as filled. NULL and errno. */
struct measurement *outcome_window(struct outcome *o, enum window_kind kind);

/* True if the two are to be compared: of the same workload and units, on the same heap, of one
 * build. */
bool comparable(const struct cell *a, const struct cell *b);

/* What "of nolock" compares with: plain counts and no lock, at the base; or NULL. */
const struct outcome *results_nolock(const struct results *r, const struct cell *like);

/* The outcome that is comparable and has this mode's label and thread count, or NULL. */
const struct outcome *results_find(const struct results *r, const struct cell *like,
                                   const char *mode, int threads);

/* Whether another machine than the one that measured was planned for. */
bool results_simulated(const struct results *r);

/* The outcomes that differ from `like`, one of them, in their threads alone: by threads. */
const struct outcome *const *results_series(const struct results *r, const struct cell *like,
                                            size_t *count);

/* True if the window gave a rate that counts: ok, or ended early. */
bool measured(const struct measurement *m);

/* The round beside which the cell's objects were counted; NULL: they were not. */
const struct measurement *outcome_counted(const struct outcome *o);

/* The round in which most of what had been handed over was held back; NULL: nobody looked. */
const struct measurement *outcome_held_back(const struct outcome *o);

/* Of all rounds: how many collections and how long in all, the medians of the rounds' p50 and
 * p99, and the longest pause of any. False: nobody looked. */
bool outcome_collections(const struct outcome *o, struct collections *c);

/* What it costs to wait, of all rounds: medians over them; count 0 where it is not known, or there
 * is none of it. */
struct waits {
    struct estimate p50_ns, p90_ns, p99_ns, p999_ns; /* of all workers of the first role together */
    uint64_t max_ns;                                 /* of any round; 0: not recorded */
    struct estimate cpu_ns, voluntary_switches, involuntary_switches; /* for each operation: of all
                                                                         threads */
    int64_t connections;              /* 0: it is not about them */
    struct estimate connection_bytes; /* resident memory that came with them, for each */
    double heap_bytes; /* the most that the heap took, for each; -1: it was not counted */
};

/* False: nobody looked. */
bool outcome_waits(const struct outcome *o, struct waits *w);

struct estimate outcome_rate(const struct outcome *o);

/* The ratio of two outcomes' rates, paired by round; count 0 if one has none. */
struct estimate outcome_ratio(const struct outcome *o, const struct outcome *base);

/* Whether there are several of the first role whose shares are known: workers, or threads that
 * carry them. */
bool tells_fairness(const struct outcome *o);
struct estimate outcome_fairness(const struct outcome *o);
struct estimate outcome_p50_ns(const struct outcome *o);

/* The table, a group of rows for each workload. */
void table_print(const struct results *r, FILE *out);

/* What was found, in sentences: only those that the measured cells support. */
void answer_print(const struct results *r, FILE *out);

/* The same, a line each. */
void answer_sentences(const struct results *r, FILE *out);

/* "12.3 M", in at most 7 columns. */
const char *human_rate(double rate, char *text, size_t size_bytes);

/* "5.1 ms" */
const char *human_ns(double ns, char *text, size_t size_bytes);

/* "2.0 KiB" */
const char *human_bytes(double bytes, char *text, size_t size_bytes);

#endif
