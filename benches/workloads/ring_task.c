/* ring_task.c - tasks of an event loop in a ring pass a token on: ring.h.
 *
 *     async def unit(i):
 *         while True:
 *             token = await inbox[i]
 *             inbox[i] = loop.create_future()
 *             inbox[i + 1].set_result(token + 1)
 */
#include "benches/ring.h"
#include "benches/worker_loop.h"
#include "coroutines/coroutine.h"
#include "coroutines/task.h"

struct state {
    struct worker_loop own;
    struct object *token;   /* owned; that the last unit has given back; NULL: none */
    struct object *failure; /* owned; what a unit has raised; NULL: nothing */
    int64_t units;
    struct unit {
        struct state *ring;
        struct object *inbox; /* owned; a future */
    } *unit;                  /* owned */
};

/* To the unit behind `u`, or to the worker. */
static int give_on(struct unit *u, struct object *token /* steals; NULL: an exception is pending */)
{
    struct state *s = u->ring;
    int result = -1;

    if (!token)
        return -1;
    if (u + 1 < s->unit + s->units) {
        result = future_set_result(u[1].inbox, token);
        decref(token);
        return result;
    }
    s->token = token;
    loop_stop(s->own.loop);
    return 0;
}

static enum turn await_inbox(struct unit *u, struct object **result)
{
    struct object *before = u->inbox;

    u->inbox = future_new(u->ring->own.loop);
    xdecref(before);
    if (!u->inbox)
        return TURN_ERROR;
    *result = incref(u->inbox);
    return TURN_FROM;
}

static enum turn take_token(struct frame *f, struct unit *u, borrowed token,
                            struct object **result)
{
    enum turn turn = await_inbox(u, result);

    if (turn == TURN_FROM && f->at++ && give_on(u, ring_turn(incref(token))) < 0) {
        decref(*result);
        return TURN_ERROR;
    }
    f->at = 1;
    return turn;
}

/* Frame: [0] the address of the unit. */
static enum turn pass_on(struct frame *f, enum resume how, borrowed argument,
                         struct object **result)
{
    struct unit *u = (struct unit *)(uintptr_t)int_value(f->reference[0]);
    enum turn turn;

    if (how == RESUME_THROW)
        return frame_raise(argument);
    turn = take_token(f, u, argument, result);
    if (turn != TURN_ERROR)
        return turn;
    u->ring->failure = exception_take();
    loop_stop(u->ring->own.loop);
    return frame_return(result);
}

static const struct body unit_body = {
    .name = "unit", .kind = COROUTINE, .resume = pass_on, .references = 1,
};

static int add_unit(struct state *s, struct unit *u)
{
    struct object *address = int_new((int64_t)(uintptr_t)u), *coroutine = NULL, *task = NULL;

    u->ring = s;
    if (address)
        coroutine = generator_new(&unit_body, (borrowed[]){ address }, 1);
    if (coroutine)
        task = task_new(s->own.loop, coroutine, NULL);
    xdecref(address);
    xdecref(coroutine);
    xdecref(task); /* the loop holds it */
    return task ? 0 : -1;
}

/* 0; -1: what a unit has raised, or the loop. */
static int run(struct state *s)
{
    if (loop_run_forever(s->own.loop) < 0)
        return -1;
    if (!s->failure)
        return 0;
    exception_restore(s->failure);
    s->failure = NULL;
    return -1;
}

/* All units await their first token. */
static int begin(struct worker *w)
{
    struct state *s = worker_loop_begin(w, sizeof *s);

    if (!s)
        return -1;
    s->units = w->job->param[RING_UNITS];
    s->unit = calloc((size_t)s->units, sizeof *s->unit);
    if (!s->unit) {
        exception_set_no_memory();
        return -1;
    }
    for (int64_t i = 0; i < s->units; i++)
        if (add_unit(s, &s->unit[i]) < 0)
            return -1;
    loop_stop(s->own.loop);
    return run(s);
}

static int step(struct worker *w)
{
    struct state *s = w->state;
    struct object *token = int_new(0);
    int result = token ? future_set_result(s->unit[0].inbox, token) : -1;

    xdecref(token);
    if (result < 0 || run(s) < 0)
        return -1;
    token = s->token;
    s->token = NULL;
    return ring_end_lap(w, token);
}

/* A task and the future that it awaits hold each other, until that is cancelled. */
static void drop_inbox(struct object *inbox /* steals; may be NULL */)
{
    if (inbox && future_cancel(inbox, NULL) < 0)
        exception_restore(NULL);
    xdecref(inbox);
}

static void end(struct worker *w)
{
    struct state *s = w->state;

    for (int64_t i = 0; s && s->unit && i < s->units; i++)
        drop_inbox(s->unit[i].inbox);
    if (s) {
        xdecref(s->token);
        xdecref(s->failure);
        free(s->unit);
    }
    worker_loop_end(w);
}

const struct workload workload_ring_task = {
    .about = "tasks of an event loop in a ring pass a token on", .unit = "hand-over",
    .kind = KIND_CPU, .shares = SHARES_NOTHING, .least_threads = 1,
    .isolated = true,
    .alone = "run event loops of their own",
    .param = { { "units", RING_ABOUT, RING_UNITS_STANDARD, 1, RING_UNITS_MOST } },
    .roles = { { .name = "loop", .per_thread = 1, .begin = begin, .step = step, .end = end } },
};
