/* generator_send.c - each thread sends numbers to a generator that adds them up.
 *
 *     def total():
 *         total = 0
 *         while True:
 *             total += yield total
 */
#include "benches/worker_generator.h"
#include "objects/int.h"

enum { STEPS = 200 };

static enum turn add_up(struct frame *f, enum resume how, borrowed argument,
                        struct object **result)
{
    int64_t *total = frame_locals(f);

    if (how == RESUME_THROW)
        return frame_raise(argument);
    if (f->at)
        *total += int_value(argument);
    f->at = 1;
    *result = int_new(*total);
    return *result ? TURN_YIELD : TURN_ERROR;
}

static const struct body total = {
    .name = "total", .resume = add_up, .locals_bytes = sizeof(int64_t),
};

static int begin(struct worker *w)
{
    return worker_generator_begin(w, generator_primed(&total, NULL, 0));
}

/* What it answers with; NULL: an exception is pending. */
static struct object *send(struct object *g, int64_t value)
{
    struct object *number = int_new(value), *answer = NULL;

    if (number && generator_send(g, number, &answer) == STEP_ERROR)
        answer = NULL;
    xdecref(number);
    return answer;
}

static int step(struct worker *w)
{
    struct worker_generator *s = w->state;

    for (int i = 0; i < STEPS; i++) {
        s->number += i;
        if (expect_number(send(s->generator, i), s->number) < 0)
            return -1;
        safepoint(w->thread);
    }
    worker_count(w, STEPS);
    return 0;
}

const struct workload workload_generator_send = {
    .about = "each thread sends numbers to a generator that adds them up", .unit = "step",
    .kind = KIND_CPU, .shares = SHARES_NOTHING, .least_threads = 1,
    .isolated = true,
    .roles = { { .name = "caller", .per_thread = 1, .begin = begin, .step = step,
                 .end = worker_generator_end } },
};
