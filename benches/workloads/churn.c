/* churn.c - build and drop containers: a list, a tuple and a dict of ints.
 *
 * What most programs do to their heap. Nothing is shared between the threads but the
 * allocator, so beside `fib` it shows what allocation adds.
 */
#include "benches/workload.h"
#include "objects/dict.h"
#include "objects/exception.h"
#include "objects/int.h"
#include "objects/list.h"
#include "objects/tuple.h"

enum { ITEMS = 8, SUM = ITEMS * (ITEMS - 1) / 2, ROUNDS = 8, KINDS = 3 };

static int append(struct object *list, int value)
{
    struct object *item = int_new(value);
    int result = item ? list_append(list, item) : -1;

    xdecref(item);
    return result;
}

static struct object *make_list(void)
{
    struct object *list = list_new();

    for (int i = 0; i < ITEMS && list; i++) {
        if (append(list, i) == 0)
            continue;
        decref(list);
        return NULL;
    }
    return list;
}

static struct object *make_tuple(void)
{
    struct object *item[ITEMS], *tuple = NULL;
    int made = 0;

    while (made < ITEMS && (item[made] = int_new(made)))
        made++;
    if (made == ITEMS)
        tuple = tuple_new(ITEMS, item);
    while (made--)
        decref(item[made]);
    return tuple;
}

static int set(struct object *dict, int key)
{
    struct object *both = int_new(key);
    int result = both ? dict_set(dict, both, both) : -1;

    xdecref(both);
    return result;
}

static struct object *make_dict(void)
{
    struct object *dict = dict_new();

    for (int i = 0; i < ITEMS && dict; i++) {
        if (set(dict, i) == 0)
            continue;
        decref(dict);
        return NULL;
    }
    return dict;
}

static int64_t sum_list(borrowed list)
{
    int64_t sum = 0;

    for (size_t i = 0; i < list_length(list); i++) {
        struct object *item = list_get(list, i);

        sum += int_value(item);
        decref(item);
    }
    return sum;
}

static int64_t sum_tuple(borrowed tuple)
{
    int64_t sum = 0;

    for (size_t i = 0; i < tuple_length(tuple); i++)
        sum += int_value(tuple_get(tuple, i));
    return sum;
}

static int64_t sum_dict(borrowed dict)
{
    struct object *key, *value;
    size_t cursor = 0;
    int64_t sum = 0;

    while (dict_next(dict, &cursor, &key, &value)) {
        sum += int_value(value);
        decref(key);
        decref(value);
    }
    return sum;
}

/* What was made holds what was put in; and is dropped. */
static int use(struct object *made /* steals */, int64_t (*sum)(borrowed made))
{
    int64_t answer;

    if (!made)
        return -1;
    answer = sum(made);
    decref(made);
    if (answer == SUM)
        return 0;
    exception_set(&runtime_error, "a container's sum is %lld, not %d", (long long)answer, SUM);
    return -1;
}

static int step(struct worker *w)
{
    for (int i = 0; i < ROUNDS; i++) {
        if (use(make_list(), sum_list) < 0 || use(make_tuple(), sum_tuple) < 0 ||
            use(make_dict(), sum_dict) < 0)
            return -1;
        safepoint(w->thread);
    }
    worker_count(w, ROUNDS * KINDS);
    return 0;
}

const struct workload workload_churn = {
    .about = "build and drop containers: a list, a tuple and a dict of ints",
    .unit = "container", .kind = KIND_CPU, .shares = SHARES_NOTHING, .least_threads = 1,
    .isolated = true,
    .roles = { { .name = "worker", .per_thread = 1, .step = step } },
};
