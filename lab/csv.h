/* csv.h - tidy CSV: every sample, a row for each worker and window.
 *
 * A header line, comma, '.' decimals whatever the locale, quotes only where a field
 * needs them. A window that gave nothing is one row without worker, ops and seconds.
 * Every line is written at once: a run that is killed leaves whole lines.
 */
#ifndef LAB_CSV_H
#define LAB_CSV_H

#include "lab/cell.h"
#include "lab/measurement.h"

#include <stdio.h>

/* The first thing that is written to `out`. */
void csv_write_head(FILE *out);
void csv_write(FILE *out, const struct cell *cell, const struct measurement *m, int cores);

#endif
