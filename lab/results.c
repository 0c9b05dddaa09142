/* results.c - what a run has measured, and estimates over its rounds. */
#include "lab/results.h"

#include <stdlib.h>
#include <string.h>

int results_init(struct results *r, size_t count, int rounds, int cores)
{
    *r = (struct results){ .rounds = rounds, .cores = cores };
    r->outcome = calloc(count ? count : 1, sizeof *r->outcome);
    if (!r->outcome)
        return -1;
    r->count = count;
    for (size_t i = 0; i < count; i++) {
        r->outcome[i].round = calloc((size_t)rounds, sizeof *r->outcome[i].round);
        if (!r->outcome[i].round) {
            results_free(r);
            return -1;
        }
    }
    return 0;
}

void results_free(struct results *r)
{
    for (size_t i = 0; i < r->count; i++) {
        struct outcome *o = &r->outcome[i];

        for (int k = 0; k < o->rounds; k++)
            measurement_free(&o->round[k]);
        measurement_free(&o->audit);
        free(o->round);
    }
    free(r->outcome);
    *r = (struct results){ 0 };
}

bool comparable(const struct cell *a, const struct cell *b)
{
    return !strcmp(a->workload_label, b->workload_label) && !strcmp(a->heap, b->heap);
}

const struct outcome *results_find(const struct results *r, const struct cell *like,
                                   const char *mode, int threads)
{
    for (size_t i = 0; i < r->count; i++) {
        const struct cell *c = &r->outcome[i].cell;

        if (c->threads == threads && comparable(c, like) && !strcmp(c->mode_label, mode))
            return &r->outcome[i];
    }
    return NULL;
}

int base_threads(const struct cell *cell)
{
    return cell->workload->roles[0].per_thread ? 1 : 0;
}

const struct outcome *results_nolock(const struct results *r, const struct cell *like)
{
    for (size_t i = 0; i < r->count; i++) {
        const struct cell *c = &r->outcome[i].cell;

        if (c->threads == base_threads(like) && comparable(c, like) && cell_unsafe(c) &&
            !strcmp(c->runtime->name, "plain"))
            return &r->outcome[i];
    }
    return NULL;
}

bool measured(const struct measurement *m)
{
    return (m->status == STATUS_OK || m->status == STATUS_EARLY) && m->seconds > 0;
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

struct estimate outcome_fairness(const struct outcome *o)
{
    return over_rounds(o, measurement_fairness, true);
}

static double p50_ns(const struct measurement *m)
{
    return (double)measurement_p50_ns(m);
}

struct estimate outcome_p50_ns(const struct outcome *o)
{
    return over_rounds(o, p50_ns, false);
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
