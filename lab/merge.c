/* merge.c - uniting results files. */
#include "lab/merge.h"

#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

/* Each but the first belongs to a row of the one before it; the last two to a window, too. */
enum table { MACHINES, RUNS, CELLS, WINDOWS, SAMPLES, CONTENDED, TURNS, TABLES };

/* With the number of its samples: a window that has one more is another. */
#define WINDOWS_SQL_WITH(later)                                                                    \
    "SELECT *, " later "(SELECT count(*) FROM samples s WHERE s.window = w.window) FROM windows w "
#define WINDOWS_SQL WINDOWS_SQL_WITH("")
#define WINDOWS_OF_CELL "WHERE cell = ?1 ORDER BY sequence"

/* How the rows are read from a source, and how a row of a source is found in the result: by
 * what is the same in every file. There ?2 is its second column, and so on. */
static const struct {
    const char *name, *select, *find;
    int parent;         /* the column that holds the number of what a row belongs to; or -1 */
    const char *varies; /* columns in which two files may differ: the result keeps its own */
} tables[TABLES] = {
    [MACHINES] = { "machines", "SELECT * FROM machines WHERE machine = ?1",
                   "SELECT * FROM machines WHERE key = ?2", -1, " host synthetic hwloc_xml " },
    [RUNS] = { "runs", "SELECT * FROM runs ORDER BY run", "SELECT * FROM runs WHERE uuid = ?2", 2,
               " ended pid " },
    [CELLS] = { "cells", "SELECT * FROM cells WHERE run = ?1 ORDER BY number",
                "SELECT * FROM cells WHERE run = ?2 AND number = ?3", 1, "" },
    [WINDOWS] = { "windows", WINDOWS_SQL WINDOWS_OF_CELL,
                  WINDOWS_SQL "WHERE cell = ?2 AND kind = ?3 AND block = ?4", 1, "" },
    [SAMPLES] = { "samples", "SELECT * FROM samples WHERE window = ?1",
                  "SELECT * FROM samples WHERE window = ?1 AND role = ?2 AND worker = ?3", 0, "" },
    [CONTENDED] = { "contended", "SELECT * FROM contended WHERE window = ?1",
                    "SELECT * FROM contended WHERE window = ?1 AND rank = ?2", 0, "" },
    [TURNS] = { "turns", "SELECT * FROM turns WHERE window = ?1",
                "SELECT * FROM turns WHERE window = ?1 AND role = ?2 AND worker = ?3", 0, "" },
};

/* Of a file of schema 3, whose workers are threads. */
static const char cells_of_3_sql[] =
    "SELECT *, 'thread', NULL, workers FROM cells WHERE run = ?1 ORDER BY number";

/* Of a file of schema 3 or 4, which does not know what its processes used. */
static const char windows_of_4_sql[] =
    WINDOWS_SQL_WITH("NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, ")
    WINDOWS_OF_CELL;

static const char facts_sql[] = "SELECT * FROM facts WHERE run = ?1";

/* Of the copy that brought windows, for it has gone further; and of another. */
static const char later_facts_sql[] = "INSERT OR REPLACE INTO facts VALUES (?1, ?2, ?3, ?4)";
static const char other_facts_sql[] = "INSERT OR IGNORE INTO facts VALUES (?1, ?2, ?3, ?4)";

/* Nobody measures it in this file, so there is no process. */
static const char end_sql[] =
    "UPDATE runs SET pid = NULL, ended = max(coalesce(ended, ?2), coalesce(?2, ended)) "
    "WHERE run = ?1";

static const char ended_sql[] = "SELECT run, ended FROM runs WHERE run = ?1";

static const char gaps_sql[] = "SELECT uuid, coalesce(host, key), count(*), sum(planned - windows) "
                               "FROM gaps JOIN cells USING (cell) JOIN runs r ON r.run = gaps.run "
                               "JOIN machines USING (machine) WHERE refusal IS NULL GROUP BY r.run";

static const char totals_sql[] =
    "SELECT (SELECT count(*) FROM runs), (SELECT count(*) FROM machines), "
    "(SELECT count(*) FROM gaps JOIN cells USING (cell) WHERE refusal IS NULL)";

struct merge {
    struct store *store;
    sqlite3 *result;
    const char *path;
    bool made; /* the result was not there before */
    bool finished;
    int duplicates; /* runs that brought nothing new */
    sqlite3_stmt *find[TABLES], *insert[TABLES];
};

struct source {
    struct merge *merge;
    const char *path;
    struct store *store;
    struct mistake *m;
    sqlite3_stmt *select[TABLES];

    /* Where it is read. */
    const char *uuid;
    int cell, block;
    bool known;      /* the run, before */
    long long added; /* windows of the run */
};

static int fail(sqlite3 *db, const char *path, struct mistake *m)
{
    return mistake_set(m, "%s: %s", path, sqlite3_errmsg(db));
}

/* NULL and a mistake. */
static sqlite3_stmt *prepare(sqlite3 *db, const char *path, const char *sql, struct mistake *m)
{
    sqlite3_stmt *statement;

    if (sqlite3_prepare_v2(db, sql, -1, &statement, NULL) == SQLITE_OK)
        return statement;
    fail(db, path, m);
    return NULL;
}

static int execute(sqlite3 *db, const char *path, const char *sql, struct mistake *m)
{
    return sqlite3_exec(db, sql, NULL, NULL, NULL) ? fail(db, path, m) : 0;
}

/* 1: there is a row; 0: there is none; -1 and a mistake. */
static int step(sqlite3_stmt *statement, const char *path, struct mistake *m)
{
    int result = sqlite3_step(statement);

    if (result == SQLITE_ROW || result == SQLITE_DONE)
        return result == SQLITE_ROW;
    return fail(sqlite3_db_handle(statement), path, m);
}

static bool same_value(sqlite3_stmt *a, sqlite3_stmt *b, int column)
{
    int type = sqlite3_column_type(a, column);

    if (type != sqlite3_column_type(b, column))
        return false;
    switch (type) {
    case SQLITE_NULL:
        return true;
    case SQLITE_INTEGER:
        return sqlite3_column_int64(a, column) == sqlite3_column_int64(b, column);
    case SQLITE_FLOAT:
        return sqlite3_column_double(a, column) == sqlite3_column_double(b, column);
    default:
        return strcmp((const char *)sqlite3_column_text(a, column),
                      (const char *)sqlite3_column_text(b, column)) == 0;
    }
}

static bool may_vary(enum table table, const char *column)
{
    char word[64];

    snprintf(word, sizeof word, " %s ", column);
    return strstr(tables[table].varies, word);
}

/* But for the numbers that each file gives, which are in the first column and the parent's. */
static bool same_row(enum table table, sqlite3_stmt *a, sqlite3_stmt *b)
{
    for (int i = 1; i < sqlite3_column_count(a); i++)
        if (i != tables[table].parent && !may_vary(table, sqlite3_column_name(a, i)) &&
            !same_value(a, b, i))
            return false;
    return true;
}

static int conflict(struct source *s, enum table table)
{
    char place[64] = "";

    if (table == CELLS)
        snprintf(place, sizeof place, ", cell %d", s->cell);
    if (table >= WINDOWS)
        snprintf(place, sizeof place, ", cell %d, block %d", s->cell, s->block);
    return mistake_set(s->m, "%s: run %s%s is not what it is in %s; nothing was merged", s->path,
                       s->uuid, place, s->merge->path);
}

/* Makes the columns of a source's row the parameters, as many as there are. */
static void bind_row(sqlite3_stmt *statement, sqlite3_stmt *row)
{
    sqlite3_reset(statement);
    for (int i = 0; i < sqlite3_bind_parameter_count(statement); i++)
        sqlite3_bind_value(statement, i + 1, sqlite3_column_value(row, i));
}

static void bind_parent(sqlite3_stmt *statement, enum table table, int64_t parent)
{
    if (tables[table].parent >= 0)
        sqlite3_bind_int64(statement, tables[table].parent + 1, parent);
}

static int insert_row(struct source *s, enum table table, sqlite3_stmt *row, int64_t parent,
                      int64_t *id)
{
    sqlite3_stmt *insert = s->merge->insert[table];

    bind_row(insert, row);
    bind_parent(insert, table, parent);
    if (table < SAMPLES)
        sqlite3_bind_null(insert, 1); /* a number of the result's */
    if (step(insert, s->merge->path, s->m) < 0)
        return -1;
    *id = sqlite3_last_insert_rowid(s->merge->result);
    s->added += table == WINDOWS;
    return 0;
}

/* Finds the row in the result, or adds it; `fresh`: it cannot be there, for what it belongs
 * to was not. 1: it was there; 0: it was not; -1 and a mistake. */
static int place_row(struct source *s, enum table table, sqlite3_stmt *row, int64_t parent,
                     bool fresh, int64_t *id)
{
    sqlite3_stmt *find = s->merge->find[table];
    int found = 0;

    if (!fresh) {
        bind_row(find, row);
        bind_parent(find, table, parent);
        found = step(find, s->merge->path, s->m);
    }
    if (found < 0)
        return -1;
    /* What belongs to a window is all there, or none of it. */
    if (found ? !same_row(table, row, find) : table >= SAMPLES && !fresh)
        return conflict(s, table);
    if (!found)
        return insert_row(s, table, row, parent, id);
    *id = sqlite3_column_int64(find, 0);
    sqlite3_reset(find);
    return 1;
}

static int unite_below(struct source *s, enum table table, int64_t owner, int64_t parent,
                       bool fresh);

/* All rows that belong to one of the source, and in the result to another. */
static int unite(struct source *s, enum table table, int64_t owner, int64_t parent, bool fresh)
{
    sqlite3_stmt *rows = s->select[table];
    int found = 0, more;
    int64_t id;

    sqlite3_reset(rows);
    sqlite3_bind_int64(rows, 1, owner);
    while ((more = step(rows, s->path, s->m)) > 0) {
        if (table == CELLS)
            s->cell = sqlite3_column_int(rows, 2);
        if (table == WINDOWS)
            s->block = sqlite3_column_int(rows, 3);
        found = place_row(s, table, rows, parent, fresh, &id);
        if (found < 0 ||
            unite_below(s, table, sqlite3_column_int64(rows, 0), id, !found) < 0)
            return -1;
    }
    return more;
}

static int unite_below(struct source *s, enum table table, int64_t owner, int64_t parent,
                       bool fresh)
{
    if (table >= SAMPLES)
        return 0;
    if (unite(s, table + 1, owner, parent, fresh) < 0)
        return -1;
    if (table == WINDOWS && unite(s, CONTENDED, owner, parent, fresh) < 0)
        return -1;
    return table == WINDOWS ? unite(s, TURNS, owner, parent, fresh) : 0;
}

static int place_machine(struct source *s, sqlite3_stmt *run, int64_t *id)
{
    sqlite3_stmt *row = s->select[MACHINES];
    int there;

    sqlite3_reset(row);
    sqlite3_bind_value(row, 1, sqlite3_column_value(run, tables[RUNS].parent));
    there = step(row, s->path, s->m);
    if (there == 0)
        return mistake_set(s->m, "%s: is damaged: run %s has no machine", s->path, s->uuid);
    return there < 0 ? -1 : place_row(s, MACHINES, row, 0, false, id);
}

/* What belongs to a run beside its cells: takes each row that `select` gives of it to the
 * result by `apply`, of which the first parameter is the number of the run. */
static int carry(struct source *s, const char *select, int64_t owner, const char *apply,
                 int64_t run)
{
    sqlite3_stmt *rows = prepare(store_database(s->store), s->path, select, s->m);
    sqlite3_stmt *effect = prepare(s->merge->result, s->merge->path, apply, s->m);
    int more = -1;

    if (!rows || !effect)
        goto done;
    sqlite3_bind_int64(rows, 1, owner);
    while ((more = step(rows, s->path, s->m)) > 0) {
        bind_row(effect, rows);
        sqlite3_bind_int64(effect, 1, run);
        if (step(effect, s->merge->path, s->m) < 0)
            break;
    }
done:
    sqlite3_finalize(rows);
    sqlite3_finalize(effect);
    return more ? -1 : 0;
}

static void report_run(struct source *s, FILE *report)
{
    fprintf(report, "%s: run %s: ", s->path, s->uuid);
    if (s->known && !s->added)
        fprintf(report, "a duplicate\n");
    else
        fprintf(report, "%s, windows: %lld\n", s->known ? "continued" : "new", s->added);
    s->merge->duplicates += s->known && !s->added;
}

/* The run at which the source stands. */
static int unite_run(struct source *s, sqlite3_stmt *row)
{
    int64_t owner = sqlite3_column_int64(row, 0), machine, run;
    int found;

    s->uuid = (const char *)sqlite3_column_text(row, 1);
    s->added = 0;
    if (place_machine(s, row, &machine) < 0)
        return -1;
    found = place_row(s, RUNS, row, machine, false, &run);
    if (found < 0 || unite(s, CELLS, owner, run, !found) < 0)
        return -1;
    s->known = found;
    if (carry(s, facts_sql, owner, s->added ? later_facts_sql : other_facts_sql, run) < 0)
        return -1;
    return carry(s, ended_sql, owner, end_sql, run);
}

static int unite_runs(struct source *s, FILE *report)
{
    int more;

    while ((more = step(s->select[RUNS], s->path, s->m)) > 0) {
        if (unite_run(s, s->select[RUNS]) < 0)
            return -1;
        report_run(s, report);
    }
    return more;
}

static const char *select_of(const struct source *s, enum table table)
{
    if (table == CELLS && store_schema(s->store) < 4)
        return cells_of_3_sql;
    return table == WINDOWS && store_schema(s->store) < 5 ? windows_of_4_sql : tables[table].select;
}

/* A page that is damaged would be found in the middle, or not at all. */
static int check_whole(struct source *s)
{
    sqlite3_stmt *check = prepare(store_database(s->store), s->path, "PRAGMA quick_check(1)", s->m);
    int result = check ? step(check, s->path, s->m) : -1;
    const char *said = result > 0 ? (const char *)sqlite3_column_text(check, 0) : "";

    if (result >= 0 && strcmp(said, "ok") != 0)
        result = mistake_set(s->m, "%s: is damaged: %s", s->path, said);
    sqlite3_finalize(check);
    return result < 0 ? -1 : 0;
}

/* Reads all of it as it is at one moment, for somebody may be writing to it. */
static int open_source(struct source *s)
{
    sqlite3 *db;

    s->store = store_open(s->path, STORE_READ, s->m);
    if (!s->store)
        return -1;
    db = store_database(s->store);
    if (execute(db, s->path, "BEGIN", s->m) < 0 || check_whole(s) < 0)
        return -1;
    for (int i = 0; i < TABLES; i++) {
        s->select[i] = prepare(db, s->path, select_of(s, (enum table)i), s->m);
        if (!s->select[i])
            return -1;
        if (sqlite3_column_count(s->select[i]) != sqlite3_column_count(s->merge->find[i]))
            return mistake_set(s->m, "%s: its table %s has other columns", s->path, tables[i].name);
    }
    return 0;
}

static bool same_file(const char *a, const char *b)
{
    struct stat one, other;

    return stat(a, &one) == 0 && stat(b, &other) == 0 && one.st_dev == other.st_dev &&
           one.st_ino == other.st_ino;
}

int merge_add(struct merge *merge, const char *path, FILE *report, struct mistake *m)
{
    struct source s = { .merge = merge, .path = path, .m = m };
    int result = -1;

    if (same_file(path, merge->path))
        return mistake_set(m, "%s: is what the others are merged into", path);
    if (open_source(&s) == 0)
        result = unite_runs(&s, report);
    for (int i = 0; i < TABLES; i++)
        sqlite3_finalize(s.select[i]);
    store_close(s.store);
    return result;
}

/* INSERT INTO samples VALUES (?1, ?2, ...) */
static sqlite3_stmt *prepare_insert(struct merge *merge, enum table table, struct mistake *m)
{
    sqlite3_str *sql = sqlite3_str_new(merge->result);
    int columns = sqlite3_column_count(merge->find[table]) - (table == WINDOWS);
    sqlite3_stmt *insert;
    char *text;

    sqlite3_str_appendf(sql, "INSERT INTO %s VALUES (", tables[table].name);
    for (int i = 1; i <= columns; i++)
        sqlite3_str_appendf(sql, "%s?%d", i > 1 ? ", " : "", i);
    sqlite3_str_appendall(sql, ")");
    text = sqlite3_str_finish(sql);
    insert = prepare(merge->result, merge->path, text ? text : "no memory", m);
    sqlite3_free(text);
    return insert;
}

static int open_result(struct merge *merge, struct mistake *m)
{
    merge->store = store_open(merge->path, STORE_WRITE, m);
    if (!merge->store)
        return -1;
    merge->result = store_database(merge->store);
    for (int i = 0; i < TABLES; i++) {
        merge->find[i] = prepare(merge->result, merge->path, tables[i].find, m);
        merge->insert[i] = merge->find[i] ? prepare_insert(merge, i, m) : NULL;
        if (!merge->insert[i])
            return -1;
    }
    return execute(merge->result, merge->path, "BEGIN IMMEDIATE", m);
}

struct merge *merge_begin(const char *path, struct mistake *m)
{
    struct merge *merge = calloc(1, sizeof *merge);

    if (!merge) {
        mistake_set(m, "%s: no memory", path);
        return NULL;
    }
    merge->path = path;
    merge->made = faccessat(AT_FDCWD, path, F_OK, AT_SYMLINK_NOFOLLOW) < 0;
    if (open_result(merge, m) == 0)
        return merge;
    merge_end(merge);
    return NULL;
}

static int report_gaps(struct merge *merge, FILE *report, struct mistake *m)
{
    sqlite3_stmt *rows = prepare(merge->result, merge->path, gaps_sql, m);
    int more = -1;

    while (rows && (more = step(rows, merge->path, m)) > 0)
        fprintf(report, "%s: run %s (%s): cells short of windows: %d, windows missing: %d\n",
                merge->path, sqlite3_column_text(rows, 0), sqlite3_column_text(rows, 1),
                sqlite3_column_int(rows, 2), sqlite3_column_int(rows, 3));
    sqlite3_finalize(rows);
    return more;
}

static int report_totals(struct merge *merge, FILE *report, struct mistake *m)
{
    sqlite3_stmt *row = prepare(merge->result, merge->path, totals_sql, m);
    int result = row ? step(row, merge->path, m) : -1;

    if (result > 0)
        fprintf(report, "%s: runs: %d, machines: %d, duplicates: %d, gaps: %d\n", merge->path,
                sqlite3_column_int(row, 0), sqlite3_column_int(row, 1), merge->duplicates,
                sqlite3_column_int(row, 2));
    sqlite3_finalize(row);
    return result < 0 ? -1 : 0;
}

int merge_finish(struct merge *merge, FILE *report, struct mistake *m)
{
    if (report_gaps(merge, report, m) < 0 || report_totals(merge, report, m) < 0 ||
        execute(merge->result, merge->path, "COMMIT", m) < 0)
        return -1;
    merge->finished = true;
    return 0;
}

/* Another merge may have made the file between our look and our lock: then it stays. */
static bool has_no_run(sqlite3 *result)
{
    sqlite3_stmt *q = NULL;
    bool none;

    none = sqlite3_prepare_v2(result, "SELECT run FROM runs LIMIT 1", -1, &q, NULL) == SQLITE_OK &&
           sqlite3_step(q) == SQLITE_DONE;
    sqlite3_finalize(q);
    return none;
}

void merge_end(struct merge *merge)
{
    for (int i = 0; i < TABLES; i++) {
        sqlite3_finalize(merge->find[i]);
        sqlite3_finalize(merge->insert[i]);
    }
    if (merge->result && !merge->finished)
        sqlite3_exec(merge->result, "ROLLBACK", NULL, NULL, NULL);
    if (merge->store && merge->made && !merge->finished && has_no_run(merge->result))
        unlink(merge->path);
    store_close(merge->store);
    free(merge);
}
