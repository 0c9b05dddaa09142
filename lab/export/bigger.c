/* bigger.c - github-action-benchmark's customBiggerIsBetter: throughput with its interval. */
#include "lab/export.h"

#include "lab/statistics.h"

static void write_cell(const struct exported_cell *cell, void *out)
{
    struct estimate e = estimate_median(cell->rate, cell->count);
    char unit[64], range[64], extra[64];

    snprintf(unit, sizeof unit, "%s/s", cell->unit);
    snprintf(range, sizeof range, "%.6g .. %.6g", e.low, e.high);
    snprintf(extra, sizeof extra, "median of %zu windows; range with %.0f %% confidence", e.count,
             100 * e.confidence);
    fputs(cell->number ? ",\n" : "\n", out);
    export_json(out, json_pack("{s:s, s:s, s:f, s:s, s:s}", "name", cell->name, "unit", unit,
                               "value", e.median, "range", range, "extra", extra));
}

static int write_bigger(FILE *out, sqlite3 *db, long long run, struct mistake *m)
{
    int result;

    putc('[', out);
    result = export_cells(db, run, write_cell, out, m);
    fputs("\n]\n", out);
    return result;
}

const struct export_format export_bigger = {
    .about = "customBiggerIsBetter of github-action-benchmark: as bmf",
    .write = write_bigger,
};
