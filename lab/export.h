/* export.h - results in the formats of other programs.
 *
 * A file in export/ is a format: `const struct export_format export_<file name>`; the name
 * is what `lab export --format` takes. A results file may hold a million samples, so a
 * format writes as it reads and holds no more than one cell.
 */
#ifndef LAB_EXPORT_H
#define LAB_EXPORT_H

#include "lab/mistake.h"

#include <jansson.h>
#include <sqlite3.h>
#include <stdbool.h>
#include <stdio.h>

struct export_format {
    const char *about; /* a line for `lab export` */
    bool many;         /* keeps runs apart; if not, it is given one */

    /* Writes the run of this number; 0: all. 0, or -1 and a mistake. What cannot be
     * written is for ferror(out) to tell. */
    int (*write)(FILE *out, sqlite3 *db, long long run, struct mistake *m);
};

struct named_export {
    const char *name;
    const struct export_format *format;
};

/* By name; a NULL name ends it. */
extern const struct named_export export_list[];
extern const struct export_format export_csv; /* the usual one */

/* For formats. */

struct exported_window {
    double rate, seconds, cpu_s; /* operations a second; of the window; of all workers */
};

/* A cell and its measured windows, in the order of their blocks. */
struct exported_cell {
    char *name;       /* see cell_benchmark */
    const char *unit; /* of what is counted, singular */
    int number;       /* of those that were exported, from 0 */
    int threads;
    size_t count;     /* of windows; never 0 */
    struct exported_window *window;
    double *rate;     /* the same rates again, for estimate_median to sort */
};

typedef void export_each(const struct exported_cell *cell, void *context);

/* Calls `each` for the cells of a run that have been measured. Left out are the
 * control cells: they have one name. 0, or -1 and a mistake. */
int export_cells(sqlite3 *db, long long run, export_each *each, void *context, struct mistake *m);

/* With the run bound to ?1. NULL and a mistake. */
sqlite3_stmt *export_prepare(sqlite3 *db, long long run, const char *sql, struct mistake *m);

/* 1 if there is a row; 0 at the end; -1 and a mistake. */
int export_step(sqlite3_stmt *rows, struct mistake *m);

/* Writes it, and lets it go. NULL, as jansson answers to a number that is not finite or a text
 * that is not UTF-8, is null. */
void export_json(FILE *out, json_t *value);

#endif
