/* store.h - the results file: an SQLite database, as lab/schema.sql says.
 *
 * A window is in it whole or not at all, from the moment it is over: a process that is
 * killed leaves a file that opens, with every finished window. While a run goes on,
 * others may read; one process writes, and holds a lock for as long as it has the file
 * open. A finished file is one file; a killed run leaves FILE-wal beside it, which belongs
 * to it, until somebody opens it again. (SQLite's write-ahead log, sqlite.org/wal.html.)
 *
 * All functions: 0, or -1 and a mistake that names the file.
 */
#ifndef LAB_STORE_H
#define LAB_STORE_H

#include "lab/measurement.h"
#include "lab/mistake.h"
#include "lab/plan.h"
#include "lab/results.h"

#include <sqlite3.h>

enum { SCHEMA_VERSION = 5, SCHEMA_OLDEST = 1 /* that can be read */ };

extern const char schema_sql[]; /* schema.sql, ended by a NUL */

enum store_access {
    STORE_READ,  /* the file is not changed, and must be there */
    STORE_WRITE  /* made if it is not there; ":memory:" is a store without a file */
};

struct store;

/* A run as the record describes it. Texts are interned; NULL where nothing is known. */
struct run {
    int64_t id;
    const char *uuid, *matrix, *machine, *host, *synthetic, *plan, *build, *started;
    const char *ended; /* NULL: not finished */
    int cores;
    size_t cells, windows; /* planned; finished, of timed ones */
    struct settings settings;
};

/* NULL and a mistake: no such file, no results file, one of a later schema, or one that
 * another process writes to. */
struct store *store_open(const char *path, enum store_access access, struct mistake *m);
void store_close(struct store *store);

/* For questions of one's own. The store's. */
sqlite3 *store_database(struct store *store);

/* The number of the file's schema. */
int64_t store_schema(const struct store *store);

/* Whether some process has the file open for writing. */
bool store_is_busy(const char *path);

/* Writes down a new run with its cells, of this machine, program and moment. */
int store_begin(struct store *store, const struct plan *plan, int64_t *run, struct mistake *m);

/* This process goes on with the run: its pid is the run's, and no other run's of the file. */
int store_resume(struct store *store, int64_t run, struct mistake *m);

/* Writes down a window of the cell that has this number in the plan. */
int store_window(struct store *store, int64_t run, size_t cell, const struct measurement *w,
                 struct mistake *m);

/* Rows of the view `tidy`, for csv.h: of the window of this number in the plan's cell; or, if
 * `sequence` is 0, of all that there is of the run: cells that are not run, and what was
 * measured. The store's until the next call; NULL and a mistake. */
sqlite3_stmt *store_tidy(struct store *store, int64_t run, size_t cell, int sequence,
                         struct mistake *m);

/* The run is finished; since now, if it was not before. */
int store_end(struct store *store, int64_t run, struct mistake *m);

/* The last run, or the one of this number or uuid (or the beginning of one). */
int store_find(struct store *store, const char *which, struct run *run, struct mistake *m);

/* The last run of this plan on this machine, by this program: 1; 0 if there is none. */
int store_find_plan(struct store *store, const struct plan *plan, struct run *run,
                    struct mistake *m);

/* All cells of a run with their windows; `r` is to be freed. */
int store_load(struct store *store, const struct run *run, struct results *r, struct mistake *m);

/* The windows of a run alone, into results whose cells are the plan's. The number of its last
 * window goes to `sequence`. */
int store_load_windows(struct store *store, const struct run *run, struct results *r,
                       int *sequence, struct mistake *m);

#endif
