/* bmf.c - Bencher Metric Format: throughput with its interval. */
#include "lab/export.h"

#include "lab/statistics.h"

static void write_cell(const struct exported_cell *cell, void *out)
{
    struct estimate e = estimate_median(cell->rate, cell->count);

    fputs(cell->number ? ",\n" : "\n", out);
    export_json(out, json_string(cell->name));
    fputs(": ", out);
    export_json(out, json_pack("{s:{s:f, s:f, s:f}}", "throughput", "value", e.median,
                               "lower_value", e.low, "upper_value", e.high));
}

static int write_bmf(FILE *out, sqlite3 *db, long long run, struct mistake *m)
{
    int result;

    putc('{', out);
    result = export_cells(db, run, write_cell, out, m);
    fputs("\n}\n", out);
    return result;
}

const struct export_format export_bmf = {
    .about = "Bencher Metric Format: the median throughput of each cell, with its interval",
    .write = write_bmf,
};
