/* ring_greenlet.c - greenlets in a ring pass a token on: ring.h. */
#include "benches/ring.h"
#include "coroutines/greenlet.h"
#include "objects/function.h"

#include <stdlib.h>

struct state {
    struct object *thread; /* owned; the worker's own greenlet, which ends the ring */
    struct unit {
        struct object *greenlet; /* owned */
        borrowed next;
    } unit[];
};

/* Its closure is the address of the unit. GreenletExit ends it, or what it raises goes to the
 * worker. */
static struct object *pass_on(borrowed closure, borrowed const *arguments, size_t count)
{
    struct unit *u = (struct unit *)(uintptr_t)int_value(closure);
    struct object *token = ring_turn(incref(arguments[0])), *came;

    (void)count;
    while (token) {
        came = greenlet_switch(u->next, token);
        decref(token);
        token = came ? ring_turn(came) : NULL;
    }
    return NULL;
}

static int add_unit(struct unit *u)
{
    struct object *address = int_new((int64_t)(uintptr_t)u), *f = NULL;

    if (address)
        f = function_new("unit", pass_on, 1, address);
    xdecref(address);
    u->greenlet = f ? greenlet_new(f, NULL) : NULL;
    xdecref(f);
    return u->greenlet ? 0 : -1;
}

static int begin(struct worker *w)
{
    size_t units = (size_t)w->job->param[RING_UNITS];
    struct state *s = calloc(1, sizeof *s + units * sizeof *s->unit);

    w->state = s;
    if (!s) {
        exception_set_no_memory();
        return -1;
    }
    s->thread = greenlet_current();
    if (!s->thread)
        return -1;
    for (size_t i = 0; i < units; i++)
        if (add_unit(&s->unit[i]) < 0)
            return -1;
    for (size_t i = 0; i < units; i++)
        s->unit[i].next = i + 1 < units ? s->unit[i + 1].greenlet : s->thread;
    return 0;
}

static int step(struct worker *w)
{
    struct state *s = w->state;
    struct object *token = int_new(0), *came = NULL;

    if (token)
        came = greenlet_switch(s->unit[0].greenlet, token);
    xdecref(token);
    return ring_end_lap(w, came);
}

static void end(struct worker *w)
{
    struct state *s = w->state;

    if (!s)
        return;
    for (int64_t i = 0; i < w->job->param[RING_UNITS]; i++)
        xdecref(s->unit[i].greenlet);
    xdecref(s->thread);
    free(s);
    w->state = NULL;
}

const struct workload workload_ring_greenlet = {
    .about = "greenlets in a ring pass a token on", .unit = "hand-over",
    .kind = KIND_CPU, .shares = SHARES_NOTHING, .least_threads = 1,
    .isolated = true,
    .alone = "switch between greenlets of their own",
    .param = { { "units", RING_ABOUT, RING_UNITS_STANDARD, 1, RING_UNITS_MOST } },
    .roles = { { .name = "first", .per_thread = 1, .begin = begin, .step = step, .end = end } },
};
