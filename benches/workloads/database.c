/* database.c - queries to SQLite, of which each row becomes objects.
 *
 * A worker has a connection of its own, to a table in memory or in a temporary file. A query finds
 * and sorts `rows` rows, and makes of them what Python's sqlite3 module makes: a list of tuples of
 * an int, a str and a float. Its statement is prepared once, for the module keeps those as well.
 *
 * The module lets go of the GIL around each call of the library that may take long (CPython 3.11,
 * Modules/_sqlite: sqlite3_step, sqlite3_reset, sqlite3_prepare_v2), and has it while it binds
 * parameters and makes objects. So a query of 25 rows lets go 27 times, mostly for less than a
 * microsecond: released=1. With released=0 the lock is kept from the first step to the last, and
 * nobody runs beside the query. Which of them is better depends on who else wants the lock.
 *
 * What takes long in here has no descriptor to wait for. In a greenlet, and a task of coroutine or
 * loops, it blocks all others of the thread, as it does under gevent and asyncio; in hybrid the
 * pool makes the query, as run_in_executor would, and the loop goes on.
 *
 * Beside the global lock there are SQLite's own: one of each connection, and one around its count
 * of memory, which all connections share.
 */
#include "benches/hosted.h"
#include "coroutines/coroutine.h"
#include "gil/mutex.h"
#include "objects/exception.h"
#include "objects/float.h"
#include "objects/list.h"
#include "objects/str.h"
#include "objects/tuple.h"

#include <sqlite3.h>
#include <stdio.h>
#include <stdlib.h>

enum { ROWS, RELEASED, IN_FILE };
enum { KINDS = 16, SQL_BYTES = 400, PRICES = 10007, PRIME = 7919 };
enum { ID, NAME, PRICE, COLUMNS };

struct client {
    sqlite3 *database;   /* owned; also after a failure to open it */
    sqlite3_stmt *query; /* owned */
    int64_t kind;        /* that was asked for last */
};

static int fail(const struct client *c)
{
    exception_set(&runtime_error, "SQLite: %s", sqlite3_errmsg(c->database));
    return -1;
}

/* ---- a connection ---- */

/* Detached. In a file but for ten pages, so that a query reads. */
static int fill(struct client *c, int64_t rows, bool in_file)
{
    static const char query[] = "SELECT id, name, price FROM items WHERE kind = ? ORDER BY price";
    char sql[SQL_BYTES];

    snprintf(sql, sizeof sql,
             "%s CREATE TABLE items (id INTEGER PRIMARY KEY, kind INTEGER, name TEXT, price REAL);"
             "INSERT INTO items WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n "
             "LIMIT %lld) "
             "SELECT i, i %% %d, 'item ' || i, (i * %d %% %d) / 4.0 FROM n;"
             "CREATE INDEX by_kind ON items (kind)",
             in_file ? "PRAGMA cache_size = 10;" : "", (long long)(rows * KINDS), KINDS, PRIME,
             PRICES);
    if (sqlite3_open(in_file ? "" : ":memory:", &c->database) != SQLITE_OK ||
        sqlite3_exec(c->database, sql, NULL, NULL, NULL) != SQLITE_OK)
        return -1;
    return sqlite3_prepare_v2(c->database, query, -1, &c->query, NULL) == SQLITE_OK ? 0 : -1;
}

static int begin(struct worker *w)
{
    struct client *c = calloc(1, sizeof *c);
    int result;

    w->state = c;
    if (!c) {
        exception_set_no_memory();
        return -1;
    }
    thread_detach(w->thread);
    result = fill(c, w->job->param[ROWS], w->job->param[IN_FILE]);
    thread_attach(w->thread);
    return result < 0 ? fail(c) : 0;
}

static void end(struct worker *w)
{
    struct client *c = w->state;

    if (!c)
        return;
    sqlite3_finalize(c->query);
    sqlite3_close(c->database);
    free(c);
    w->state = NULL;
}

/* ---- calls that may take long ---- */

static int step_query(struct worker *w, sqlite3_stmt *query)
{
    int status;

    if (w->job->param[RELEASED])
        thread_detach(w->thread);
    status = sqlite3_step(query);
    if (w->job->param[RELEASED])
        thread_attach(w->thread);
    return status;
}

static int reset_query(struct worker *w, sqlite3_stmt *query)
{
    int status;

    if (w->job->param[RELEASED])
        thread_detach(w->thread);
    status = sqlite3_reset(query);
    if (w->job->param[RELEASED])
        thread_attach(w->thread);
    return status;
}

/* ---- rows ---- */

static int make_items(sqlite3_stmt *query, struct object *item[COLUMNS])
{
    item[ID] = int_new(sqlite3_column_int64(query, ID));
    item[NAME] = item[ID] ? str_new((const char *)sqlite3_column_text(query, NAME)) : NULL;
    item[PRICE] = item[NAME] ? float_new(sqlite3_column_double(query, PRICE)) : NULL;
    return item[PRICE] ? 0 : -1;
}

/* The row at which it stands, a tuple. NULL: MemoryError. */
static struct object *make_row(sqlite3_stmt *query)
{
    struct object *item[COLUMNS] = { NULL };
    struct tuple_object *row = make_items(query, item) == 0 ? tuple_reserve(COLUMNS) : NULL;

    for (int i = 0; i < COLUMNS; i++)
        if (row)
            row->item[i] = item[i];
        else
            xdecref(item[i]);
    return row ? &row->head : NULL;
}

static int append_row(struct object *rows, sqlite3_stmt *query)
{
    struct object *row = make_row(query);
    int result = row ? list_append(rows, row) : -1;

    xdecref(row);
    return result;
}

/* A list of tuples. NULL: MemoryError, RuntimeError. */
static struct object *fetch_all(struct worker *w)
{
    struct client *c = w->state;
    struct object *rows = list_new();
    int status = SQLITE_ROW, result = rows ? 0 : -1;

    sqlite3_bind_int64(c->query, 1, c->kind);
    while (result == 0 && (status = step_query(w, c->query)) == SQLITE_ROW) {
        safepoint(w->thread);
        result = append_row(rows, c->query);
    }
    if (result == 0 && status != SQLITE_DONE)
        result = fail(c);
    if (reset_query(w, c->query) != SQLITE_OK && result == 0)
        result = fail(c);
    if (result == 0)
        return rows;
    xdecref(rows);
    return NULL;
}

static double price_of(int64_t id)
{
    return (double)(id * PRIME % PRICES) / 4;
}

/* In order, and each as it was written; the sum of the numbers goes to *sum. */
static bool are_right(borrowed rows, const struct client *c, size_t count, int64_t *sum)
{
    double last = -1;
    bool right = true;

    *sum = 0;
    for (size_t i = 0; i < count && right; i++) {
        struct object *row = list_get(rows, i);
        int64_t id = int_value(tuple_get(row, ID));
        double price = float_value(tuple_get(row, PRICE));

        right = id % KINDS == c->kind && price == price_of(id) && price >= last &&
                atoll(str_text(tuple_get(row, NAME)) + sizeof "item") == id;
        last = price;
        *sum += id;
        decref(row);
    }
    return right;
}

/* Of `rows` numbers that are equal modulo KINDS, from the first on: 0 is the last of its kind. */
static int64_t sum_of(int64_t kind, int64_t rows)
{
    int64_t first = kind ? kind : KINDS;

    return rows * first + KINDS * (rows * (rows - 1) / 2);
}

static int look_at_rows(const struct worker *w, borrowed rows)
{
    const struct client *c = w->state;
    int64_t count = w->job->param[ROWS], sum;

    if (list_length(rows) == (size_t)count && are_right(rows, c, (size_t)count, &sum) &&
        sum == sum_of(c->kind, count))
        return 0;
    exception_set(&runtime_error, "a query has other rows than were written");
    return -1;
}

/* ---- a worker ---- */

static int query(struct worker *w)
{
    struct client *c = w->state;
    struct object *rows;
    int result;

    c->kind = (c->kind + 1) % KINDS;
    rows = fetch_all(w);
    result = rows ? look_at_rows(w, rows) : -1;
    xdecref(rows);
    return result;
}

static void count(struct worker *w, uint64_t start_ns)
{
    worker_latency(w, clock_ns() - start_ns);
    worker_count(w, 1);
}

static int step(struct worker *w)
{
    uint64_t start_ns = clock_ns();

    safepoint(w->thread);
    if (query(w) < 0)
        return -1;
    count(w, start_ns);
    return 0;
}

enum { BEGINS, QUERIED };

/* Local is when it began. */
static enum turn await(struct frame *f, enum resume how, borrowed argument, struct object **result)
{
    struct worker *w = worker_at(f->reference[0]);
    uint64_t *start_ns = frame_locals(f);

    if (how == RESUME_THROW)
        return frame_raise(argument);
    if (f->at == QUERIED) {
        count(w, *start_ns);
        return frame_return(result);
    }
    f->at = QUERIED;
    *start_ns = clock_ns();
    *result = unit_compute(w, query);
    return *result ? TURN_FROM : TURN_ERROR;
}

static const struct body await_step = {
    .name = "database", .kind = COROUTINE, .resume = await, .references = 1,
    .locals_bytes = sizeof(uint64_t),
};

const struct workload workload_database = {
    .about = "queries to SQLite: rows become objects, and the lock is let go of at each, or kept",
    .unit = "query", .kind = KIND_MIXED, .shares = SHARES_NOTHING, .least_threads = 1,
    .isolated = true,
    .param = { { "rows", "that a query sorts and returns", 25, 1, 1000 },
               { "released", "1: the lock is let go of around each call of SQLite; 0: it is kept",
                 1, 0, 1 },
               { "file", "1: the table is in a temporary file, and not in memory", 0, 0, 1 } },
    .roles = { { .name = "client", .per_thread = 1, .records_latency = true, .begin = begin,
                 .step = step, .end = end, .await_step = &await_step } },
};
