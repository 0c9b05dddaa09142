/* ring_stackful.c - stackful generators in a ring pass a token on: ring.h. */
#include "benches/ring_generators.h"
#include "coroutines/stackful.h"

static struct object *pass_on(struct stackful *self)
{
    struct object *token = stackful_yield(self, none());

    while (token)
        token = stackful_yield(self, ring_turn(token));
    return NULL;
}

static const struct body unit = { .name = "unit", .resume = stackful_turn, .stackful = pass_on };

static int begin(struct worker *w)
{
    return ring_generators_begin(w, &unit);
}

const struct workload workload_ring_stackful = {
    .about = "stackful generators in a ring pass a token on, which their thread carries",
    .unit = "hand-over", .kind = KIND_CPU, .shares = SHARES_NOTHING, .least_threads = 1,
    .isolated = true,
    .param = { { "units", RING_ABOUT, RING_UNITS_STANDARD, 1, RING_UNITS_MOST } },
    .roles = { { .name = "carrier", .per_thread = 1, .begin = begin,
                 .step = ring_generators_step, .end = ring_generators_end } },
};
