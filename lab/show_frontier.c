/* show_frontier.c - what locks leave those that compute beside what they do for those that wait. */
#include "lab/show.h"

#include "lab/json.h"
#include "lab/rows.h"

#include <sqlite3.h>
#include <stdio.h>
#include <string.h>

/* Columns, in their order below. */
enum { WORKLOAD, MODE, THREADS, RATE, P50, P99, BACKGROUND, KEPT, KEPT_LOW, KEPT_HIGH, SHARE };

#define COLUMNS                                                                           \
    "SELECT workload, mode, threads, rate, p50_ns, p99_ns, background, kept, kept_low, "  \
    "kept_high, share, gil FROM ("

/* The question as it was when this was compiled; scripts/plots/frontier.py asks the same. */
extern const char frontier_sql[];

__asm__(".section .rodata\n"
        ".global frontier_sql\n"
        "frontier_sql: .ascii \"" COLUMNS "\"\n"
        ".incbin \"lab/frontier.sql\"\n"
        ".asciz \")\"\n"
        ".previous\n");

static bool is_known(sqlite3_stmt *row, int column)
{
    return sqlite3_column_type(row, column) != SQLITE_NULL;
}

static void print_rate(sqlite3_stmt *row, int column, FILE *out)
{
    char text[24];

    fprintf(out, " %9s", human_rate(sqlite3_column_double(row, column), text, sizeof text));
}

static void print_time(sqlite3_stmt *row, int column, FILE *out)
{
    char text[24] = "-";

    if (is_known(row, column))
        human_ns(sqlite3_column_double(row, column), text, sizeof text);
    fprintf(out, " %9s", text);
}

static double percent(sqlite3_stmt *row, int column)
{
    return 100 * sqlite3_column_double(row, column);
}

static void print_shares(sqlite3_stmt *row, FILE *out)
{
    if (is_known(row, KEPT))
        fprintf(out, " %4.0f %% %3.0f .. %-3.0f", percent(row, KEPT), percent(row, KEPT_LOW),
                percent(row, KEPT_HIGH));
    else
        fprintf(out, " %6s %10s", "-", "");
    if (is_known(row, SHARE))
        fprintf(out, " %6.0f %%", percent(row, SHARE));
    else
        fprintf(out, " %8s", "-");
}

static void print_row(sqlite3_stmt *row, int width, FILE *out)
{
    fprintf(out, "  %-*s %8d", width, (const char *)sqlite3_column_text(row, MODE),
            sqlite3_column_int(row, THREADS));
    print_rate(row, RATE, out);
    print_time(row, P50, out);
    print_time(row, P99, out);
    print_rate(row, BACKGROUND, out);
    print_shares(row, out);
    fputc('\n', out);
}

static void print_head(const char *workload, int width, FILE *out)
{
    fprintf(out, "\n%s: who waits, beside spinners\n  %-*s %8s %9s %9s %9s %9s %6s %-10s %8s\n", workload,
            width, "mode", "spinners", "per s", "p50", "p99", "spun", "kept", "windows",
            "of most");
}

/* Of the longest mode. Locks are compared by their parameters here, which make it long. */
static int mode_width(sqlite3_stmt *row)
{
    int widest = 4;

    while (sqlite3_step(row) == SQLITE_ROW)
        if (sqlite3_column_bytes(row, MODE) > widest)
            widest = sqlite3_column_bytes(row, MODE);
    sqlite3_reset(row);
    return widest;
}

/* A row for each cell, in the order of the plan; how many there were. */
static int print_rows(sqlite3_stmt *row, FILE *out)
{
    int width = mode_width(row), rows = 0;
    char last[LABEL_MAX] = "";

    while (sqlite3_step(row) == SQLITE_ROW) {
        const char *workload = (const char *)sqlite3_column_text(row, WORKLOAD);

        if (strncmp(last, workload, sizeof last - 1) != 0)
            print_head(workload, width, out);
        snprintf(last, sizeof last, "%s", workload);
        print_row(row, width, out);
        rows++;
    }
    return rows;
}

/* NULL: the file is damaged. */
static sqlite3_stmt *ask(struct store *store, int64_t run, const char *question)
{
    sqlite3_stmt *rows = NULL;

    if (sqlite3_prepare_v2(store_database(store), question, -1, &rows, NULL) == SQLITE_OK)
        sqlite3_bind_int64(rows, 1, run);
    return rows;
}

void show_frontier(struct store *store, int64_t run, FILE *out)
{
    sqlite3_stmt *rows = ask(store, run, frontier_sql);

    if (!rows || !print_rows(rows, out))
        fputs("\nno cell of this run has something that waits beside spinners: echo_spin, echo_open, "
              "ping\n", out);
    else
        fputs("\nMedians over the windows. per s, p50, p99: of who waits, of what ended in the "
              "window. spun: what\nthe spinners did a second. kept: of what as many threads do under "
              "this lock where nobody waits\n(the workload countdown, in the same run), and in its "
              "least and its best window. of most: of\nthe most that any lock lets them do there. -: "
              "that was not measured.\n", out);
    sqlite3_finalize(rows);
}

json_t *frontier_json(struct store *store, int64_t run)
{
    sqlite3_stmt *rows = ask(store, run, frontier_sql);
    json_t *array = json_array();

    while (rows && sqlite3_step(rows) == SQLITE_ROW)
        array = json_with(array, rows_json(rows));
    sqlite3_finalize(rows);
    return array;
}
