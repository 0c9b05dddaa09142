/* waiting.h - cells that differ in how much of an operation waits, as points to compare.
 *
 * They are those of the workload cpu_fraction. A point has a share of waiting and a count of
 * operations that are under way at once, whatever carries them: threads, or so many greenlets.
 * Points of one *line* differ in these two alone.
 *
 * Two points are compared block by block. A ratio is *less* if the whole of its interval lies
 * beyond a margin below 1, *not less* if none of it does; else it cannot be told. The margin is
 * the noise floor, and at least 5 %, which nobody who chooses a unit asks about.
 */
#ifndef LAB_WAITING_H
#define LAB_WAITING_H

#include "lab/judgement.h"
#include "lab/results.h"

struct point {
    const struct outcome *outcome;
    int waits_percent, operation_us;
    int parallel; /* workers: units, or threads if they are these */
};

struct waiting {
    size_t count;
    struct point *point; /* owned; by line, then parallel, then share */
};

/* Of the cells that are no controls and have something measured. 0; -1: no memory. */
int waiting_init(struct waiting *w, const struct results *r);
void waiting_free(struct waiting *w);

/* The threads that carry a point's units; 0: its workers are threads. */
int point_carriers(const struct point *p);

/* Below 0: in another line, or before it. Then by parallel and share. */
int by_line(const struct point *a, const struct point *b);

/* The point with the other's numbers but of this mode and unit, on this heap; NULL. If the unit
 * is no thread, on so many carriers. */
const struct point *waiting_find(const struct waiting *w, const struct point *like,
                                 const char *mode, const char *unit, int carriers);

/* What is compared: of a window; negative: not known. */
typedef double quantity(const struct measurement *m);
double rate_of_window(const struct measurement *m);
double cpu_per_operation(const struct measurement *m); /* seconds of processor time */

/* By block, ROUNDS_MAX of them; negative where it was not measured. How many there may be. */
size_t blocks_of(const struct outcome *o, quantity *of, double *values);

struct estimate ratio_of(const struct outcome *a, const struct outcome *b,
                         quantity *of); /* a to b */

enum standing { CANNOT_TELL, LESS, NOT_LESS };

enum standing standing_of(const struct estimate *ratio, double margin);

extern const double least_margin; /* 0.05 */

/* least_margin or more; negative, and why, if the noise floor allows no comparison. */
double waiting_margin(const struct results *r, char *why, size_t size_bytes);

/* "1.02 (0.99 to 1.05)" */
const char *ratio_words(const struct estimate *ratio, char *text, size_t size_bytes);

/* "thread", "loops on 2 threads", "process of 2" */
const char *line_words(const struct point *p, char *text, size_t size_bytes);

#endif
