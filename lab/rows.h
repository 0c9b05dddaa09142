/* rows.h - rows of SQL, as a table for people and as JSON for programs.
 *
 * Both write row by row: a million rows need no more memory than a thousand. What cannot
 * be written is for ferror(out) to tell. csv.h is the third form.
 */
#ifndef LAB_ROWS_H
#define LAB_ROWS_H

#include <jansson.h>
#include <sqlite3.h>
#include <stdio.h>

/* Columns as wide as the first thousand rows want them, numbers to the right and cut to
 * six digits, long texts cut, `-` for NULL. SQLITE_DONE; or the error that ended them. */
int rows_write_table(FILE *out, sqlite3_stmt *rows);

/* The row at which it stands: an object with a key for each column. What JSON cannot hold,
 * infinity and what is not UTF-8, is null. NULL if there is no memory. */
json_t *rows_json(sqlite3_stmt *row);

/* An array with an object for each row, a line each. SQLITE_DONE; or the error that ended
 * them, after which the array is not closed: half of it is not taken for the whole. */
int rows_write_json(FILE *out, sqlite3_stmt *rows);

#endif
