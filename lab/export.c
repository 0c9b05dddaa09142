/* export.c - what the formats have in common. */
#include "lab/export.h"

#include "lab/cell.h"

#include <stdlib.h>

#define EXPORT(name) extern const struct export_format export_##name;
#include "gen/exports.h"
#undef EXPORT

const struct named_export export_list[] = {
#define EXPORT(name) { #name, &export_##name },
#include "gen/exports.h"
#undef EXPORT
    { NULL, NULL },
};

#define CELLS_SQL(units)                                                             \
    "SELECT cell, workload, mode, heap, build, unit, threads, " units " FROM cells " \
    "WHERE run = ?1 AND control = 0 ORDER BY cell"

/* In a file of before schema 4 all workers are threads. */
static const char *cells_sql(sqlite3 *db)
{
    bool told = sqlite3_table_column_metadata(db, NULL, "cells", "units", NULL, NULL, NULL, NULL,
                                              NULL) == SQLITE_OK;

    return told ? CELLS_SQL("execution_unit, units") : CELLS_SQL("'thread', NULL");
}

/* All at once, for the view cannot be asked for one cell without reading the others. */
static const char windows_sql[] =
    "SELECT r.cell, rate, w.seconds, cpu_s FROM rates r JOIN windows w USING (window) "
    "WHERE run = ?1 AND control = 0 ORDER BY r.cell, r.block";

struct reading {
    sqlite3_stmt *cells, *windows;
    bool more; /* `windows` stands at a row */
    struct exported_cell cell;
    size_t room; /* in its arrays */
};

sqlite3_stmt *export_prepare(sqlite3 *db, long long run, const char *sql, struct mistake *m)
{
    sqlite3_stmt *rows;

    if (sqlite3_prepare_v2(db, sql, -1, &rows, NULL) != SQLITE_OK) {
        mistake_set(m, "%s", sqlite3_errmsg(db));
        return NULL;
    }
    sqlite3_bind_int64(rows, 1, run);
    return rows;
}

int export_step(sqlite3_stmt *rows, struct mistake *m)
{
    switch (sqlite3_step(rows)) {
    case SQLITE_ROW:
        return 1;
    case SQLITE_DONE:
        return 0;
    default:
        return mistake_set(m, "%s", sqlite3_errmsg(sqlite3_db_handle(rows)));
    }
}

static int make_room(struct reading *r, struct mistake *m)
{
    size_t room = r->room ? 2 * r->room : 16;
    struct exported_window *window;
    double *rate;

    if (r->cell.count < r->room)
        return 0;
    window = realloc(r->cell.window, room * sizeof *window);
    if (window)
        r->cell.window = window;
    rate = realloc(r->cell.rate, room * sizeof *rate);
    if (rate)
        r->cell.rate = rate;
    if (!window || !rate)
        return mistake_set(m, "no memory for the windows of a cell");
    r->room = room;
    return 0;
}

static int next_window(struct reading *r, struct mistake *m)
{
    int result = export_step(r->windows, m);

    r->more = result > 0;
    return result;
}

/* The windows of the cell at which `cells` stands. */
static int read_windows(struct reading *r, struct mistake *m)
{
    r->cell.count = 0;
    while (r->more && sqlite3_column_int64(r->windows, 0) == sqlite3_column_int64(r->cells, 0)) {
        struct exported_window window = { sqlite3_column_double(r->windows, 1),
                                          sqlite3_column_double(r->windows, 2),
                                          sqlite3_column_double(r->windows, 3) };

        if (make_room(r, m) < 0)
            return -1;
        r->cell.window[r->cell.count] = window;
        r->cell.rate[r->cell.count++] = window.rate;
        if (next_window(r, m) < 0)
            return -1;
    }
    return 0;
}

/* "" if there is none. */
static const char *text_of(sqlite3_stmt *row, int column)
{
    const unsigned char *text = sqlite3_column_text(row, column);

    return text ? (const char *)text : "";
}

/* What the record says of the cell. Its name is to be freed. */
static int read_cell(struct reading *r, struct mistake *m)
{
    struct cell cell = { .workload = text_of(r->cells, 1), .mode = text_of(r->cells, 2),
                         .heap = text_of(r->cells, 3), .build = text_of(r->cells, 4),
                         .threads = sqlite3_column_int(r->cells, 6),
                         .execution_unit = text_of(r->cells, 7),
                         .units = sqlite3_column_int(r->cells, 8) };

    r->cell.name = cell_benchmark(&cell);
    r->cell.unit = text_of(r->cells, 5);
    r->cell.threads = cell.threads;
    return r->cell.name ? read_windows(r, m) : mistake_set(m, "no memory for the name of a cell");
}

static int read_cells(struct reading *r, export_each *each, void *context, struct mistake *m)
{
    int result = next_window(r, m);

    while (result >= 0 && (result = export_step(r->cells, m)) > 0) {
        result = read_cell(r, m);
        if (result == 0 && r->cell.count) {
            each(&r->cell, context);
            r->cell.number++;
        }
        free(r->cell.name);
    }
    return result;
}

int export_cells(sqlite3 *db, long long run, export_each *each, void *context, struct mistake *m)
{
    struct reading r = { export_prepare(db, run, cells_sql(db), m),
                         export_prepare(db, run, windows_sql, m) };
    int result = -1;

    if (r.cells && r.windows)
        result = read_cells(&r, each, context, m);
    free(r.cell.window);
    free(r.cell.rate);
    sqlite3_finalize(r.windows);
    sqlite3_finalize(r.cells);
    return result;
}

void export_json(FILE *out, json_t *value)
{
    if (!value || json_dumpf(value, out, JSON_ENCODE_ANY) < 0)
        fputs("null", out);
    json_decref(value);
}
