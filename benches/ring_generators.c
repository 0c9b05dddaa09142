/* ring_generators.c - ring.h with generators for units. */
#include "benches/ring_generators.h"

#include <stdlib.h>

int ring_generators_begin(struct worker *w, const struct body *body)
{
    int64_t units = w->job->param[RING_UNITS];
    struct object **unit = calloc((size_t)units, sizeof *unit);

    w->state = unit;
    if (!unit) {
        exception_set_no_memory();
        return -1;
    }
    for (int64_t i = 0; i < units; i++) {
        unit[i] = generator_primed(body, NULL, 0);
        if (!unit[i])
            return -1;
    }
    return 0;
}

/* What the unit yields. */
static struct object *pass(struct object *unit,
                           struct object *token /* steals; NULL: an exception is pending */)
{
    struct object *next;
    enum step step = token ? generator_send(unit, token, &next) : STEP_ERROR;

    xdecref(token);
    return step == STEP_ERROR ? NULL : next;
}

int ring_generators_step(struct worker *w)
{
    struct object **unit = w->state, *token = int_new(0);
    int64_t units = w->job->param[RING_UNITS];

    for (int64_t i = 0; i < units; i++)
        token = pass(unit[i], token);
    return ring_end_lap(w, token);
}

void ring_generators_end(struct worker *w)
{
    struct object **unit = w->state;

    for (int64_t i = 0; unit && i < w->job->param[RING_UNITS]; i++)
        xdecref(unit[i]);
    free(unit);
    w->state = NULL;
}
