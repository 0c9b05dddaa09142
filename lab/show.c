/* show.c - how cells scale, and what was counted in them. */
#include "lab/show.h"

#include "lab/judgement.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

enum { WIDTH = 96, INDENT = 4 };

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

/* Breaks its lines between words. */
static void print_paragraph(const char *text, FILE *out)
{
    size_t column = 0;

    while (*text) {
        size_t length = strcspn(text, " ");

        if (column && column + 1 + length > WIDTH - INDENT) {
            fputc('\n', out);
            column = 0;
        }
        column += (size_t)fprintf(out, "%*s%.*s", column ? 1 : INDENT, column ? " " : "",
                                  (int)length, text) - (column ? 0 : INDENT);
        text += length + (text[length] == ' ');
    }
    fputc('\n', out);
}

static void print_series(const struct results *r, const struct outcome *first,
                         struct scaling *scaling, FILE *out)
{
    const struct cell *c = &first->cell;
    const struct outcome *const *series;
    char text[1024];
    size_t count;

    series = results_series(r, c, &count);
    fprintf(out, "\n%s, %s%s%s\n  threads  speed-up  interval        efficiency  Karp-Flatt\n",
            c->workload, c->mode, *c->build ? ", " : "", c->build);
    for (size_t i = 0; i < count; i++)
        print_step(r, series[i], out);
    if (judge_scaling(r, c, scaling))
        print_paragraph(scaling_reading(scaling, text, sizeof text), out);
    else
        fprintf(out, "%*sno scalability law is fitted: %s\n", INDENT, "", scaling->refusal);
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
          "it; if it grows\nwith the threads, something else holds them up.\n", out);
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
    { "cpu ns", cpu_ns }, { "cycles", cycles }, { "instructions", instructions },
    { "cache misses", cache_misses }, { "switches", switches },
};

/* Of the first role, for each operation; negative: not known. */
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

static void print_counts(const struct outcome *o, FILE *out)
{
    const struct cell *c = &o->cell;

    fprintf(out, "%-22s %-14s %7d", c->workload, c->mode, c->threads);
    for (size_t i = 0; i < sizeof counted / sizeof *counted; i++) {
        struct estimate e = median_of(o, &counted[i]);

        if (e.count)
            fprintf(out, " %12.4g", e.median);
        else
            fprintf(out, " %12s", "-");
    }
    fputc('\n', out);
}

/* Why there are no hardware counters, as the run has it on record. */
static void print_reason(struct store *store, int64_t run, FILE *out)
{
    sqlite3_stmt *q = NULL;

    if (sqlite3_prepare_v2(store_database(store), "SELECT value FROM facts WHERE run = ? AND "
                           "moment = 'run' AND name = 'perf_counters'", -1, &q, NULL) == SQLITE_OK) {
        sqlite3_bind_int64(q, 1, run);
        if (sqlite3_step(q) == SQLITE_ROW && sqlite3_column_text(q, 0) &&
            strcmp((const char *)sqlite3_column_text(q, 0), "available"))
            fprintf(out, "cycles, instructions and cache misses were not to be had: "
                    "perf_event_open says %s.\n", sqlite3_column_text(q, 0));
    }
    sqlite3_finalize(q);
}

void show_counters(struct store *store, int64_t run, const struct results *r, FILE *out)
{
    fprintf(out, "\nFor each operation, medians over the windows:\n%-22s %-14s %7s", "workload",
            "mode", "threads");
    for (size_t i = 0; i < sizeof counted / sizeof *counted; i++)
        fprintf(out, " %12s", counted[i].name);
    fputc('\n', out);
    for (size_t i = 0; i < r->count; i++)
        if (!r->outcome[i].cell.refusal && !r->outcome[i].cell.control)
            print_counts(&r->outcome[i], out);
    fprintf(out, "switches: of the worker by the kernel, voluntary (it waited) or not.\n");
    print_reason(store, run, out);
}
