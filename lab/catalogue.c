/* catalogue.c - what can be chosen, as JSON. */
#include "lab/catalogue.h"

#include "lab/cell.h"
#include "lab/json.h"
#include "lab/names.h"
#include "lab/runtimes.h"

#include <string.h>

static json_t *params_of(const struct param *table)
{
    json_t *array = json_array();

    for (int i = 0; i < PARAM_MAX && table[i].name; i++)
        array = json_with(
            array, json_pack("{ss ss? sI sI sI}", "name", table[i].name, "about", table[i].about,
                             "standard", (json_int_t)table[i].standard, "least",
                             (json_int_t)table[i].least, "most", (json_int_t)table[i].most));
    return array;
}

static json_t *roles_of(const struct role *roles)
{
    json_t *array = json_array();

    for (int i = 0; i < ROLE_MAX && roles[i].name; i++)
        array = json_with(array, json_pack("{ss si si sb}", "name", roles[i].name, "fixed",
                                           roles[i].fixed, "per_thread", roles[i].per_thread,
                                           "records_latency", roles[i].records_latency));
    return array;
}

json_t *catalogue_modes(void)
{
    json_t *array = json_array();

    for (const struct named_mode *mode = mode_list; mode->name; mode++)
        array = json_with(array, json_pack("{ss ss ss ss sb}", "name", mode->name, "about",
                                           mode->about, "policy", mode->policy, "lock", mode->lock,
                                           "built", runtime_named(mode->policy) != NULL));
    return array;
}

static json_t *policy_named(const char *name, const struct runtime *runtime)
{
    const struct policy *policy = runtime->policy;

    return json_pack("{ss ss? ss? ss? ss? ss? ss? sb}", "name", name, "about", policy->about,
                     "cost", policy->cost, "space", policy->space, "threads", policy->threads,
                     "needs", policy->needs, "paper", policy->paper, "needs_lock",
                     runtime->needs_gil);
}

json_t *catalogue_policies(void)
{
    struct names names = names_policies();
    json_t *array = json_array();

    for (int i = 0; names_at(&names, i); i++)
        if (!names_hidden(&names, i))
            array = json_with(array, policy_named(names_at(&names, i), runtime_list[i].runtime));
    return array;
}

json_t *catalogue_locks(void)
{
    json_t *array = json_array();

    for (const struct named_gil *lock = gil_list; lock->name; lock++)
        array = json_with(array, json_pack("{ss ss? ss? sb sb so}", "name", lock->name,
                                           "about", lock->class->about, "source",
                                           lock->class->source, "excludes", lock->class->excludes,
                                           "fair", lock->class->fair, "parameters",
                                           params_of(lock->class->param)));
    return array;
}

json_t *catalogue_workloads(void)
{
    json_t *array = json_array();

    for (const struct named_workload *named = runtime_list[0].runtime->workloads; named->name;
         named++) {
        const struct workload *workload = named->workload;

        array = json_with(
            array, json_pack("{ss ss? ss ss? ss so so}", "name", named->name, "about",
                             workload->about, "kind", kind_names[workload->kind], "unit",
                             workload->unit, "shares", shares_names[workload->shares], "roles",
                             roles_of(workload->roles), "parameters", params_of(workload->param)));
    }
    return array;
}

json_t *catalogue_units(void)
{
    json_t *array = json_array();

    for (const struct named_unit *named = runtime_list[0].runtime->units; named->name; named++)
        array = json_with(array, json_pack("{ss ss? sb so}", "name", named->name, "about",
                                           named->unit->about, "awaits", named->unit->awaits,
                                           "parameters", params_of(named->unit->param)));
    return array;
}

json_t *catalogue_heaps(void)
{
    json_t *array = json_array();

    for (const struct named_heap *named = runtime_list[0].runtime->heaps; named->name; named++)
        array = json_with(array,
                          json_pack("{ss ss?}", "name", named->name, "about", named->heap->about));
    return array;
}

/* The modes of a demo, which are a list with commas, or left out. */
static json_t *words_of(const char *list)
{
    json_t *array = json_array();

    for (size_t length; list && *list; list += length + (list[length] == ',')) {
        length = strcspn(list, ",");
        array = json_with(array, json_stringn(list, length));
    }
    return array;
}

json_t *catalogue_demos(void)
{
    json_t *array = json_array();

    for (const struct named_demo *named = runtime_list[0].runtime->demos; named->name; named++)
        array =
            json_with(array, json_pack("{ss ss? so}", "name", named->name, "about",
                                       named->demo->about, "modes", words_of(named->demo->modes)));
    return array;
}

json_t *catalogue_micros(void)
{
    json_t *array = json_array();

    for (const struct named_micro *named = runtime_list[0].runtime->micros; named->name; named++)
        array =
            json_with(array, json_pack("{ss ss? sb sb sb}", "name", named->name, "about",
                                       named->micro->about, "once", named->micro->once, "per_heap",
                                       named->micro->per_heap, "per_lock", named->micro->per_lock));
    return array;
}
