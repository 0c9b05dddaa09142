/* waiting.c - points of cpu_fraction, and how two of them are compared. */
#include "lab/waiting.h"

#include "lab/parse.h"
#include "lab/plan.h"
#include "lab/runtimes.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const char workload_name[] = "cpu_fraction";

/* No interval of fewer windows holds 93 %. */
static const double least_confidence = 0.93;

const double least_margin = 0.05;
static const double most_floor = 0.25;

/* Of the parameters in a label; what is not in it is as the workload says. False: it is another
 * workload, or one of another lab, with other parameters. */
static bool read_label(const char *label, struct point *p)
{
    static struct variants parsed;
    struct mistake ignored;
    const struct param *param;

    if (strncmp(label, workload_name, strlen(workload_name)) ||
        !strchr(":", label[strlen(workload_name)]) || parse_workloads(label, &parsed, &ignored) < 0)
        return false;
    param = runtime_list[0].runtime->workloads[parsed.item[0].index].workload->param;
    for (int i = 0; i < PARAM_MAX && param[i].name; i++) {
        if (!strcmp(param[i].name, "waits_percent"))
            p->waits_percent = (int)parsed.item[0].param[i];
        if (!strcmp(param[i].name, "operation_us"))
            p->operation_us = (int)parsed.item[0].param[i];
    }
    return p->operation_us > 0;
}

static int by_text(const char *a, const char *b)
{
    return a == b ? 0 : strcmp(a, b);
}

int point_carriers(const struct point *p)
{
    return p->outcome->cell.units ? p->outcome->cell.threads : 0;
}

int by_line(const struct point *a, const struct point *b)
{
    const struct cell *x = &a->outcome->cell, *y = &b->outcome->cell;
    int difference = by_text(x->heap, y->heap);

    if (!difference)
        difference = by_text(x->build, y->build);
    if (!difference)
        difference = a->operation_us - b->operation_us;
    if (!difference)
        difference = by_text(y->execution_unit, x->execution_unit); /* thread first */
    if (!difference)
        difference = point_carriers(a) - point_carriers(b);
    return difference ? difference : by_text(x->mode, y->mode);
}

static int by_place(const void *left, const void *right)
{
    const struct point *a = left, *b = right;
    int difference = by_line(a, b);

    if (!difference)
        difference = a->parallel - b->parallel;
    return difference ? difference : a->waits_percent - b->waits_percent;
}

int waiting_init(struct waiting *w, const struct results *r)
{
    *w = (struct waiting){ .point = calloc(r->count + 1, sizeof *w->point) };
    if (!w->point)
        return -1;
    for (size_t i = 0; i < r->count; i++) {
        const struct cell *c = &r->outcome[i].cell;
        struct point *p = &w->point[w->count];

        *p = (struct point){ .outcome = &r->outcome[i],
                             .parallel = c->units ? c->units : c->threads };
        w->count += !c->control && !c->refusal && read_label(c->workload, p) &&
                    outcome_rate(p->outcome).count;
    }
    qsort(w->point, w->count, sizeof *w->point, by_place);
    return 0;
}

void waiting_free(struct waiting *w)
{
    free(w->point);
    *w = (struct waiting){ 0 };
}

const struct point *waiting_find(const struct waiting *w, const struct point *like,
                                 const char *mode, const char *unit, int carriers)
{
    const struct cell *c = &like->outcome->cell;

    for (size_t i = 0; i < w->count; i++) {
        const struct point *p = &w->point[i];
        const struct cell *other = &p->outcome->cell;

        if (p->waits_percent == like->waits_percent && p->operation_us == like->operation_us &&
            p->parallel == like->parallel && point_carriers(p) == carriers &&
            other->heap == c->heap && other->build == c->build && !strcmp(other->mode, mode) &&
            !strcmp(other->execution_unit, unit))
            return p;
    }
    return NULL;
}

double rate_of_window(const struct measurement *m)
{
    return measurement_rate(m);
}

double cpu_per_operation(const struct measurement *m)
{
    double seconds = 0, ops = 0;

    for (int i = 0; i < m->samples; i++) {
        seconds += m->sample[i].cpu_seconds; /* who receives results, too */
        ops += m->sample[i].role_index ? 0 : (double)m->sample[i].ops;
    }
    return ops > 0 ? seconds / ops : -1;
}

size_t blocks_of(const struct outcome *o, quantity *of, double *values)
{
    for (int k = 0; k < ROUNDS_MAX; k++)
        values[k] = k < o->rounds && measured(&o->round[k]) ? of(&o->round[k]) : -1;
    return (size_t)o->rounds;
}

struct estimate ratio_of(const struct outcome *a, const struct outcome *b, quantity *of)
{
    static double left[ROUNDS_MAX], right[ROUNDS_MAX];
    size_t blocks = blocks_of(a, of, left);

    blocks_of(b, of, right);
    return compare_pairs(left, right, blocks).ratio;
}

enum standing standing_of(const struct estimate *ratio, double margin)
{
    double limit = 1 / (1 + margin);

    if (!ratio->count || ratio->confidence < least_confidence)
        return CANNOT_TELL;
    return ratio->high < limit ? LESS : ratio->low >= limit ? NOT_LESS : CANNOT_TELL;
}

double waiting_margin(const struct results *r, char *why, size_t size_bytes)
{
    struct floor floor = judge_floor(r);

    if (!floor.pairs || floor.confidence < least_confidence)
        snprintf(why, size_bytes,
                 "the noise floor is not known, for which the control wants five windows");
    else if (floor.share > most_floor)
        snprintf(
            why, size_bytes,
            "cells that are the same differ by up to %.0f %% here; `lab doctor` says what disturbs",
            100 * floor.share);
    else
        return floor.share > least_margin ? floor.share : least_margin;
    return -1;
}

const char *ratio_words(const struct estimate *ratio, char *text, size_t size_bytes)
{
    if (ratio->count > 1)
        snprintf(text, size_bytes, "%.2f (%.2f to %.2f)", ratio->median, ratio->low, ratio->high);
    else if (ratio->count)
        snprintf(text, size_bytes, "%.2f (of one window)", ratio->median);
    else
        snprintf(text, size_bytes, "not measured side by side");
    return text;
}

/* A process, or an interpreter, is its own carrier. */
static bool carries_itself(const char *unit)
{
    return !strcmp(unit, "process") || !strcmp(unit, "interpreter");
}

const char *line_words(const struct point *p, char *text, size_t size_bytes)
{
    const char *unit = p->outcome->cell.execution_unit;
    int carriers = point_carriers(p);

    if (carriers && carries_itself(unit))
        snprintf(text, size_bytes, "%s of %d", unit, carriers);
    else if (carriers > 1)
        snprintf(text, size_bytes, "%s on %d threads", unit, carriers);
    else
        snprintf(text, size_bytes, "%s", unit);
    return text;
}
