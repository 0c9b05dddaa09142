/* generator_throw.c - each thread throws exceptions into a generator that catches and counts them.
 *
 *     def counter():
 *         caught = 0
 *         while True:
 *             try:
 *                 yield caught
 *             except ValueError:
 *                 caught += 1
 */
#include "benches/worker_generator.h"
#include "objects/int.h"

enum { STEPS = 100 };

static enum turn catch(struct frame *f, enum resume how, borrowed argument,
                       struct object **result)
{
    int64_t *caught = frame_locals(f);

    if (how == RESUME_THROW && !exception_is(argument, &value_error))
        return frame_raise(argument);
    *caught += how == RESUME_THROW;
    f->at = 1;
    *result = int_new(*caught);
    return *result ? TURN_YIELD : TURN_ERROR;
}

static const struct body counter = {
    .name = "counter", .resume = catch, .locals_bytes = sizeof(int64_t),
};

static int begin(struct worker *w)
{
    return worker_generator_begin(w, generator_primed(&counter, NULL, 0));
}

/* What it answers with; NULL: an exception is pending. */
static struct object *throw(struct object *g)
{
    struct object *e = exception_new(&value_error, "%s", "enough"), *answer;

    return e && generator_throw(g, e, &answer) != STEP_ERROR ? answer : NULL;
}

static int step(struct worker *w)
{
    struct worker_generator *s = w->state;

    for (int i = 0; i < STEPS; i++) {
        if (expect_number(throw(s->generator), ++s->number) < 0)
            return -1;
        safepoint(w->thread);
    }
    worker_count(w, STEPS);
    return 0;
}

const struct workload workload_generator_throw = {
    .about = "each thread throws exceptions into a generator that catches them", .unit = "step",
    .kind = KIND_CPU, .shares = SHARES_NOTHING, .least_threads = 1,
    .isolated = true,
    .roles = { { .name = "caller", .per_thread = 1, .begin = begin, .step = step,
                 .end = worker_generator_end } },
};
