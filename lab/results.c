/* results.c - what a run has measured, and estimates over its rounds. */
#include "lab/results.h"

#include "lab/intern.h"
#include "lab/plan.h"

#include <stdlib.h>
#include <string.h>

/* Texts are interned, so that equal ones have one address. */
static int by_text(const char *a, const char *b)
{
    return ((uintptr_t)a > (uintptr_t)b) - ((uintptr_t)a < (uintptr_t)b);
}

/* All but the threads. */
static int by_series(const struct cell *a, const struct cell *b)
{
    int difference = by_text(a->workload, b->workload);

    if (!difference)
        difference = by_text(a->heap, b->heap);
    if (!difference)
        difference = by_text(a->build, b->build);
    if (!difference)
        difference = by_text(a->mode, b->mode);
    if (!difference)
        difference = by_text(a->execution_unit, b->execution_unit);
    if (!difference)
        difference = a->units - b->units;
    return difference ? difference : a->control - b->control;
}

static int by_cell(const void *left, const void *right)
{
    const struct cell *a = &(*(const struct outcome *const *)left)->cell;
    const struct cell *b = &(*(const struct outcome *const *)right)->cell;
    int difference = by_series(a, b);

    return difference ? difference : a->threads - b->threads;
}

void results_index(struct results *r)
{
    for (size_t i = 0; i < r->count; i++)
        r->index[i] = &r->outcome[i];
    qsort(r->index, r->count, sizeof *r->index, by_cell);
}

int results_init(struct results *r, const struct cell *cell, size_t count, int cores,
                 double precision)
{
    *r = (struct results){ .cores = cores, .precision = precision, .count = count };
    r->outcome = calloc(count + 1, sizeof *r->outcome);
    r->index = calloc(count + 1, sizeof *r->index);
    if (!r->outcome || !r->index) {
        r->count = 0;
        results_free(r);
        return -1;
    }
    for (size_t i = 0; i < count; i++)
        r->outcome[i].cell = cell[i];
    results_index(r);
    return 0;
}

static void free_window(struct measurement *m)
{
    if (m)
        measurement_free(m);
    free(m);
}

void results_free(struct results *r)
{
    for (size_t i = 0; i < r->count; i++) {
        struct outcome *o = &r->outcome[i];

        for (int k = 0; k < o->rounds; k++)
            measurement_free(&o->round[k]);
        free_window(o->audit);
        free_window(o->stats);
        free(o->round);
    }
    free(r->outcome);
    free(r->index);
    *r = (struct results){ 0 };
}

static struct measurement *next_round(struct outcome *o)
{
    if (o->rounds == o->room) {
        int room = o->room ? 2 * o->room : 8;
        struct measurement *round = realloc(o->round, (size_t)room * sizeof *round);

        if (!round)
            return NULL;
        o->round = round;
        o->room = room;
    }
    o->round[o->rounds] = (struct measurement){ 0 };
    return &o->round[o->rounds++];
}

struct measurement *outcome_window(struct outcome *o, enum window_kind kind)
{
    struct measurement **window = kind == WINDOW_AUDIT ? &o->audit : &o->stats;

    if (kind == WINDOW_TIMED)
        return next_round(o);
    if (!*window)
        *window = calloc(1, sizeof **window);
    return *window;
}

bool comparable(const struct cell *a, const struct cell *b)
{
    return a->workload == b->workload && a->heap == b->heap && a->build == b->build &&
           same_units(a, b) && !a->control == !b->control;
}

static const struct outcome **find(const struct results *r, const struct cell *like,
                                   const char *mode, int threads)
{
    struct outcome wanted = { .cell = *like };
    const struct outcome *key = &wanted;

    wanted.cell.mode = intern(mode);
    wanted.cell.threads = threads;
    return bsearch(&key, r->index, r->count, sizeof *r->index, by_cell);
}

const struct outcome *results_find(const struct results *r, const struct cell *like,
                                   const char *mode, int threads)
{
    const struct outcome **found = find(r, like, mode, threads);

    return found ? *found : NULL;
}

const struct outcome *const *results_series(const struct results *r, const struct cell *like,
                                            size_t *count)
{
    const struct outcome **first = find(r, like, like->mode, like->threads), **end = first;
    const struct outcome **all = r->index + r->count;

    while (first && first > r->index && !by_series(&first[-1]->cell, like))
        first--;
    while (end && end < all && !by_series(&(*end)->cell, like))
        end++;
    *count = (size_t)(end - first);
    return first;
}

const struct outcome *results_nolock(const struct results *r, const struct cell *like)
{
    const struct outcome *found = results_find(r, like, "nolock", like->base);

    return found ? found : results_find(r, like, "plain+none", like->base);
}

bool results_simulated(const struct results *r)
{
    for (size_t i = 0; i < r->count; i++)
        for (int k = 0; k < r->outcome[i].rounds; k++)
            if (r->outcome[i].round[k].samples)
                return !strcmp(r->outcome[i].round[k].sample[0].binding, "simulated");
    return false;
}

bool measured(const struct measurement *m)
{
    return (m->status == STATUS_OK || m->status == STATUS_EARLY) && m->seconds > 0;
}

const struct measurement *outcome_counted(const struct outcome *o)
{
    for (int i = 0; i < o->rounds; i++)
        if (o->round[i].counted)
            return &o->round[i];
    return NULL;
}

const struct measurement *outcome_held_back(const struct outcome *o)
{
    const struct measurement *worst = NULL;

    for (int i = 0; i < o->rounds; i++)
        if (o->round[i].handed_over && (!worst || o->round[i].held_back > worst->held_back))
            worst = &o->round[i];
    return worst;
}

/* The median over the rounds of what `value` says of each; zeros count only if `zeros`. */
static struct estimate over_rounds(const struct outcome *o,
                                   double (*value)(const struct measurement *m), bool zeros)
{
    double values[ROUNDS_MAX];
    size_t count = 0;

    for (int i = 0; i < o->rounds; i++)
        if (measured(&o->round[i])) {
            values[count] = value(&o->round[i]);
            count += zeros || values[count] > 0;
        }
    return estimate_median(values, count);
}

struct estimate outcome_rate(const struct outcome *o)
{
    return over_rounds(o, measurement_rate, true);
}

bool tells_fairness(const struct outcome *o)
{
    int counted = 0;

    for (int k = 0; k < o->rounds && !counted; k++)
        for (int i = 0; measured(&o->round[k]) && i < o->round[k].samples; i++)
            counted += o->round[k].sample[i].role_index == 0;
    return counted > 1;
}

struct estimate outcome_fairness(const struct outcome *o)
{
    return over_rounds(o, measurement_fairness, false);
}

static double p50_ns(const struct measurement *m)
{
    return (double)measurement_p50_ns(m);
}

struct estimate outcome_p50_ns(const struct outcome *o)
{
    return over_rounds(o, p50_ns, false);
}

static double pause_p50_ns(const struct measurement *m)
{
    return (double)m->collections.p50_ns;
}

static double pause_p99_ns(const struct measurement *m)
{
    return (double)m->collections.p99_ns;
}

bool outcome_collections(const struct outcome *o, struct collections *c)
{
    bool watched = false;

    *c = (struct collections){ 0 };
    for (int i = 0; i < o->rounds; i++) {
        const struct collections *more = &o->round[i].collections;

        if (!measured(&o->round[i]) || !o->round[i].watched)
            continue;
        watched = true;
        c->young += more->young;
        c->all += more->all;
        c->garbage += more->garbage;
        c->total_ns += more->total_ns;
        if (more->longest_ns > c->longest_ns)
            c->longest_ns = more->longest_ns;
    }
    c->p50_ns = (uint64_t)over_rounds(o, pause_p50_ns, false).median;
    c->p99_ns = (uint64_t)over_rounds(o, pause_p99_ns, false).median;
    return watched;
}

/* ---- what waiting costs ---- */

static double latency_p50_ns(const struct measurement *m)
{
    return (double)m->latency.p50_ns;
}

static double latency_p90_ns(const struct measurement *m)
{
    return (double)m->latency.p90_ns;
}

static double latency_p99_ns(const struct measurement *m)
{
    return (double)m->latency.p99_ns;
}

static double latency_p999_ns(const struct measurement *m)
{
    return (double)m->latency.p999_ns;
}

/* Of the first role; negative: nobody looked, or there were no operations. */
static double per_operation(const struct measurement *m, double amount)
{
    double ops = measurement_rate(m) * m->seconds;

    return m->used && ops > 0 ? amount / ops : -1;
}

static double cpu_ns(const struct measurement *m)
{
    return per_operation(m, m->usage.cpu_seconds * 1e9);
}

static double voluntary_switches(const struct measurement *m)
{
    return per_operation(m, (double)m->usage.voluntary_switches);
}

static double involuntary_switches(const struct measurement *m)
{
    return per_operation(m, (double)m->usage.involuntary_switches);
}

static double connection_bytes(const struct measurement *m)
{
    if (!m->used || m->usage.connections <= 0 || m->usage.grown_bytes < 0)
        return -1;
    return (double)m->usage.grown_bytes / (double)m->usage.connections;
}

/* The median over the rounds of which it is known. */
static struct estimate over_known(const struct outcome *o,
                                  double (*value)(const struct measurement *m))
{
    double values[ROUNDS_MAX];
    size_t count = 0;

    for (int i = 0; i < o->rounds; i++)
        if (measured(&o->round[i])) {
            values[count] = value(&o->round[i]);
            count += values[count] >= 0;
        }
    return estimate_median(values, count);
}

static double heap_bytes(const struct outcome *o, int64_t connections)
{
    const struct measurement *counted = outcome_counted(o);
    const struct heap_counts *m = counted ? &counted->memory : NULL;

    if (!m || !connections)
        return -1;
    return (double)(m->taken_bytes < 0 ? m->asked_bytes : m->taken_bytes) / (double)connections;
}

bool outcome_waits(const struct outcome *o, struct waits *w)
{
    bool known = false;

    *w = (struct waits){ .max_ns = 0 };
    for (int i = 0; i < o->rounds; i++) {
        const struct measurement *m = &o->round[i];

        if (!measured(m) || !m->used)
            continue;
        known = true;
        w->connections = m->usage.connections;
        if (m->latency.max_ns > w->max_ns)
            w->max_ns = m->latency.max_ns;
    }
    w->p50_ns = over_rounds(o, latency_p50_ns, false);
    w->p90_ns = over_rounds(o, latency_p90_ns, false);
    w->p99_ns = over_rounds(o, latency_p99_ns, false);
    w->p999_ns = over_rounds(o, latency_p999_ns, false);
    w->cpu_ns = over_known(o, cpu_ns);
    w->voluntary_switches = over_known(o, voluntary_switches);
    w->involuntary_switches = over_known(o, involuntary_switches);
    w->connection_bytes = over_known(o, connection_bytes);
    w->heap_bytes = heap_bytes(o, w->connections);
    return known;
}

static double rate_of(const struct outcome *o, int round)
{
    return round < o->rounds && measured(&o->round[round]) ? measurement_rate(&o->round[round])
                                                            : -1;
}

struct estimate outcome_ratio(const struct outcome *o, const struct outcome *base)
{
    double a[ROUNDS_MAX], b[ROUNDS_MAX];
    int rounds = o->rounds;

    if (!base)
        return (struct estimate){ 0 };
    for (int i = 0; i < rounds; i++) {
        a[i] = rate_of(o, i);
        b[i] = rate_of(base, i);
    }
    return estimate_ratio(a, b, (size_t)rounds);
}

static const char *human(double value, const char *const *units, double step, char *text,
                         size_t size_bytes)
{
    while (value >= step * 0.9995 && units[1]) {
        value /= step;
        units++;
    }
    snprintf(text, size_bytes, "%.*f%s%s", value < 9.995 ? 2 : value < 99.95 ? 1 : 0, value,
             **units ? " " : "", *units);
    return text;
}

const char *human_rate(double rate, char *text, size_t size_bytes)
{
    static const char *const units[] = { "", "k", "M", "G", NULL };

    return human(rate, units, 1000, text, size_bytes);
}

const char *human_ns(double ns, char *text, size_t size_bytes)
{
    static const char *const units[] = { "ns", "us", "ms", "s", NULL };

    return human(ns, units, 1000, text, size_bytes);
}

const char *human_bytes(double bytes, char *text, size_t size_bytes)
{
    static const char *const units[] = { "bytes", "KiB", "MiB", "GiB" };
    int unit = 0;

    while (bytes >= 1023.5 && unit < 3) {
        bytes /= 1024;
        unit++;
    }
    snprintf(text, size_bytes, "%.*f %s", unit && bytes < 99.95 ? 1 : 0, bytes, units[unit]);
    return text;
}
