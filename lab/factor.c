/* factor.c - a parameter as a factor of a matrix. */
#include "lab/factor.h"

#include "gil/gil.h"
#include "lab/names.h"
#include "lab/runtimes.h"

#include <stdio.h>
#include <string.h>

enum { PARAMS_MOST = 128 }; /* of all locks, or of all workloads */

bool factor_is_of_lock(const char *key)
{
    return strncmp(key, "gil.", 4) == 0;
}

bool factor_is(const char *key)
{
    return factor_is_of_lock(key) || strncmp(key, "workload.", 9) == 0;
}

const char *factor_name(const char *key)
{
    return strchr(key, '.') + 1;
}

/* The parameters of lock or workload number `index`; NULL behind the last. */
static const struct param *table_at(bool of_lock, int index)
{
    const struct named_workload *w = &runtime_list[0].runtime->workloads[index];

    if (of_lock)
        return gil_list[index].name ? gil_list[index].class->param : NULL;
    return w->name ? w->workload->param : NULL;
}

/* Every parameter once, with the widest bounds. */
static void gather(bool of_lock, struct param *all)
{
    const struct param *table;
    int count = 0;

    for (int i = 0; (table = table_at(of_lock, i)); i++)
        for (int k = 0; k < PARAM_MAX && table[k].name; k++) {
            int at = 0;

            while (at < count && strcmp(all[at].name, table[k].name) != 0)
                at++;
            if (at == count && count < PARAMS_MOST)
                all[count++] = table[k];
            if (at == count)
                continue;
            if (table[k].least < all[at].least)
                all[at].least = table[k].least;
            if (table[k].most > all[at].most)
                all[at].most = table[k].most;
        }
}

int factor_find(const char *key, struct param *out, struct mistake *m)
{
    struct param all[PARAMS_MOST + 1] = { 0 };
    struct names names =
        NAMES_OF(factor_is_of_lock(key) ? "parameter of locks" : "parameter of workloads", all);
    int i;

    gather(factor_is_of_lock(key), all);
    i = names_find(&names, factor_name(key), m);
    if (i < 0)
        return -1;
    *out = all[i];
    return 0;
}

int factor_explain(const char *key, struct mistake *m)
{
    static const char *const prefixes[] = { "workload.", "gil." };
    struct mistake unknown;
    struct param param;
    char whole[LABEL_MAX];

    for (size_t i = 0; i < sizeof prefixes / sizeof *prefixes; i++) {
        snprintf(whole, sizeof whole, "%s%s", prefixes[i], key);
        if (factor_find(whole, &param, &unknown) == 0)
            return mistake_set(m, "'%s' is a parameter; write '%s'", key, whole);
    }
    return -1;
}

/* Level number `i` of the dial: what was typed, and the parameters that it has. */
static const char *level_at(const struct dials *d, int letter, int i, const struct param **table)
{
    switch (letter) {
    case 'm':
        *table = d->mode.item[i].lock->param;
        return d->mode.item[i].label;
    case 'g':
        *table = table_at(true, d->gil.item[i].index);
        return d->gil.item[i].label;
    default:
        *table = table_at(false, d->workload.item[i].index);
        return d->workload.item[i].label;
    }
}

/* Its index; -1: it has none of this name. */
static int param_index(const struct param *table, const char *name)
{
    for (int i = 0; i < PARAM_MAX && table[i].name; i++)
        if (strcmp(table[i].name, name) == 0)
            return i;
    return -1;
}

/* Whether "interval:force=0" sets `name` itself. */
static bool sets(const char *label, const char *name)
{
    size_t length = strlen(name);

    for (const char *p = strchr(label, ':'); p; p = strchr(p + 1, ':'))
        if (strncmp(p + 1, name, length) == 0 && p[1 + length] == '=')
            return true;
    return false;
}

/* A comma list that grows. */
struct text {
    char text[LIST_MAX * LABEL_MAX];
    size_t used;
};

static int append(struct text *t, const char *label, const char *name, const int64_t *value,
                  struct mistake *m)
{
    size_t room = sizeof t->text - t->used;
    int length = snprintf(t->text + t->used, room, "%s%s", t->used ? "," : "", label);

    if (value && (size_t)length < room)
        length += snprintf(t->text + t->used + length, room - (size_t)length, ":%s=%lld", name,
                           (long long)*value);
    if ((size_t)length >= room)
        return mistake_set(m, "%s: more than %d levels", name, LIST_MAX);
    t->used += (size_t)length;
    return 0;
}

/* One level times the values: whether it has the parameter; or -1. */
static int cross_level(struct text *t, const char *label, const struct param *table,
                       const char *name, const char *values, struct mistake *m)
{
    int k = param_index(table, name);
    struct numbers numbers;

    if (k < 0)
        return append(t, label, name, NULL, m);
    if (sets(label, name))
        return mistake_set(m, "%s: '%s' among the levels sets it, too", name, label);
    if (parse_numbers(name, values, table[k].least, table[k].most, &numbers, m) < 0)
        return -1;
    for (int i = 0; i < numbers.count; i++)
        if (append(t, label, name, &numbers.item[i], m) < 0)
            return -1;
    return 1;
}

static int cross_dial(struct dials *d, int letter, int count, const char *name, const char *values,
                      struct mistake *m)
{
    struct text t = { .used = 0 };
    const struct param *table;
    int crossed = 0;

    for (int i = 0; i < count; i++) {
        const char *label = level_at(d, letter, i, &table);
        int has = cross_level(&t, label, table, name, values, m);

        if (has < 0)
            return -1;
        crossed += has;
    }
    return crossed && dials_take(d, letter, t.text, m) < 0 ? -1 : crossed;
}

int factor_cross(struct dials *d, const char *key, const char *values, struct mistake *m)
{
    const char *name = factor_name(key);
    int modes, locks;

    if (!factor_is_of_lock(key))
        return cross_dial(d, 'w', d->workload.count, name, values, m);
    modes = cross_dial(d, 'm', d->mode.count, name, values, m);
    locks = modes < 0 ? -1 : cross_dial(d, 'g', d->gil.count, name, values, m);
    return locks < 0 ? -1 : modes + locks;
}
