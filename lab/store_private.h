/* store_private.h - what the files of the store share, and nobody else should. */
#ifndef LAB_STORE_PRIVATE_H
#define LAB_STORE_PRIVATE_H

#include "lab/machine.h"
#include "lab/store.h"

struct store {
    sqlite3 *database;
    const char *path;  /* interned; as the user wrote it */
    const char *file;  /* interned; the same as SQLite must get it */
    int lock;          /* descriptor that holds the writer's lock; -1: none */
    bool writes;
    int64_t schema;    /* set once: the number of the file's */
    int64_t steps_left; /* before what is being read is given up */
    sqlite3_stmt *window, *sample, *hot, *turns, *tidy, *all; /* made when first needed */
};

/* Columns of a cell, as they are written and read. */
enum { CELL_COLUMN_COUNT = 21 };
#define OLD_CELL_COLUMNS                                                                      \
    "workload, mode, policy, gil, heap, build, about, kind, unit, shares, "                   \
    "threads, control, counted, workers, base, safe, miscounts, refusal"
#define CELL_COLUMNS OLD_CELL_COLUMNS ", execution_unit, units, carriers"

/* -1, and a mistake of what SQLite said last. */
int store_fail(const struct store *s, struct mistake *m);

/* Statements without a result. 0, or -1 and a mistake. */
int store_execute(struct store *s, const char *sql, struct mistake *m);

/* To be finalized; NULL and a mistake. */
sqlite3_stmt *store_prepare(struct store *s, const char *sql, struct mistake *m);

/* Steps once, for the effect, and finalizes. 0, or -1 and a mistake. */
int store_finish(struct store *s, sqlite3_stmt *statement, struct mistake *m);

/* The number that `PRAGMA name` gives; -1 if it fails. */
int64_t store_pragma(struct store *s, const char *name);

/* This machine, looked at once; NULL and a mistake. */
const struct machine *store_machine(struct mistake *m);

/* The hash of this program; "" if it is not known. */
const char *store_build(void);

#endif
