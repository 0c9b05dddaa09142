/* mine.c - one key, a str, for everybody.
 *
 * All threads meet at each update. Most of what is made is lost.
 *
 * Score: 100
 */
#include "benches/workload.h"
#include "gil/gil.h"
#include "objects/dict.h"
#include "objects/exception.h"
#include "objects/int.h"
#include "objects/str.h"

enum { ROUNDS = 64 };

static struct object *dict, *name; /* owned */

static int setup(struct job *job)
{
    struct object *zero = int_new(0);
    int result = -1;

    (void)job;
    dict = dict_new();
    name = str_new("n");
    if (zero && dict && name)
        result = dict_set(dict, name, zero);
    xdecref(zero);
    if (result == 0) {
        publish(dict);
        publish(name);
    }
    return result;
}

static int increment(void)
{
    struct object *n = dict_get(dict, name), *more = NULL;
    int result = -1;

    if (n)
        more = int_new(int_value(n) + 1);
    if (more)
        result = dict_set(dict, name, more);
    xdecref(more);
    xdecref(n);
    return result;
}

static int step(struct worker *w)
{
    for (int i = 0; i < ROUNDS; i++) {
        if (increment() < 0)
            return -1;
        safepoint(w->thread);
    }
    worker_count(w, ROUNDS);
    return 0;
}

static uint64_t found(void)
{
    struct object *n = dict_get(dict, name);
    uint64_t sum = n ? (uint64_t)int_value(n) : 0;

    xdecref(n);
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
    xdecref(name);
    dict = name = NULL;
}

const struct workload workload_mine = {
    .about = "all threads add to one number in a dict",
    .unit = "update",
    .kind = KIND_CPU,
    .shares = SHARES_WRITES,
    .least_threads = 1,
    .roles = { { .name = "worker", .per_thread = 1, .step = step } },
    .setup = setup,
    .check = check,
    .teardown = teardown,
};
