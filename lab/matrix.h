/* matrix.h - an experiment that is described in a file.
 *
 * docs/matrices.md is the language. A file holds named matrices:
 *
 *     quick:
 *       workload: [fib, echo]
 *       threads: [1, 2, 4]
 *     all_cores:
 *       extends: quick
 *       threads: 1..2*cores
 */
#ifndef LAB_MATRIX_H
#define LAB_MATRIX_H

#include "lab/experiment.h"

#include <stdio.h>

struct matrix;

/* Sets in the experiment what the matrix of this name says. NULL is the only matrix of the
 * file, or the one that is named as the file. The experiment then points into what is
 * returned: its name, its source (the whole file), what it excludes. So does what is returned
 * to `path`. NULL and a mistake, with line and column. After topology_load. */
struct matrix *matrix_read(const char *path, const char *name, struct experiment *e,
                           struct mistake *m);
void matrix_free(struct matrix *matrix); /* or NULL */

/* The same from a text, which `path` is the name of. */
struct matrix *matrix_parse(const char *text, size_t size_bytes, const char *path,
                            const char *name, struct experiment *e, struct mistake *m);

/* A line for each item of `exclude` that leaves nothing out: what has no effect is likely a
 * slip. Not of what is inherited. */
void matrix_warn(const struct matrix *matrix, const struct experiment *e, FILE *out);

#endif
