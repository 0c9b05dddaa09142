/* rows.c - rows of SQL, as a table for people and as JSON for programs. */
#include "lab/rows.h"

#include <ctype.h>
#include <jansson.h>
#include <math.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

enum { AHEAD = 1000, WIDEST = 72, GAP = 2 };

struct table {
    FILE *out;
    sqlite3_stmt *rows;
    int columns;
    int *width;   /* of each column, in letters */
    bool *number; /* whether it goes to the right: the last that was seen is a number */
    char **cell;  /* of up to AHEAD rows, by sqlite3_mprintf */
    int held;     /* rows */
};

/* In UTF-8 the second and later bytes of a letter begin with 10. */
static bool begins_letter(char c)
{
    return ((unsigned char)c & 0xc0) != 0x80;
}

static int letters(const char *text)
{
    int count = 0;

    for (; *text; text++)
        count += begins_letter(*text);
    return count;
}

/* One line, not too long, that does nothing to a terminal: a file may hold anything. */
static char *tamed(char *text)
{
    char *cut = text;
    int count = 0;

    for (char *c = text; *c; c++) {
        if (iscntrl((unsigned char)*c))
            *c = ' ';
        if (begins_letter(*c) && ++count == WIDEST - 2)
            cut = c;
    }
    if (count > WIDEST)
        strcpy(cut, "...");
    return text;
}

static char *real_text(double value)
{
    bool large = fabs(value) >= 1e6 && fabs(value) < 1e15;

    return sqlite3_mprintf(large ? "%.0f" : "%.6g", value);
}

/* NULL if there is no memory. */
static char *cell_text(sqlite3_stmt *row, int column)
{
    int type = sqlite3_column_type(row, column);
    char *text;

    if (type == SQLITE_NULL)
        return sqlite3_mprintf("-");
    if (type == SQLITE_FLOAT)
        return real_text(sqlite3_column_double(row, column));
    text = sqlite3_mprintf("%s", sqlite3_column_text(row, column));
    return text ? tamed(text) : NULL;
}

/* The next row, in memory; without memory false. */
static bool hold_row(struct table *t)
{
    char **cell = &t->cell[t->held * t->columns];
    int have = 0;

    for (; have < t->columns && (cell[have] = cell_text(t->rows, have)); have++) {
        int type = sqlite3_column_type(t->rows, have);

        if (type != SQLITE_NULL)
            t->number[have] = type == SQLITE_INTEGER || type == SQLITE_FLOAT;
    }
    if (have == t->columns) {
        t->held++;
        return true;
    }
    while (have-- > 0)
        sqlite3_free(cell[have]);
    return false;
}

/* Up to AHEAD rows. SQLITE_ROW if there may be more, or what ended them. */
static int hold_rows(struct table *t)
{
    while (t->held < AHEAD) {
        int result = sqlite3_step(t->rows);

        if (result != SQLITE_ROW)
            return result;
        if (!hold_row(t))
            return SQLITE_NOMEM;
    }
    return SQLITE_ROW;
}

static void write_cell(const struct table *t, int column, const char *text)
{
    int space = t->width[column] - letters(text);
    bool last = column + 1 == t->columns;

    if (t->number[column])
        fprintf(t->out, "%*s%s", space > 0 ? space : 0, "", text);
    else
        fprintf(t->out, "%s%*s", text, space > 0 && !last ? space : 0, "");
    fprintf(t->out, "%*s", last ? 0 : GAP, "");
    if (last)
        putc('\n', t->out);
}

static void fit(struct table *t, int column, const char *text)
{
    if (letters(text) > t->width[column])
        t->width[column] = letters(text);
}

/* Above the first rows, when it is known how wide they are. */
static void write_head(struct table *t)
{
    for (int i = 0; i < t->columns; i++) {
        fit(t, i, sqlite3_column_name(t->rows, i));
        for (int row = 0; row < t->held; row++)
            fit(t, i, t->cell[row * t->columns + i]);
    }
    for (int i = 0; i < t->columns; i++)
        write_cell(t, i, sqlite3_column_name(t->rows, i));
}

static void write_held(struct table *t)
{
    for (int i = 0; i < t->held * t->columns; i++) {
        write_cell(t, i % t->columns, t->cell[i]);
        sqlite3_free(t->cell[i]);
    }
    t->held = 0;
}

int rows_write_table(FILE *out, sqlite3_stmt *rows)
{
    size_t columns = (size_t)sqlite3_column_count(rows);
    struct table t = { out,
                       rows,
                       (int)columns,
                       calloc(columns, sizeof(int)),
                       calloc(columns, sizeof(bool)),
                       calloc(AHEAD * columns, sizeof(char *)),
                       0 };
    int result = SQLITE_NOMEM;

    if (!t.width || !t.number || !t.cell)
        goto done;
    result = hold_rows(&t);
    write_head(&t);
    write_held(&t);
    while (result == SQLITE_ROW) {
        result = hold_rows(&t);
        write_held(&t);
    }
done:
    free(t.width);
    free(t.number);
    free(t.cell);
    return result;
}

static json_t *json_value(sqlite3_stmt *row, int column)
{
    const char *text;
    json_t *value = NULL;

    switch (sqlite3_column_type(row, column)) {
    case SQLITE_INTEGER:
        return json_integer(sqlite3_column_int64(row, column));
    case SQLITE_FLOAT:
        value = json_real(sqlite3_column_double(row, column));
        break;
    case SQLITE_TEXT:
    case SQLITE_BLOB:
        text = (const char *)sqlite3_column_text(row, column);
        value = text ? json_string(text) : NULL;
    }
    return value ? value : json_null();
}

json_t *rows_json(sqlite3_stmt *row)
{
    json_t *object = json_object();

    for (int i = 0; i < sqlite3_column_count(row); i++)
        json_object_set_new(object, sqlite3_column_name(row, i), json_value(row, i));
    return object;
}

int rows_write_json(FILE *out, sqlite3_stmt *rows)
{
    const char *between = "[\n";
    int result;

    for (; (result = sqlite3_step(rows)) == SQLITE_ROW; between = ",\n") {
        json_t *object = rows_json(rows);

        fputs(between, out);
        json_dumpf(object, out, 0);
        json_decref(object);
    }
    if (result == SQLITE_DONE)
        fputs(*between == '[' ? "[]\n" : "\n]\n", out);
    return result;
}
