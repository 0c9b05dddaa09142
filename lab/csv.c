/* csv.c - tidy CSV. */
#include "lab/csv.h"

#include <inttypes.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

static void write_quoted(FILE *out, const char *text)
{
    putc('"', out);
    for (; *text; text++) {
        if (*text == '"')
            putc('"', out);
        putc(*text, out);
    }
    putc('"', out);
}

/* A line with nothing on it is no row to most readers, so it gets quotes, if `alone`. */
static void write_string(FILE *out, const char *text, bool alone)
{
    if (strpbrk(text, ",\"\n\r") || (alone && !*text))
        write_quoted(out, text);
    else
        fputs(text, out);
}

static void write_real(FILE *out, double value)
{
    enum { SURE = 15, ENOUGH = 17 }; /* digits that a double keeps; that tell any two apart */
    char text[32];
    int digits = SURE;

    do
        snprintf(text, sizeof text, "%.*g", digits, value);
    while (digits++ < ENOUGH && strtod(text, NULL) != value);
    fputs(text, out);
}

static void write_value(FILE *out, sqlite3_stmt *row, int column, bool alone)
{
    switch (sqlite3_column_type(row, column)) {
    case SQLITE_NULL:
        write_string(out, "", alone);
        break;
    case SQLITE_INTEGER:
        fprintf(out, "%lld", sqlite3_column_int64(row, column));
        break;
    case SQLITE_FLOAT:
        write_real(out, sqlite3_column_double(row, column));
        break;
    default:
        write_string(out, (const char *)sqlite3_column_text(row, column), alone);
    }
}

void csv_write_names(FILE *out, sqlite3_stmt *rows)
{
    int columns = sqlite3_column_count(rows);

    for (int i = 0; i < columns; i++) {
        write_string(out, sqlite3_column_name(rows, i), columns == 1);
        putc(i + 1 < columns ? ',' : '\n', out);
    }
}

int csv_write_rows(FILE *out, sqlite3_stmt *rows)
{
    int columns = sqlite3_column_count(rows), result;

    while ((result = sqlite3_step(rows)) == SQLITE_ROW)
        for (int i = 0; i < columns; i++) {
            write_value(out, rows, i, columns == 1);
            putc(i + 1 < columns ? ',' : '\n', out);
        }
    return result;
}
