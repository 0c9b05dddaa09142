/* deep_copy.c - a nested structure of lists, dicts and tuples is copied and dropped.
 *
 * What programs do to keep their data from one another: allocation, and a dict from
 * originals to copies, so that what was shared in there is shared in the copy. deepcopy of
 * CPython's Tools/ftscalingbench, whose threads hit shared dispatch tables; there are none
 * here.
 */
#include "benches/workload.h"
#include "objects/copy.h"
#include "objects/dict.h"
#include "objects/exception.h"
#include "objects/int.h"
#include "objects/list.h"
#include "objects/str.h"
#include "objects/tuple.h"

#include <stdlib.h>

enum { RECORDS = 4, NUMBERS = 3, TAGGED = 2 * RECORDS /* places with the tags */ };
enum { ADDED = 1000, ROUNDS = 4 };

static int set(borrowed dict, const char *name, struct object *value /* steals */)
{
    struct object *key = value ? str_new(name) : NULL;
    int result = key ? dict_set(dict, key, value) : -1;

    xdecref(key);
    xdecref(value);
    return result;
}

static struct object *make_numbers(int record)
{
    struct object *list = list_new();

    for (int i = 0; i < NUMBERS && list; i++) {
        struct object *number = int_new(record * NUMBERS + i);
        int result = number ? list_append(list, number) : -1;

        xdecref(number);
        if (result < 0) {
            decref(list);
            return NULL;
        }
    }
    return list;
}

/* {"numbers": [...], "both": (tags, tags)}; the tags are one list for all records. */
static struct object *make_record(int record, struct object *tags)
{
    struct object *dict = dict_new();

    if (dict && set(dict, "numbers", make_numbers(record)) == 0 &&
        set(dict, "both", tuple_new(2, (struct object *[]){ tags, tags })) == 0)
        return dict;
    xdecref(dict);
    return NULL;
}

static struct object *make_records(void)
{
    struct object *records = list_new(), *tags = make_numbers(0);
    int result = records && tags ? 0 : -1;

    for (int i = 0; i < RECORDS && result == 0; i++) {
        struct object *record = make_record(i, tags);

        result = record ? list_append(records, record) : -1;
        xdecref(record);
    }
    xdecref(tags);
    if (result == 0)
        return records;
    xdecref(records);
    return NULL;
}

/* What a walk through a structure finds; what stands in it twice is found twice. */
struct shape {
    int64_t containers, sum;
};

static void walk(borrowed o, void *argument)
{
    struct shape *shape = argument;
    const struct type *type = type_of(o);

    if (type == &int_type)
        shape->sum += int_value(o);
    if (!type->traverse)
        return;
    shape->containers++;
    type->traverse(o, walk, shape);
}

static struct shape shape_of(borrowed o)
{
    struct shape shape = { 0 };

    walk(o, &shape);
    return shape;
}

/* records[0]["both"][0].append(ADDED) */
static int add_tag(borrowed records, borrowed both)
{
    struct object *record = list_get(records, 0), *pair = NULL, *number = int_new(ADDED);
    int result = -1;

    if (record)
        pair = dict_get(record, both);
    if (pair && number)
        result = list_append(tuple_get(pair, 0), number);
    xdecref(number);
    xdecref(pair);
    xdecref(record);
    return result;
}

struct originals {
    struct object *records, *both; /* owned; `both` is the key */
    struct shape shape;            /* set once */
};

static int begin(struct worker *w)
{
    struct originals *o = w->state = calloc(1, sizeof *o);

    if (!o) {
        exception_set_no_memory();
        return -1;
    }
    o->both = str_new("both");
    o->records = o->both ? make_records() : NULL;
    if (!o->records)
        return -1;
    o->shape = shape_of(o->records);
    return 0;
}

/* The copy has the original's shape. A tag that is added to it appears wherever the list
 * of tags stands in it, and not in the original. */
static int expect_copy(const struct originals *o, borrowed copy)
{
    struct shape before = shape_of(copy), after, original;

    if (add_tag(copy, o->both) < 0)
        return -1;
    after = shape_of(copy);
    original = shape_of(o->records);
    if (before.containers == o->shape.containers && before.sum == o->shape.sum &&
        after.sum == before.sum + (int64_t)TAGGED * ADDED && original.sum == before.sum)
        return 0;
    exception_set(&runtime_error, "a copy of %lld containers, sum %lld, has %lld, sums %lld, %lld",
                  (long long)o->shape.containers, (long long)original.sum,
                  (long long)before.containers, (long long)before.sum, (long long)after.sum);
    return -1;
}

static int step(struct worker *w)
{
    const struct originals *o = w->state;

    for (int i = 0; i < ROUNDS; i++) {
        struct object *copy = deep_copy(o->records);
        int result = copy ? expect_copy(o, copy) : -1;

        xdecref(copy);
        if (result < 0)
            return -1;
        safepoint(w->thread);
    }
    worker_count(w, ROUNDS);
    return 0;
}

static void end(struct worker *w)
{
    struct originals *o = w->state;

    if (!o)
        return;
    xdecref(o->records);
    xdecref(o->both);
    free(o);
}

const struct workload workload_deep_copy = {
    .about = "a nested structure of lists, dicts and tuples is copied and dropped",
    .unit = "structure", .kind = KIND_CPU, .shares = SHARES_NOTHING, .least_threads = 1,
    .isolated = true,
    .roles = { { .name = "worker", .per_thread = 1, .begin = begin, .step = step, .end = end } },
};
