/* csv.h - rows of SQL as tidy CSV, for pandas, R, gnuplot and spreadsheets.
 *
 * A line with the names of the columns, comma, quotes only where a field needs them, NULL
 * as nothing. Decimals have a '.', for the lab never calls setlocale. A number with a
 * fraction has the fewest digits, from 15 on, that read back as the same number.
 *
 * To a stream that is line-buffered a row without line ends in its text is one write:
 * whoever is killed leaves whole lines. What cannot be written is for ferror(out) to tell.
 */
#ifndef LAB_CSV_H
#define LAB_CSV_H

#include <sqlite3.h>
#include <stdio.h>

void csv_write_names(FILE *out, sqlite3_stmt *rows);

/* Every row that is still to come. SQLITE_DONE; or the error that ended them. */
int csv_write_rows(FILE *out, sqlite3_stmt *rows);

#endif
