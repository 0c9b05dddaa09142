/* mine.c - WRONG: each thread adds to numbers that no other thread touches.
 *
 * The dict is shared, what it holds is not. Nothing is lost, since nobody gets in anybody's way.
 *
 * Score: 25
 * Says: test_in_company_updates_are_lost
 * Caught by: tests/test_mine (debug)
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
    publish(dict);
    publish(one);
    return 0;
}

static int increment(borrowed k)
{
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
}

static int step(struct worker *w)
{
    for (int i = 0; i < ROUNDS; i++) {
        if (increment(key[(worker_random(w) % (KEYS / 2) * 2 + (uint64_t)w->index) % KEYS]) < 0)
            return -1;
        safepoint(w->thread);
    }
    worker_count(w, ROUNDS);
    return 0;
}

static uint64_t found(void)
{
    uint64_t sum = 0;

    for (int i = 0; i < KEYS; i++) {
        struct object *value = dict_get(dict, key[i]);

        sum += value ? (uint64_t)int_value(value) : 0;
        xdecref(value);
    }
    return sum;
}

static int check(struct job *job, uint64_t ops)
{
    uint64_t sum = found();

    job->lost = ops - sum;
    if (sum <= ops && (!job->lost || (job->threads > 1 && !thread_self->gil->class->excludes)))
        return 0;
    exception_set(&runtime_error, "%llu updates were made, and %llu are there",
                  (unsigned long long)ops, (unsigned long long)sum);
    return -1;
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

const struct workload workload_mine = {
    .about = "all threads add to the numbers in one dict, each to its own",
    .unit = "update",
    .kind = KIND_CPU,
    .shares = SHARES_WRITES,
    .least_threads = 1,
    .roles = { { .name = "worker", .per_thread = 1, .step = step } },
    .setup = setup,
    .check = check,
    .teardown = teardown,
};
