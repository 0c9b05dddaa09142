/* ring_generator.c - stackless generators in a ring pass a token on: ring.h. */
#include "benches/ring_generators.h"

static enum turn pass_on(struct frame *f, enum resume how, borrowed argument,
                         struct object **result)
{
    if (how == RESUME_THROW)
        return frame_raise(argument);
    *result = f->at ? ring_turn(incref(argument)) : none();
    f->at = 1;
    return *result ? TURN_YIELD : TURN_ERROR;
}

static const struct body unit = { .name = "unit", .resume = pass_on };

static int begin(struct worker *w)
{
    return ring_generators_begin(w, &unit);
}

const struct workload workload_ring_generator = {
    .about = "stackless generators in a ring pass a token on, which their thread carries",
    .unit = "hand-over", .kind = KIND_CPU, .shares = SHARES_NOTHING, .least_threads = 1,
    .isolated = true,
    .param = { { "units", RING_ABOUT, RING_UNITS_STANDARD, 1, RING_UNITS_MOST } },
    .roles = { { .name = "carrier", .per_thread = 1, .begin = begin,
                 .step = ring_generators_step, .end = ring_generators_end } },
};
