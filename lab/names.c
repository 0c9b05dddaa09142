/* names.c - looking a name up in a table, and suggesting the nearest. */
#include "lab/names.h"

#include "gil/gil.h"
#include "lab/runtimes.h"

#include <stdio.h>
#include <string.h>

enum { NAME_MAX_LENGTH = 63 }; /* of what is worth a suggestion */

static bool is_second_build(const void *entry)
{
    const struct runtime *runtime = ((const struct named_runtime *)entry)->runtime;

    return runtime->audited || runtime->counts;
}

struct names names_policies(void)
{
    struct names names = NAMES_OF("policy", runtime_list);

    names.hidden = is_second_build;
    return names;
}

struct names names_locks(void)
{
    return NAMES_OF("lock", gil_list);
}

struct names names_workloads(void)
{
    return NAMES_OF("workload", runtime_list[0].runtime->workloads);
}

struct names names_units(void)
{
    return NAMES_OF("unit", runtime_list[0].runtime->units);
}

struct names names_heaps(void)
{
    return NAMES_OF("heap", runtime_list[0].runtime->heaps);
}

struct names names_demos(void)
{
    return NAMES_OF("demo", runtime_list[0].runtime->demos);
}

struct names names_micros(void)
{
    return NAMES_OF("micro-benchmark", runtime_list[0].runtime->micros);
}

struct names names_params(const struct param *table)
{
    struct names names = NAMES_OF("parameter", table);

    names.most = PARAM_MAX;
    return names;
}

static const void *entry_at(const struct names *names, int index)
{
    return (const char *)names->first + (size_t)index * names->stride_bytes;
}

const char *names_at(const struct names *names, int index)
{
    return index < names->most ? *(const char *const *)entry_at(names, index) : NULL;
}

bool names_hidden(const struct names *names, int index)
{
    return names->hidden && names->hidden(entry_at(names, index));
}

static int least_of(int a, int b, int c)
{
    int least = a < b ? a : b;

    return least < c ? least : c;
}

/* Rows of the usual table of prefixes, three of them kept: a swap looks back two.
 * (The optimal string alignment distance; Damerau, CACM 7(3), 1964.) */
static int distance(const char *a, const char *b)
{
    int row[3][NAME_MAX_LENGTH + 1];
    int length_a = (int)strlen(a), length_b = (int)strlen(b);

    for (int j = 0; j <= length_b; j++)
        row[0][j] = j;
    for (int i = 1; i <= length_a; i++) {
        int *now = row[i % 3], *before = row[(i + 2) % 3], *before_that = row[(i + 1) % 3];

        now[0] = i;
        for (int j = 1; j <= length_b; j++) {
            now[j] =
                least_of(before[j] + 1, now[j - 1] + 1, before[j - 1] + (a[i - 1] != b[j - 1]));
            if (i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1])
                now[j] = least_of(now[j], before_that[j - 2] + 1, now[j]);
        }
    }
    return row[length_a % 3][length_b];
}

/* How many edits still make `name` a slip of the finger. */
static int tolerance(const char *name)
{
    return ((int)strlen(name) + 2) / 3;
}

const char *names_nearest(const struct names *names, const char *name)
{
    const char *nearest = NULL;
    int least = tolerance(name) + 1;

    if (strlen(name) > NAME_MAX_LENGTH)
        return NULL;
    for (int i = 0; names_at(names, i); i++) {
        const char *candidate = names_at(names, i);

        if (names_hidden(names, i) || strlen(candidate) > NAME_MAX_LENGTH)
            continue;
        if (distance(name, candidate) < least) {
            least = distance(name, candidate);
            nearest = candidate;
        }
    }
    return nearest;
}

/* "fib, echo, sleep", cut to the size of `text`. */
static void join(const struct names *names, char *text, size_t size_bytes)
{
    size_t used = 0;

    text[0] = '\0';
    for (int i = 0; names_at(names, i) && used < size_bytes; i++)
        if (!names_hidden(names, i))
            used += (size_t)snprintf(text + used, size_bytes - used, "%s%s", used ? ", " : "",
                                     names_at(names, i));
}

int names_unknown(const struct names *names, const char *name, struct mistake *m)
{
    const char *nearest = names_nearest(names, name);
    char all[sizeof m->text / 2];

    join(names, all, sizeof all);
    if (!all[0])
        return mistake_set(m, "unknown %s '%.200s'; there are none", names->kind, name);
    if (!nearest)
        return mistake_set(m, "unknown %s '%.200s'; there are: %s", names->kind, name, all);
    return mistake_set(m, "unknown %s '%.200s'; did you mean '%s'? there are: %s", names->kind,
                       name, nearest, all);
}

int names_find(const struct names *names, const char *name, struct mistake *m)
{
    for (int i = 0; names_at(names, i); i++)
        if (strcmp(names_at(names, i), name) == 0)
            return i;
    return names_unknown(names, name, m);
}
