/* show_frontier.c - what locks leave those that compute beside what they do for those that wait. */
#include "lab/show.h"

#include "lab/judgement.h"

#include <sqlite3.h>
#include <stdio.h>
#include <string.h>

enum { WORKLOAD, MODE, THREADS, RATE, P50, P99, BACKGROUND, KEPT, SHARE }; /* columns, below */

#define COLUMNS                                                                           \
    "SELECT workload, mode, threads, rate, p50_ns, p99_ns, background, kept, share FROM ("

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

static void print_share(sqlite3_stmt *row, int column, FILE *out)
{
    if (is_known(row, column))
        fprintf(out, " %6.0f %%", 100 * sqlite3_column_double(row, column));
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
    print_share(row, KEPT, out);
    print_share(row, SHARE, out);
    fputc('\n', out);
}

static void print_head(const char *workload, int width, FILE *out)
{
    fprintf(out, "\n%s: who waits, beside spinners\n  %-*s %8s %9s %9s %9s %9s %8s %8s\n", workload,
            width, "mode", "spinners", "per s", "p50", "p99", "spun", "kept", "of most");
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

/* A row for each cell, in the order of the plan. */
static void print_rows(sqlite3_stmt *row, FILE *out)
{
    int width = mode_width(row);
    char last[LABEL_MAX] = "";

    while (sqlite3_step(row) == SQLITE_ROW) {
        const char *workload = (const char *)sqlite3_column_text(row, WORKLOAD);

        if (strncmp(last, workload, sizeof last - 1) != 0)
            print_head(workload, width, out);
        snprintf(last, sizeof last, "%s", workload);
        print_row(row, width, out);
    }
}

void show_frontier(struct store *store, int64_t run, FILE *out)
{
    sqlite3_stmt *rows = NULL;

    if (sqlite3_prepare_v2(store_database(store), frontier_sql, -1, &rows, NULL) == SQLITE_OK) {
        sqlite3_bind_int64(rows, 1, run);
        print_rows(rows, out);
    }
    sqlite3_finalize(rows);
    fputs("\nMedians over the windows. per s, p50, p99: of who waits. spun: what the spinners did a "
          "second.\nkept: of what this lock gives as many of them with nobody to wait "
          "(echo_open:rate=0). of most:\nof the most that any lock gives them then. -: that was not "
          "measured in this run.\n",
          out);
}
