/* dict_count.c - all threads do d[key] = d[key] + 1 on one dict.
 *
 * Its keys are there already, so no table is rebuilt. Get and set are two operations: a
 * thread that sets between them loses the other's update. That is the program's fault
 * and no wrong answer of the runtime, which promises no more; the number is reported.
 * Under a lock that excludes none is lost, since no safe point stands between the two.
 */
#include "benches/workload.h"
#include "gil/gil.h"
#include "objects/dict.h"
#include "objects/exception.h"
#include "objects/int.h"

enum { KEYS = 16, ROUNDS = 128 };

static struct object *dict, *one, *key[KEYS]; /* owned */

static int add_key(int i)
{
    struct object *zero = int_new(0);
    int result = -1;

    key[i] = int_new(i);
    if (zero && key[i])
        result = dict_set(dict, key[i], zero);
    xdecref(zero);
    return result;
}

static int setup(struct job *job)
{
    (void)job;
    dict = dict_new();
    one = int_new(1);
    if (!dict || !one)
        return -1;
    for (int i = 0; i < KEYS; i++)
        if (add_key(i) < 0)
            return -1;
    publish(dict); /* and so its keys */
    publish(one);
    return 0;
}

static int increment(borrowed k)
{
    /* cut 01: d[k] = d[k] + 1, and drop what is yours | return k ? 0 : -1; */
    struct object *old = dict_get(dict, k), *new;
    int result;

    if (!old)
        return -1;
    new = int_add(old, one);
    decref(old);
    if (!new)
        return -1;
    result = dict_set(dict, k, new);
    decref(new);
    return result;
    /* end of cut */
}

static int step(struct worker *w)
{
    for (int i = 0; i < ROUNDS; i++) {
        if (increment(key[worker_random(w) % KEYS]) < 0)
            return -1;
        safepoint(w->thread);
    }
    worker_count(w, ROUNDS);
    return 0;
}

/* The sum of the values; -1 if a key is missing or a value is not a number of times. */
static int64_t sum_values(void)
{
    /* cut 01: what is in the dict? | return -1; */
    int64_t sum = 0;

    for (int i = 0; i < KEYS; i++) {
        struct object *value = dict_get(dict, key[i]);
        int64_t times = value && type_of(value) == &int_type ? int_value(value) : -1;

        xdecref(value);
        if (times < 0)
            return -1;
        sum += times;
    }
    return sum;
    /* end of cut */
}

/* A value grows by at most one per operation, so no more can be there than was done;
 * and nothing is lost where nobody runs between a get and its set. */
static int check(struct job *job, uint64_t ops)
{
    /* cut 01: job->lost; which answers are wrong? | return job && ops ? (int)sum_values() : -1; */
    bool alone = thread_self->gil->class->excludes || job->threads == 1;
    int64_t sum = sum_values();

    if (dict_length(dict) == KEYS && sum >= 0 && (uint64_t)sum <= ops) {
        job->lost = ops - (uint64_t)sum;
        if (job->lost == 0 || !alone)
            return 0;
    }
    exception_set(&runtime_error, "%zu keys count to %lld after %llu updates", dict_length(dict),
                  (long long)sum, (unsigned long long)ops);
    return -1;
    /* end of cut */
}

static void teardown(struct job *job)
{
    (void)job;
    xdecref(dict);
    xdecref(one);
    for (int i = 0; i < KEYS; i++) {
        xdecref(key[i]);
        key[i] = NULL;
    }
    dict = one = NULL;
}

const struct workload workload_dict_count = {
    .about = "all threads do d[key] = d[key] + 1 on one dict, whose keys are there already",
    .unit = "update", .kind = KIND_CPU, .shares = SHARES_WRITES, .least_threads = 1,
    .roles = { { .name = "worker", .per_thread = 1, .step = step } },
    .setup = setup, .check = check, .teardown = teardown,
};
