/* greenlet.c - workers are greenlets, spread over threads that have a hub each.
 *
 * What waits by coroutines/io.h lets the other greenlets of its thread go on, so a workload runs
 * unchanged. Cost: a stack of its own, some 4 KiB of it in use; a wait is two switches and a turn
 * of the hub's loop. What blocks by other means blocks all greenlets of its thread: a workload that
 * does says so (`alone`).
 */
#include "benches/hosted.h"
#include "coroutines/hub.h"
#include "objects/exception.h"
#include "objects/function.h"
#include "objects/none.h"

#include <stdlib.h>

/* A step that has waited has switched to the hub by itself. */
static int step_and_give_way(struct seat *s)
{
    uint64_t switches = hub_switches();

    if (s->role->step(&s->worker) < 0)
        return -1;
    return hub_switches() == switches ? hub_sleep_ns(0) : 0;
}

/* The first wait is for the others to begin, and for the ramp. */
static struct object *run_greenlet(borrowed closure, borrowed const *arguments, size_t count)
{
    struct seat *s = seat_at(arguments[0]);
    int result = hub_sleep_ns(0);

    (void)closure, (void)count;
    while (result == 0 && seat_goes_on(s))
        result = step_and_give_way(s);
    if (result < 0 && !exception_matches(&exception))
        return NULL; /* GreenletExit, from hub_end */
    if (result < 0)
        s->worker.carrier->failed(s->worker.carrier, s);
    return none();
}

static int spawn(struct carrier *c, borrowed function, struct object **spawned)
{
    for (int i = 0; i < c->seats; i++) {
        spawned[i] = hub_spawn(function, (borrowed[]){ c->seat[i].address }, 1);
        if (!spawned[i])
            return -1;
    }
    return 0;
}

/* Those that have not begun when something fails never will. */
static int run_all(struct carrier *c, borrowed function, struct object **spawned)
{
    if (spawn(c, function, spawned) < 0 || hub_sleep_ns(0) < 0)
        return -1;
    c->ready(c);
    return hub_join_all((borrowed const *)spawned, (size_t)c->seats, HUB_NEVER) < 0 ? -1 : 0;
}

static int host(struct carrier *c)
{
    struct object **spawned = calloc((size_t)c->seats + 1, sizeof *spawned), *function = NULL;
    int result = -1;

    if (!spawned)
        exception_set_no_memory();
    else if (hosted_make_addresses(c) == 0)
        function = function_new("unit", run_greenlet, 1, NULL);
    if (function)
        result = run_all(c, function, spawned);
    hub_end();
    for (int i = 0; spawned && i < c->seats; i++)
        xdecref(spawned[i]);
    xdecref(function);
    hosted_drop_addresses(c);
    free(spawned);
    return result;
}

const struct unit unit_greenlet = {
    .about = "greenlets, spread over threads that have a hub each; waiting by io.h is switching",
    .carried = CARRIED_BY_ALL, .param = { UNIT_URING_PARAM }, .host = host,
};
