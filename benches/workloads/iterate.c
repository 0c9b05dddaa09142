/* iterate.c - each thread goes over one shared row of ten ints, by iterators of its own.
 *
 * An iterator refers to the row, and each step gives a reference to an item: all shared, and
 * nothing but counts is written. If the row is a list, a step locks it, too, where no GIL
 * does. (ftscalingbench's generator yields ten times; what it shares is the code.)
 */
#include "benches/job_state.h"
#include "benches/program.h"
#include "objects/exception.h"
#include "objects/int.h"
#include "objects/iterator.h"
#include "objects/list.h"
#include "objects/range.h"
#include "objects/tuple.h"

enum { ITEMS = 10, SUM = ITEMS * (ITEMS + 1) / 2, ROUNDS = 32, LIST = 1 };

struct state {
    struct object *items; /* owned; a tuple */
    struct object *row;   /* owned; the same tuple, or a list of the same items */
};

static int setup(struct job *job)
{
    struct state *s = job_state_new(job, sizeof *s);
    struct object *range = s ? range_new(1, ITEMS + 1) : NULL;

    if (!range)
        return -1;
    s->items = tuple_from(range);
    decref(range);
    if (s->items)
        s->row = job->param[LIST] ? list_from(s->items) : incref(s->items);
    if (!s->row)
        return -1;
    program_share(job, s->row);
    return 0;
}

/* The sum of the items; -1. */
static int64_t sum_row(borrowed row)
{
    struct object *iterator = iterate(row), *item;
    int64_t sum = 0;
    enum step step;

    if (!iterator)
        return -1;
    while ((step = iterator_step(iterator, &item)) == STEP_NEXT) {
        sum += int_value(item);
        decref(item);
    }
    if (step == STEP_RETURN)
        decref(item);
    decref(iterator);
    return step == STEP_ERROR ? -1 : sum;
}

static int step(struct worker *w)
{
    borrowed row = ((const struct state *)w->job->state)->row;

    for (int i = 0; i < ROUNDS; i++) {
        int64_t sum = sum_row(row);

        if (sum < 0)
            return -1;
        if (sum != SUM) {
            exception_set(&runtime_error, "the items sum to %lld, not %d", (long long)sum, SUM);
            return -1;
        }
        safepoint(w->thread);
    }
    worker_count(w, ROUNDS * ITEMS);
    return 0;
}

/* Each item is in the tuple, and in the list if there is one. */
static int check(struct job *job, uint64_t ops)
{
    const struct state *s = job->state;
    bool list = job->param[LIST];

    (void)ops;
    for (size_t i = 0; i < ITEMS; i++)
        if (program_check(tuple_get(s->items, i), list ? 2 : 1) < 0)
            return -1;
    return program_check(s->row, list ? 1 : 2);
}

static void teardown(struct job *job)
{
    struct state *s = job->state;

    if (!s)
        return;
    xdecref(s->row);
    xdecref(s->items);
    job_state_free(job);
}

const struct workload workload_iterate = {
    .about = "each thread goes over one shared row of ten ints, by iterators of its own",
    .unit = "item", .kind = KIND_CPU, .shares = SHARES_READS, .least_threads = 1,
    .isolated = true,
    .param = { PROGRAM_MARKED, { "list", "1: the row is a list; 0: a tuple", 0, 0, 1 } },
    .roles = { { .name = "reader", .per_thread = 1, .step = step } },
    .setup = setup, .check = check, .teardown = teardown,
};
