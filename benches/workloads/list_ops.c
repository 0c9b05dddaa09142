/* list_ops.c - pop, append and look up, on a list that each thread has for itself.
 *
 * Where threads need no global lock the list locks itself, though nobody else knows it:
 * what that costs, and whether it scales. object_cfunction of CPython's
 * Tools/ftscalingbench, which pops the first item and not the last.
 */
#include "benches/workload.h"
#include "objects/exception.h"
#include "objects/int.h"
#include "objects/list.h"

enum { ITEMS = 100, INDEX = 50, ROUNDS = 256 };

static int append(borrowed list, int64_t value)
{
    struct object *item = int_new(value);
    int result = item ? list_append(list, item) : -1;

    xdecref(item);
    return result;
}

static int begin(struct worker *w)
{
    w->state = list_new();
    for (int i = 0; i < ITEMS && w->state; i++)
        if (append(w->state, i) < 0)
            return -1;
    return w->state ? 0 : -1;
}

/* The value of a reference that is given up; -1: there is none, an exception is pending. */
static int64_t value_of(struct object *item /* steals; may be NULL */)
{
    int64_t value = item ? int_value(item) : -1;

    xdecref(item);
    return value;
}

/* Each round puts on one more than it takes off, so that the last item counts the rounds. */
static int step(struct worker *w)
{
    uint64_t before = atomic_load_explicit(&w->ops, memory_order_relaxed);
    int64_t last = 0, sum = 0;

    for (int i = 0; i < ROUNDS; i++) {
        last = value_of(list_pop(w->state));
        if (last < 0 || append(w->state, last + 1) < 0)
            return -1;
        sum += value_of(list_get(w->state, INDEX));
        safepoint(w->thread);
    }
    worker_count(w, ROUNDS);
    if (last == (int64_t)before + ITEMS - 1 + ROUNDS - 1 && sum == (int64_t)ROUNDS * INDEX &&
        list_length(w->state) == ITEMS)
        return 0;
    exception_set(&runtime_error, "%zu items, the last %lld, of the middle one a sum of %lld",
                  list_length(w->state), (long long)last, (long long)sum);
    return -1;
}

static void end(struct worker *w)
{
    xdecref(w->state);
}

const struct workload workload_list_ops = {
    .about = "pop, append and look up, on a list that each thread has for itself",
    .unit = "round", .kind = KIND_CPU, .shares = SHARES_NOTHING, .least_threads = 1,
    .isolated = true,
    .roles = { { .name = "worker", .per_thread = 1, .begin = begin, .step = step, .end = end } },
};
