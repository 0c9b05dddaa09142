/* dict_grow.c - threads add keys to one dict and take them out again.
 *
 * Its table is rebuilt all the time, by whoever happens to fill it. Where threads need
 * no global lock the dict must lock itself, and that lock is what this measures; where
 * nothing at all protects it there is nothing left to count, so it is not run.
 */
#include "benches/workload.h"
#include "objects/dict.h"
#include "objects/exception.h"
#include "objects/int.h"
#include "objects/none.h"

enum { KEYS = 64 };

static struct object *dict; /* owned */

static int setup(struct job *job)
{
    (void)job;
    dict = dict_new();
    if (!dict)
        return -1;
    publish(dict);
    return 0;
}

/* Keys that no other worker has. */
static struct object *key_of(const struct worker *w, int i)
{
    return int_new((int64_t)w->index * KEYS + i);
}

static int add(const struct worker *w, int i)
{
    struct object *key = key_of(w, i);
    int result = key ? dict_set(dict, key, none()) : -1;

    xdecref(key);
    return result;
}

static int take_out(const struct worker *w, int i)
{
    struct object *key = key_of(w, i);
    int result = key ? dict_delete(dict, key) : -1;

    xdecref(key);
    return result;
}

static int step(struct worker *w)
{
    for (int i = 0; i < KEYS; i++) {
        if (add(w, i) < 0)
            return -1;
        safepoint(w->thread);
    }
    for (int i = 0; i < KEYS; i++) {
        if (take_out(w, i) < 0)
            return -1;
        safepoint(w->thread);
    }
    worker_count(w, KEYS);
    return 0;
}

static int check(struct job *job, uint64_t ops)
{
    (void)job;
    (void)ops;
    if (dict_length(dict) == 0)
        return 0;
    exception_set(&runtime_error, "%zu keys are left of none", dict_length(dict));
    return -1;
}

static void teardown(struct job *job)
{
    (void)job;
    xdecref(dict);
    dict = NULL;
}

const struct workload workload_dict_grow = {
    .about = "threads add keys to one dict and take them out again",
    .unit = "key", .kind = KIND_CPU, .shares = SHARES_TABLES, .least_threads = 1,
    .roles = { { .name = "worker", .per_thread = 1, .step = step } },
    .setup = setup, .check = check, .teardown = teardown,
};
