/* show.c - how cells scale, and what was counted in them. */
#include "lab/show.h"

#include "lab/judgement.h"
#include "lab/paragraph.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

enum { INDENT = 4, MODE_WIDTH = 18 };

/* The first outcome of a series that has something to say of threads. */
static bool begins_series(const struct results *r, const struct outcome *o)
{
    size_t count;
    const struct outcome *const *series = results_series(r, &o->cell, &count);

    return !o->cell.control && count > 1 && series[0] == o;
}

static void print_step(const struct results *r, const struct outcome *o, FILE *out)
{
    const struct cell *c = &o->cell;
    struct estimate speed_up = outcome_ratio(o, results_find(r, c, c->mode, c->base));
    double serial;

    if (!speed_up.count || c->base != 1) {
        fprintf(out, "  %7d %9s\n", c->threads, "-");
        return;
    }
    fprintf(out, "  %7d %9.2f  %5.2f .. %-5.2f %10.0f %%", c->threads, speed_up.median,
            speed_up.low, speed_up.high, 100 * speed_up.median / c->threads);
    serial = judge_serial_share(r, c, speed_up);
    if (isfinite(serial))
        fprintf(out, " %11.0f %%", 100 * serial);
    else
        fprintf(out, " %13s", c->threads > 1 ? "too few cores" : "-");
    fputc('\n', out);
}

/* ", greenlet x100, heap glibc, build ../lab": as far as they are not the first and the usual
 * one. */
static void print_rare_dials(const struct results *r, const struct cell *c, FILE *out)
{
    char units[LABEL_MAX + 16];

    if (*cell_units(c, units, sizeof units))
        fprintf(out, ", %s", units);
    if (c->heap != r->outcome[0].cell.heap)
        fprintf(out, ", heap %s", c->heap);
    if (*c->build)
        fprintf(out, ", build %s", c->build);
}

static void print_series(const struct results *r, const struct outcome *first,
                         struct scaling *scaling, FILE *out)
{
    const struct cell *c = &first->cell;
    const struct outcome *const *series;
    char text[1024];
    size_t count;

    series = results_series(r, c, &count);
    fprintf(out, "\n%s, %s", c->workload, c->mode);
    print_rare_dials(r, c, out);
    fputs("\n  threads  speed-up  interval        efficiency  Karp-Flatt\n", out);
    for (size_t i = 0; i < count; i++)
        print_step(r, series[i], out);
    if (judge_scaling(r, c, scaling))
        print_paragraph(scaling_reading(scaling, text, sizeof text), INDENT, out);
    else
        fprintf(out, "%*sno scalability law: %s\n", INDENT, "", scaling->refusal);
}

void show_scaling(const struct results *r, FILE *out)
{
    struct scaling *scaling = malloc(sizeof *scaling);

    for (size_t i = 0; i < r->count && scaling; i++)
        if (begins_series(r, &r->outcome[i]))
            print_series(r, &r->outcome[i], scaling, out);
    free(scaling);
    fputs("\nspeed-up: times one thread of the same mode. efficiency: of what each thread could "
          "do alone.\nKarp-Flatt: the share of the work that would have to be serial to explain "
          "it; if it grows\nwith the threads, something else holds them up.\n",
          out);
}

/* One column: what to add up of a worker; negative: not known. */
struct counted {
    const char *name;
    int64_t (*of)(const struct sample *s);
};

static int64_t cycles(const struct sample *s)
{
    return s->cycles;
}

static int64_t instructions(const struct sample *s)
{
    return s->instructions;
}

static int64_t cache_misses(const struct sample *s)
{
    return s->cache_misses;
}

static int64_t switches(const struct sample *s)
{
    if (s->voluntary_switches < 0 || s->involuntary_switches < 0)
        return -1;
    return s->voluntary_switches + s->involuntary_switches;
}

static int64_t cpu_ns(const struct sample *s)
{
    return (int64_t)(s->cpu_seconds * 1e9);
}

static const struct counted counted[] = {
    { "cpu ns", cpu_ns },
    { "cycles", cycles },
    { "instructions", instructions },
    { "cache misses", cache_misses },
    { "switches", switches },
};

/* Of the first role, for each operation; negative: not known. Where another process asks, that is
 * who stands for it here: what its servers take is in --waits. */
static double per_operation(const struct measurement *m, const struct counted *what)
{
    double sum = 0, ops = 0;

    for (int i = 0; i < m->samples; i++) {
        const struct sample *s = &m->sample[i];

        if (s->role_index)
            continue;
        if (what->of(s) < 0)
            return -1;
        sum += (double)what->of(s);
        ops += (double)s->ops;
    }
    return ops > 0 ? sum / ops : -1;
}

static struct estimate median_of(const struct outcome *o, const struct counted *what)
{
    double *values = calloc((size_t)o->rounds + 1, sizeof *values);
    struct estimate e = { 0 };
    size_t count = 0;

    for (int k = 0; k < o->rounds && values; k++) {
        double value = measured(&o->round[k]) ? per_operation(&o->round[k], what) : -1;

        if (value >= 0)
            values[count++] = value;
    }
    if (count)
        e = estimate_median(values, count);
    free(values);
    return e;
}

/* And the threads. A mode that is too long has a line of its own. */
static void print_mode(const struct cell *c, FILE *out)
{
    if (strlen(c->mode) > MODE_WIDTH)
        fprintf(out, "  %s\n  %*s %7d", c->mode, MODE_WIDTH, "", c->threads);
    else
        fprintf(out, "  %-*s %7d", MODE_WIDTH, c->mode, c->threads);
}

static void print_counts(const struct outcome *o, FILE *out)
{
    print_mode(&o->cell, out);
    for (size_t i = 0; i < sizeof counted / sizeof *counted; i++) {
        struct estimate e = median_of(o, &counted[i]);

        if (e.count)
            fprintf(out, " %12.4g", e.median);
        else
            fprintf(out, " %12s", "-");
    }
    fputc('\n', out);
}

static void print_counts_head(const struct results *r, const struct cell *c, FILE *out)
{
    fprintf(out, "\n%s", c->workload);
    print_rare_dials(r, c, out);
    fprintf(out, ": for each %s\n  %-*s %7s", c->unit, MODE_WIDTH, "mode", "threads");
    for (size_t i = 0; i < sizeof counted / sizeof *counted; i++)
        fprintf(out, " %12s", counted[i].name);
    fputc('\n', out);
}

/* Why there are no hardware counters, as the run has it on record. */
static void print_reason(struct store *store, int64_t run, FILE *out)
{
    sqlite3_stmt *q = NULL;

    if (sqlite3_prepare_v2(store_database(store),
                           "SELECT value FROM facts WHERE run = ? AND "
                           "moment = 'run' AND name = 'perf_counters'",
                           -1, &q, NULL) == SQLITE_OK) {
        sqlite3_bind_int64(q, 1, run);
        if (sqlite3_step(q) == SQLITE_ROW && sqlite3_column_text(q, 0) &&
            strcmp((const char *)sqlite3_column_text(q, 0), "available"))
            fprintf(out,
                    "cycles, instructions and cache misses were not to be had: "
                    "perf_event_open says %s.\n",
                    sqlite3_column_text(q, 0));
    }
    sqlite3_finalize(q);
}

/* A table for each workload and build: its head, and a row for each cell that was run. */
static void print_tables(const struct results *r,
                         void (*print_head)(const struct results *r, const struct cell *c,
                                            FILE *out),
                         void (*print_row)(const struct outcome *o, FILE *out), FILE *out)
{
    const struct cell *last = NULL;

    for (size_t i = 0; i < r->count; i++) {
        const struct cell *c = &r->outcome[i].cell;

        if (c->refusal || c->control)
            continue;
        if (!last || !comparable(c, last))
            print_head(r, c, out);
        last = c;
        print_row(&r->outcome[i], out);
    }
}

void show_counters(struct store *store, int64_t run, const struct results *r, FILE *out)
{
    print_tables(r, print_counts_head, print_counts, out);
    fputs(
        "\nMedians over the windows. switches: of the worker by the kernel, voluntary (it waited) "
        "or not.\n",
        out);
    print_reason(store, run, out);
}

/* In a column of its own; negative: not known. */
static void print_amount(double amount, const char *format, FILE *out)
{
    if (amount < 0)
        fprintf(out, " %12s", "-");
    else
        fprintf(out, format, amount);
}

static double each(int64_t bytes, int64_t objects)
{
    return bytes < 0 || objects <= 0 ? -1 : (double)bytes / (double)objects;
}

static void print_memory(const struct outcome *o, FILE *out)
{
    const struct measurement *w = outcome_counted(o);
    const struct heap_counts *m = w ? &w->memory : NULL;

    print_mode(&o->cell, out);
    if (!m) {
        fprintf(out, " %12s %12s %12s %12s %12s\n", "-", "-", "-", "-", "-");
        return;
    }
    print_amount((double)m->most, " %12.0f", out);
    print_amount(each(m->asked_bytes, m->most), " %12.1f", out);
    print_amount(each(m->taken_bytes, m->most), " %12.1f", out);
    print_amount((double)(m->taken_bytes < 0 ? m->asked_bytes : m->taken_bytes) / 1024, " %12.1f",
                 out);
    fprintf(out, " %12lld\n", (long long)m->live);
}

static void print_memory_head(const struct results *r, const struct cell *c, FILE *out)
{
    fprintf(out, "\n%s", c->workload);
    print_rare_dials(r, c, out);
    fprintf(out, ": what its objects take\n  %-*s %7s %12s %12s %12s %12s %12s\n", MODE_WIDTH,
            "mode", "threads", "objects", "asked each", "taken each", "peak KiB", "left");
}

void show_memory(const struct results *r, FILE *out)
{
    print_tables(r, print_memory_head, print_memory, out);
    fputs("\nCounted in a window of its own. objects: alive at once, at most. each: the most bytes "
          "at\n"
          "once, tables included, by that; asked of the heap, and taken by it, rounded up (-: it "
          "does\n"
          "not say). peak: of bytes taken, or else asked. left: alive when all had ended.\n",
          out);
}

/* "5.1 ms" */
static void print_ns(uint64_t ns, FILE *out)
{
    char text[24];

    fprintf(out, " %9s", human_ns((double)ns, text, sizeof text));
}

/* 0: not known. */
static void print_time(double ns, FILE *out)
{
    char text[24] = "-";

    if (ns > 0)
        human_ns(ns, text, sizeof text);
    fprintf(out, " %7s", text);
}

static void print_count(const struct estimate *e, FILE *out)
{
    if (e->count)
        fprintf(out, " %8.3g", e->median);
    else
        fprintf(out, " %8s", "-");
}

static void print_connections(const struct waits *w, FILE *out)
{
    char text[24];

    if (!w->connections || !w->connection_bytes.count)
        return;
    fprintf(out, "%*s%lld connection%s, with each came %s of resident memory", INDENT, "",
            (long long)w->connections, w->connections > 1 ? "s" : "",
            human_bytes(w->connection_bytes.median, text, sizeof text));
    if (w->heap_bytes >= 0)
        fprintf(out, ", of it %s of objects", human_bytes(w->heap_bytes, text, sizeof text));
    fputc('\n', out);
}

static void print_waits(const struct outcome *o, FILE *out)
{
    struct waits w;
    bool known = outcome_waits(o, &w);

    print_mode(&o->cell, out);
    print_time(w.p50_ns.median, out);
    print_time(w.p90_ns.median, out);
    print_time(w.p99_ns.median, out);
    print_time(w.p999_ns.median, out);
    print_time((double)w.max_ns, out);
    print_time(w.cpu_ns.median, out);
    print_count(&w.voluntary_switches, out);
    print_count(&w.involuntary_switches, out);
    fputc('\n', out);
    if (known)
        print_connections(&w, out);
}

static void print_waits_head(const struct results *r, const struct cell *c, FILE *out)
{
    fprintf(out, "\n%s", c->workload);
    print_rare_dials(r, c, out);
    fprintf(out, ": what a %s takes\n  %-*s %7s %7s %7s %7s %7s %7s %7s %8s %8s\n", c->unit,
            MODE_WIDTH, "mode", "threads", "p50", "p90", "p99", "p99.9", "longest", "CPU", "waited",
            "lost CPU");
}

void show_waits(const struct results *r, FILE *out)
{
    print_tables(r, print_waits_head, print_waits, out);
    fputs("\nMedians over the windows, and the longest of all. Latencies are of all workers of the "
          "first role\n"
          "together (-: none is recorded). CPU: processor time of all threads of the window's "
          "processes, for\n"
          "each operation. waited, lost CPU: how often a thread gave its processor up, or it was "
          "taken away,\n"
          "for each operation. Another process that only asks or answers is not counted.\n",
          out);
}

static void print_pauses(const struct outcome *o, FILE *out)
{
    struct collections c;
    bool known = outcome_collections(o, &c);

    print_mode(&o->cell, out);
    if (!known || !(c.young + c.all)) {
        fprintf(out, " %9s\n", known ? "none" : "-");
        return;
    }
    fprintf(out, " %9llu %9llu %9llu", (unsigned long long)c.young, (unsigned long long)c.all,
            (unsigned long long)c.garbage);
    print_ns(c.total_ns, out);
    print_ns(c.p50_ns, out);
    print_ns(c.p99_ns, out);
    print_ns(c.longest_ns, out);
    fputc('\n', out);
}

static void print_pauses_head(const struct results *r, const struct cell *c, FILE *out)
{
    fprintf(out, "\n%s", c->workload);
    print_rare_dials(r, c, out);
    fprintf(out, ": what the cycle collector did\n  %-*s %7s %9s %9s %9s %9s %9s %9s %9s\n",
            MODE_WIDTH, "mode", "threads", "young", "all", "garbage", "paused", "p50", "p99",
            "longest");
}

void show_pauses(const struct results *r, FILE *out)
{
    print_tables(r, print_pauses_head, print_pauses, out);
    fputs("\nOf all timed windows. young, all: collections that looked at young containers, at all. "
          "garbage:\n"
          "containers found dead. paused: how long the world stood still, in all. p50, p99: of a "
          "pause,\n"
          "medians over the windows. none: nothing was collected. -: the file is of an older "
          "lab.\n",
          out);
}
