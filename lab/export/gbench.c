/* gbench.c - JSON as Google Benchmark 1.7.1 writes it, for its compare.py.
 *
 * A cell is a benchmark, a window one of its repetitions, and real_time the wall time of an
 * operation: a second divided by all that the counted workers did in it together. (That is what
 * 1.7.1 shows for several threads; 1.9 would show the time of one thread.) A window in
 * which nothing was done has no such time and is left out.
 */
#include "lab/export.h"

#include "lab/rows.h"
#include "lab/statistics.h"

#include <hwloc.h>
#include <math.h>
#include <string.h>

struct list {
    FILE *out;
    bool begun; /* something was written, so a comma comes first */
};

/* One of each kind, as gbench lists them: those of the first processor. */
static json_t *cache_json(hwloc_obj_t cache)
{
    static const char *const kinds[] = { [HWLOC_OBJ_CACHE_UNIFIED] = "Unified",
                                         [HWLOC_OBJ_CACHE_DATA] = "Data",
                                         [HWLOC_OBJ_CACHE_INSTRUCTION] = "Instruction" };

    return json_pack("{s:s, s:i, s:I, s:i}", "type", kinds[cache->attr->cache.type], "level",
                     (int)cache->attr->cache.depth, "size", (json_int_t)cache->attr->cache.size,
                     "num_sharing", hwloc_bitmap_weight(cache->cpuset));
}

/* Of a machine that is not this one. Empty, if nothing is known of it. */
static json_t *caches_json(const char *xml)
{
    json_t *caches = json_array();
    hwloc_topology_t topology;

    if (!xml || hwloc_topology_init(&topology) < 0)
        return caches;
    hwloc_topology_set_cache_types_filter(topology, HWLOC_TYPE_FILTER_KEEP_ALL);
    hwloc_topology_set_icache_types_filter(topology, HWLOC_TYPE_FILTER_KEEP_ALL);
    if (hwloc_topology_set_xmlbuffer(topology, xml, (int)strlen(xml) + 1) == 0 &&
        hwloc_topology_load(topology) == 0)
        for (hwloc_obj_type_t type = HWLOC_OBJ_L1CACHE; type <= HWLOC_OBJ_L3ICACHE; type++) {
            hwloc_obj_t first = hwloc_get_obj_by_type(topology, type, 0);

            if (first)
                json_array_append_new(caches, cache_json(first));
        }
    hwloc_topology_destroy(topology);
    return caches;
}

static const char run_sql[] =
    "SELECT started AS date, host AS host_name, 'lab' AS executable, cores AS num_cpus, "
    "(SELECT CAST(avg(mhz) AS INTEGER) FROM windows JOIN cells c USING (cell) WHERE c.run = ?1) "
    "AS mhz_per_cpu, (SELECT value FROM facts WHERE run = ?1 AND moment = 'run' AND "
    "name = 'build_mode') AS library_build_type, uuid AS run, key AS machine, matrix, seed "
    "FROM runs JOIN machines USING (machine) WHERE run = ?1";

static const char xml_sql[] =
    "SELECT hwloc_xml FROM runs JOIN machines USING (machine) WHERE run = ?1";

static const char facts_sql[] =
    "SELECT name, value FROM facts WHERE run = ?1 AND moment = 'run' AND value IS NOT NULL";

/* gbench's own keys, and what we know beside them. */
static void add_run(json_t *context, sqlite3_stmt *row)
{
    json_object_update_new(context, rows_json(row));
}

static void add_caches(json_t *context, sqlite3_stmt *row)
{
    json_object_set_new(context, "caches", caches_json((const char *)sqlite3_column_text(row, 0)));
}

/* What was true of machine and build: text, as is the context that gbench's users give. */
static void add_fact(json_t *context, sqlite3_stmt *row)
{
    const char *name = (const char *)sqlite3_column_text(row, 0);

    if (!json_object_get(context, name))
        json_object_set_new(context, name, json_string((const char *)sqlite3_column_text(row, 1)));
}

/* Adds each row. 0, or -1 and a mistake. */
static int add(json_t *context, sqlite3 *db, long long run, const char *sql,
               void (*one)(json_t *context, sqlite3_stmt *row), struct mistake *m)
{
    sqlite3_stmt *rows = export_prepare(db, run, sql, m);
    int result;

    if (!rows)
        return -1;
    while ((result = export_step(rows, m)) > 0)
        one(context, rows);
    sqlite3_finalize(rows);
    return result;
}

/* Of what is not known there is no key: gbench has no word for it. */
static void remove_unknown(json_t *context)
{
    const char *key;
    json_t *value;
    void *next;

    json_object_foreach_safe(context, next, key, value) if (json_is_null(value))
        json_object_del(context, key);
}

static int write_context(FILE *out, sqlite3 *db, long long run, struct mistake *m)
{
    json_t *context = json_object();
    int result = -1;

    if (add(context, db, run, run_sql, add_run, m) == 0 &&
        add(context, db, run, xml_sql, add_caches, m) == 0 &&
        add(context, db, run, facts_sql, add_fact, m) == 0) {
        remove_unknown(context);
        json_dumpf(context, out, JSON_INDENT(2));
        result = 0;
    }
    json_decref(context);
    return result;
}

typedef double time_of(const struct exported_window *window);

static double real_ns(const struct exported_window *window)
{
    return 1e9 / window->rate;
}

static double cpu_ns(const struct exported_window *window)
{
    return 1e9 * window->cpu_s / (window->rate * window->seconds);
}

/* Overwrites the rates. */
static double median_of(const struct exported_cell *cell, time_of *time)
{
    size_t count = 0;

    for (size_t i = 0; i < cell->count; i++)
        if (cell->window[i].rate > 0)
            cell->rate[count++] = time(&cell->window[i]);
    return estimate_median(cell->rate, count).median;
}

/* What an entry of either kind has, and `own`, which is stolen. */
static void write_entry(struct list *list, const struct exported_cell *cell, int repetitions,
                        json_t *own)
{
    json_t *entry =
        json_pack("{s:s, s:i, s:i, s:s, s:i, s:i, s:s}", "name", cell->name, "family_index",
                  cell->number, "per_family_instance_index", 0, "run_name", cell->name,
                  "repetitions", repetitions, "threads", cell->threads, "time_unit", "ns");

    json_object_update_new(entry, own);
    fputs(list->begun ? ",\n" : "\n", list->out);
    list->begun = true;
    export_json(list->out, entry);
}

static void write_repetition(struct list *list, const struct exported_cell *cell, int repetitions,
                             int index, const struct exported_window *w)
{
    write_entry(list, cell, repetitions,
                json_pack("{s:s, s:i, s:I, s:f, s:f, s:f}", "run_type", "iteration",
                          "repetition_index", index, "iterations",
                          (json_int_t)llround(w->rate * w->seconds), "real_time", real_ns(w),
                          "cpu_time", cpu_ns(w), "items_per_second", w->rate));
}

static void write_median(struct list *list, const struct exported_cell *cell, int repetitions)
{
    char *name = sqlite3_mprintf("%s_median", cell->name);

    write_entry(list, cell, repetitions,
                json_pack("{s:s, s:s, s:s, s:s, s:i, s:f, s:f}", "name", name, "run_type",
                          "aggregate", "aggregate_name", "median", "aggregate_unit", "time",
                          "iterations", repetitions, "real_time", median_of(cell, real_ns),
                          "cpu_time", median_of(cell, cpu_ns)));
    sqlite3_free(name);
}

static void write_cell(const struct exported_cell *cell, void *list)
{
    int repetitions = 0, index = 0;

    for (size_t i = 0; i < cell->count; i++)
        repetitions += cell->window[i].rate > 0;
    for (size_t i = 0; i < cell->count; i++)
        if (cell->window[i].rate > 0)
            write_repetition(list, cell, repetitions, index++, &cell->window[i]);
    if (repetitions > 1)
        write_median(list, cell, repetitions);
}

static int write_gbench(FILE *out, sqlite3 *db, long long run, struct mistake *m)
{
    struct list list = { out, false };

    fputs("{\n\"context\": ", out);
    if (write_context(out, db, run, m) < 0)
        return -1;
    fputs(",\n\"benchmarks\": [", out);
    if (export_cells(db, run, write_cell, &list, m) < 0)
        return -1;
    fputs("\n]\n}\n", out);
    return 0;
}

const struct export_format export_gbench = {
    .about = "JSON of Google Benchmark, for its compare.py: each window is a repetition",
    .write = write_gbench,
};
