/* averager_report.c - each thread reports on groups of values, through a generator that delegates.
 *
 * A grouper delegates to an averager for each group, as in the tutorial (`lab demo
 * grouped-report`): generators that are made, primed, sent to through a delegation, and end with a
 * result.
 */
#include "benches/groups.h"
#include "benches/workload.h"
#include "objects/dict.h"
#include "objects/exception.h"
#include "objects/float.h"
#include "objects/int.h"
#include "objects/str.h"
#include "objects/tuple.h"

static bool is_report_of(const struct group *group, borrowed result)
{
    int length = group_length(group);
    double total = 0;

    for (int i = 0; i < length; i++)
        total += group->value[i];
    return int_value(tuple_get(result, 0)) == length &&
           float_value(tuple_get(result, 1)) == total / length;
}

static int check_group(borrowed results, const struct group *group)
{
    struct object *key = str_new(group->key), *result;
    int found = key ? dict_find(results, key, &result) : -1;
    bool right = found > 0 && is_report_of(group, result);

    if (found > 0)
        decref(result);
    xdecref(key);
    if (found >= 0 && !right)
        exception_set(&runtime_error, "the report on '%s' is wrong", group->key);
    return right ? 0 : -1;
}

static int check_groups(borrowed results)
{
    for (int i = 0; i < GROUPS; i++)
        if (check_group(results, &groups[i]) < 0)
            return -1;
    return 0;
}

static int step(struct worker *w)
{
    struct object *results = dict_new();
    int result = results ? groups_add_all(results, true) : -1;

    if (result == 0)
        result = check_groups(results);
    xdecref(results);
    for (int i = 0; i < GROUPS && result == 0; i++)
        worker_count(w, (uint64_t)group_length(&groups[i]));
    safepoint(w->thread);
    return result;
}

const struct workload workload_averager_report = {
    .about = "each thread reports on groups of values, through a generator that delegates",
    .unit = "value", .kind = KIND_CPU, .shares = SHARES_NOTHING, .least_threads = 1,
    .isolated = true,
    .roles = { { .name = "reporter", .per_thread = 1, .step = step } },
};
