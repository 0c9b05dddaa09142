/* mine.c - a list of numbers, which stays with its job.
 *
 * Nothing stands in static memory. A slot of the list is read, and written a moment later.
 *
 * Score: 100
 */
#include "benches/workload.h"
#include "gil/gil.h"
#include "objects/exception.h"
#include "objects/int.h"
#include "objects/list.h"

enum { SLOTS = 4, ROUNDS = 100 };

static int append_zero(borrowed list)
{
    struct object *zero = int_new(0);
    int result = zero ? list_append(list, zero) : -1;

    xdecref(zero);
    return result;
}

static int setup(struct job *job)
{
    job->state = list_new();
    if (!job->state)
        return -1;
    for (int i = 0; i < SLOTS; i++)
        if (append_zero(job->state) < 0)
            return -1;
    publish(job->state);
    return 0;
}

static int increment(borrowed list, size_t slot)
{
    struct object *old = list_get(list, slot), *new = old ? int_new(int_value(old) + 1) : NULL;
    int result = new ? list_set(list, slot, new) : -1;

    xdecref(old);
    xdecref(new);
    return result;
}

static int step(struct worker *w)
{
    for (int i = 0; i < ROUNDS; i++) {
        if (increment(w->job->state, worker_random(w) % SLOTS) < 0)
            return -1;
        safepoint(w->thread);
    }
    worker_count(w, ROUNDS);
    return 0;
}

static uint64_t found(borrowed list)
{
    uint64_t sum = 0;

    for (size_t i = 0; i < list_length(list); i++) {
        struct object *n = list_get(list, i);

        sum += n ? (uint64_t)int_value(n) : 0;
        xdecref(n);
    }
    return sum;
}

static int check(struct job *job, uint64_t ops)
{
    uint64_t sum = found(job->state);

    job->lost = ops - sum;
    if (sum <= ops && (!job->lost || (job->threads > 1 && !thread_self->gil->class->excludes)))
        return 0;
    exception_set(&runtime_error, "%llu updates were made, and %llu are there",
                  (unsigned long long)ops, (unsigned long long)sum);
    return -1;
}

static void teardown(struct job *job)
{
    xdecref(job->state);
    job->state = NULL;
}

const struct workload workload_mine = {
    .about = "all threads add to the numbers in one list",
    .unit = "update",
    .kind = KIND_CPU,
    .shares = SHARES_WRITES,
    .least_threads = 1,
    .roles = { { .name = "worker", .per_thread = 1, .step = step } },
    .setup = setup,
    .check = check,
    .teardown = teardown,
};
