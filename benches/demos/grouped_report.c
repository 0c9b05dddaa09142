/* grouped_report.c - a generator that delegates, between its caller and an averager (groups.h).
 *
 * Each group is ended by None; then the same, and that is forgotten: no averager returns, and
 * there is no result. It prints what CPython 3.11 prints for that program.
 */
#include "benches/demo.h"
#include "benches/groups.h"
#include "objects/dict.h"
#include "objects/float.h"
#include "objects/int.h"
#include "objects/str.h"
#include "objects/tuple.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

static void print_result(const char *key, borrowed result)
{
    int name = (int)strcspn(key, ";");

    printf("%2" PRId64 " %-5.*s averaging %.2f%s\n", int_value(tuple_get(result, 0)), name, key,
           float_value(tuple_get(result, 1)), key + name + 1);
}

/* Of one that is not there nothing is printed. */
static int print_group(struct object *results, const struct group *data)
{
    struct object *key = str_new(data->key), *result;
    int found = key ? dict_find(results, key, &result) : -1;

    if (found > 0) {
        print_result(data->key, result);
        decref(result);
    }
    xdecref(key);
    return found < 0 ? -1 : 0;
}

static int report(struct object *results, bool sentinel)
{
    if (groups_add_all(results, sentinel) < 0)
        return -1;
    for (int i = 0; i < GROUPS; i++)
        if (print_group(results, &groups[i]) < 0)
            return -1;
    printf("%zu groups\n", dict_length(results));
    return 0;
}

static int run_report(bool sentinel)
{
    struct object *results = dict_new();
    int result = results ? report(results, sentinel) : -1;

    xdecref(results);
    return result;
}

static int run(const char *mode, struct gil *gil, const struct thread_hooks *hooks)
{
    (void)mode, (void)gil, (void)hooks;
    return run_report(true) < 0 || run_report(false) < 0 ? -1 : 0;
}

const struct demo demo_grouped_report = {
    .about = "a generator that delegates to averagers; and what becomes of it without an end",
    .modes = "gil", .run = run,
};
