/* csv.c - every sample, as lab run --csv writes it. */
#include "lab/export.h"

#include "lab/csv.h"

static int write_csv(FILE *out, sqlite3 *db, long long run, struct mistake *m)
{
    sqlite3_stmt *rows = export_prepare(
        db, run, "SELECT * FROM tidy WHERE ?1 = 0 OR run = (SELECT uuid FROM runs WHERE run = ?1)",
        m);
    int result = -1;

    if (!rows)
        return -1;
    csv_write_names(out, rows);
    if (csv_write_rows(out, rows) == SQLITE_DONE)
        result = 0;
    else
        mistake_set(m, "%s", sqlite3_errmsg(db));
    sqlite3_finalize(rows);
    return result;
}

const struct export_format export_csv = {
    .about = "every sample, a line for each, with all that is known of it; of every run",
    .many = true,
    .write = write_csv,
};
