/* dials.c - the factors of a matrix. */
#include "lab/dials.h"

#include "lab/runtimes.h"

#include <jansson.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>

static bool is_text(const char *bytes)
{
    json_t *text = json_string(bytes);

    json_decref(text);
    return text != NULL;
}

/* Whether there are such programs is for the plan to see. */
static int set_build(struct dials *d, const char *levels, struct mistake *m)
{
    d->builds = 0;
    for (const char *rest = levels; rest;) {
        size_t length = strcspn(rest, ",");

        if (d->builds == BUILDS_MAX)
            return mistake_set(m, "build: more than %d programs", BUILDS_MAX);
        if (length >= LABEL_MAX)
            return mistake_set(m, "build: '%.40s...' is longer than %d characters", rest,
                               LABEL_MAX - 1);
        if (length == 4 && !strncmp(rest, "self", 4))
            d->build[d->builds][0] = '\0';
        else
            snprintf(d->build[d->builds], LABEL_MAX, "%.*s", (int)length, rest);
        if (!is_text(d->build[d->builds]))
            return mistake_set(m, "build: '%s' is not UTF-8, which results are written in",
                               d->build[d->builds]);
        for (int i = 0; i < d->builds; i++)
            if (!strcmp(d->build[i], d->build[d->builds]))
                return mistake_set(m, "build: '%.*s' is there twice", (int)length, rest);
        d->builds++;
        rest = rest[length] ? rest + length + 1 : NULL;
    }
    return 0;
}

int dials_take(struct dials *d, int letter, const char *levels, struct mistake *m)
{
    switch (letter) {
    case 'w':
        return parse_workloads(levels, &d->workload, m);
    case 'm':
        return parse_modes(levels, &d->mode, m);
    case 'p':
        return parse_policies(levels, &d->policy, m);
    case 'g':
        return parse_locks(levels, &d->gil, m);
    case 'H':
        return parse_heaps(levels, &d->heap, m);
    case 'U':
        return parse_units(levels, &d->unit, m);
    case 'N':
        return parse_numbers("units", levels, 1, UNITS_MOST, &d->units, m);
    case 't':
        return parse_numbers("threads", levels, 0, THREADS_MOST, &d->threads, m);
    case 'B':
        return set_build(d, levels, m);
    default:
        return 1;
    }
}

/* Adds to the modes each policy with each lock. */
static int cross_modes(struct dials *d, struct mistake *m)
{
    char text[LIST_MAX * LABEL_MAX];
    size_t used = 0;

    if (!d->policy.count && !d->gil.count)
        return 0;
    if (!d->policy.count || !d->gil.count)
        return mistake_set(m, "policy and gil go together; or give pairs: mode biased+none");
    for (int p = 0; p < d->policy.count; p++)
        for (int g = 0; g < d->gil.count; g++) {
            used += (size_t)snprintf(text + used, sizeof text - used, "%s%s+%s", used ? "," : "",
                                     d->policy.item[p].label, d->gil.item[g].label);
            if (used >= sizeof text)
                return mistake_set(m, "policy and gil: more than %d pairs", LIST_MAX);
        }
    if (d->mode.count)
        return mistake_set(m, "mode and policy with gil exclude one another");
    return parse_modes(text, &d->mode, m);
}

int dials_complete(struct dials *d, struct mistake *m)
{
    if (cross_modes(d, m) < 0)
        return -1;
    if (!d->workload.count && parse_workloads("fib,fib_shared,sleep,echo", &d->workload, m) < 0)
        return -1;
    if (!d->mode.count && parse_modes("gil,atomic,biased,nolock", &d->mode, m) < 0)
        return -1;
    if (!d->heap.count && parse_heaps("jemalloc", &d->heap, m) < 0)
        return -1;
    if (!d->unit.count && parse_units("thread", &d->unit, m) < 0)
        return -1;
    if (!d->units.count && parse_numbers("units", "100", 1, UNITS_MOST, &d->units, m) < 0)
        return -1;
    if (!d->threads.count &&
        parse_numbers("threads", "1,2,4,8", 0, THREADS_MOST, &d->threads, m) < 0)
        return -1;
    return d->builds ? 0 : set_build(d, "self", m);
}

int dials_units_of(const struct dials *d, int unit)
{
    const struct named_unit *named = runtime_list[0].runtime->units;

    return named[d->unit.item[unit].index].unit->carried == CARRIED_BY_ITSELF ? 1 : d->units.count;
}

size_t dials_count(const struct dials *d)
{
    size_t units = 0;

    for (int u = 0; u < d->unit.count; u++)
        units += (size_t)dials_units_of(d, u);
    return (size_t)d->workload.count * (size_t)d->mode.count * (size_t)d->heap.count * units *
           (size_t)d->threads.count * (size_t)d->builds;
}
