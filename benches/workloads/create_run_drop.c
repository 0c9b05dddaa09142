/* create_run_drop.c - generators that are made, run for a while, and dropped.
 *
 *     def up_to(n):
 *         try:
 *             for i in range(n):
 *                 yield i
 *         finally:
 *             ended += 1
 *
 * Of ten numbers so many are taken as `taken` says, then nobody holds it any more: half-way, its
 * finally block is run by whoever drops it (by GeneratorExit); at the end, which is the eleventh
 * step, it has been. The check is that each has come to its end, once. A policy may destroy late;
 * all are there when the workers have ended.
 */
#include "benches/job_state.h"
#include "benches/worker_generator.h"
#include "objects/int.h"
#include "objects/iterator.h"

#include <inttypes.h>

enum { TAKEN };
enum { ITEMS = 10, GENERATORS_A_STEP = 16 };

/* Of each worker, in a line of its own: how many of its generators have come to their end. Atomic,
 * for the end may be another thread's, or later. */
struct ended {
    _Alignas(128) _Atomic uint64_t count;
};

/* Frame: [0] the address of the worker's. */
static enum turn count_to_ten(struct frame *f, enum resume how, borrowed argument,
                              struct object **result)
{
    struct ended *ended = (struct ended *)(uintptr_t)int_value(f->reference[0]);
    bool over = how == RESUME_THROW || f->at == ITEMS;

    if (over)
        atomic_fetch_add_explicit(&ended->count, 1, memory_order_relaxed);
    if (how == RESUME_THROW)
        return frame_raise(argument);
    if (over)
        return frame_return(result);
    *result = int_new(f->at++);
    return *result ? TURN_YIELD : TURN_ERROR;
}

static const struct body up_to_ten = { .name = "up_to", .resume = count_to_ten, .references = 1 };

static int setup(struct job *job)
{
    struct ended *ended = aligned_alloc(128, (size_t)job->workers * sizeof *ended);

    job->state = ended;
    if (!ended) {
        exception_set_no_memory();
        return -1;
    }
    for (int i = 0; i < job->workers; i++)
        atomic_init(&ended[i].count, 0);
    return 0;
}

/* The address, as its generators want it. */
static int begin(struct worker *w)
{
    struct ended *ended = w->job->state;

    w->state = int_new((int64_t)(uintptr_t)&ended[w->index]);
    return w->state ? 0 : -1;
}

static void end(struct worker *w)
{
    xdecref(w->state);
    w->state = NULL;
}

static int take(struct object *g, int64_t count)
{
    struct object *last;

    for (int64_t i = 0; i < count && i < ITEMS; i++)
        if (expect_number(iterator_next(g), i) < 0)
            return -1;
    if (count <= ITEMS)
        return 0;
    if (iterator_step(g, &last) == STEP_ERROR)
        return -1;
    decref(last);
    return 0;
}

static int step(struct worker *w)
{
    for (int i = 0; i < GENERATORS_A_STEP; i++) {
        struct object *g = generator_new(&up_to_ten, (borrowed[]){ w->state }, 1);
        int result = g ? take(g, w->job->param[TAKEN]) : -1;

        xdecref(g);
        if (result < 0)
            return -1;
        worker_count(w, 1);
        safepoint(w->thread);
    }
    return 0;
}

static int check(struct job *job, uint64_t ops)
{
    const struct ended *ended = job->state;
    uint64_t count = 0;

    for (int i = 0; i < job->workers; i++)
        count += atomic_load_explicit(&ended[i].count, memory_order_relaxed);
    if (count == ops)
        return 0;
    exception_set(&runtime_error, "%" PRIu64 " of %" PRIu64 " generators have ended", count, ops);
    return -1;
}

const struct workload workload_create_run_drop = {
    .about = "generators that are made, run half-way or to their end, and dropped",
    .unit = "generator", .kind = KIND_CPU, .shares = SHARES_NOTHING, .least_threads = 1,
    .isolated = true,
    .param = { { "taken", "of its ten numbers; 11: to the end", ITEMS / 2, 1, ITEMS + 1 } },
    .roles = { { .name = "maker", .per_thread = 1, .begin = begin, .step = step, .end = end } },
    .setup = setup, .check = check, .teardown = job_state_free,
};
