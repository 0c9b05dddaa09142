/* merge.h - uniting results files, perhaps of several machines.
 *
 * The numbers of runs, cells and windows are each file's own; what is the same in all is
 * the key of a machine, the uuid of a run, and within a run the number of a cell and the
 * block of a window. So a run may be in two files as it was at two moments: the windows that
 * are missing are added, those that both have must be the same.
 */
#ifndef LAB_MERGE_H
#define LAB_MERGE_H

#include "lab/store.h"

#include <stdio.h>

struct merge;

/* Opens what is merged into, made if it is not there. NULL and a mistake. */
struct merge *merge_begin(const char *path, struct mistake *m);

/* Adds what the file has and the result has not, a line for each run to `report`. 0; or -1 and
 * a mistake: it cannot be read, or contradicts the result. */
int merge_add(struct merge *merge, const char *path, FILE *report, struct mistake *m);

/* All that was added is there now, at once; the rest of the report. 0, or -1 and a mistake. */
int merge_finish(struct merge *merge, FILE *report, struct mistake *m);

/* Without merge_finish before it: the result is as it was, or not there. */
void merge_end(struct merge *merge);

#endif
