/* dict_create.c - { "key": "value" } is made and dropped; each thread has its own strs.
 *
 * Of all containers the one with most memory to allocate. create_dict of CPython's
 * Tools/ftscalingbench; `churn` has more items, and lists and tuples besides.
 */
#include "benches/workload.h"
#include "objects/dict.h"
#include "objects/exception.h"
#include "objects/str.h"

#include <stdlib.h>

enum { ROUNDS = 64 };

struct constants {
    struct object *key, *value; /* owned */
};

static int begin(struct worker *w)
{
    struct constants *c = w->state = calloc(1, sizeof *c);

    if (!c) {
        exception_set_no_memory();
        return -1;
    }
    c->key = str_new("key");
    c->value = str_new("value");
    return c->key && c->value ? 0 : -1;
}

static int create(const struct constants *c)
{
    struct object *dict = dict_new(), *value = NULL;
    int result = -1;

    if (dict && dict_set(dict, c->key, c->value) == 0)
        value = dict_get(dict, c->key);
    if (value == c->value)
        result = 0;
    else if (value)
        exception_set(&runtime_error, "the dict has another value");
    xdecref(value);
    xdecref(dict);
    return result;
}

static int step(struct worker *w)
{
    for (int i = 0; i < ROUNDS; i++) {
        if (create(w->state) < 0)
            return -1;
        safepoint(w->thread);
    }
    worker_count(w, ROUNDS);
    return 0;
}

static void end(struct worker *w)
{
    struct constants *c = w->state;

    if (!c)
        return;
    xdecref(c->key);
    xdecref(c->value);
    free(c);
}

const struct workload workload_dict_create = {
    .about = "{ \"key\": \"value\" } is made and dropped; each thread has its own strs",
    .unit = "dict", .kind = KIND_CPU, .shares = SHARES_NOTHING, .least_threads = 1,
    .isolated = true,
    .roles = { { .name = "worker", .per_thread = 1, .begin = begin, .step = step, .end = end } },
};
