/* hosted.c - workers as tasks of a loop: what coroutine, loops and hybrid share.
 *
 * A task runs steps. A role that has an await_step is awaited, a coroutine for each step; any other
 * has its step called, or in hybrid computed elsewhere. After a step that has not waited the task
 * yields: whether it has is what the number of the loop's turn says.
 */
#include "benches/hosted.h"

#include "coroutines/coroutine.h"
#include "coroutines/task.h"
#include "gil/mutex.h"
#include "objects/exception.h"
#include "objects/none.h"

enum { ADDRESS, REFERENCES };     /* of a task's frame */
enum { BEGINS, STEPS, AWAITED }; /* where it stands */

/* What the tasks of a carrier share; its thread's. */
struct tasks {
    struct object *loop; /* owned */
    struct object *done; /* owned; a future that is done: what is computed at once */
    int left;            /* tasks that have not ended */
};

static _Thread_local struct tasks *here; /* of the carrier that the thread is; NULL: none */

void seat_enter(struct seat *s)
{
    struct carrier *c = s->worker.carrier;

    s->entered = true;
    if (!c->first_ns)
        c->first_ns = clock_ns();
    s->worker.latency = c->latency[s->worker.role];
}

/* ---- a thread ---- */

static int step_until_over(struct seat *s)
{
    int result = 0;

    while (result == 0 && seat_goes_on(s))
        result = s->role->step(&s->worker);
    return result;
}

int hosted_run_thread(struct carrier *c)
{
    struct seat *s = c->seat;
    int result;

    c->ready(c);
    if (s->role->outside)
        thread_detach(c->thread);
    result = step_until_over(s);
    if (s->role->outside)
        thread_attach(c->thread);
    if (result < 0)
        c->failed(c, s);
    return 0;
}

/* ---- addresses ---- */

int hosted_make_addresses(struct carrier *c)
{
    for (int i = 0; i < c->seats; i++) {
        c->seat[i].address = int_new((int64_t)(uintptr_t)&c->seat[i]);
        if (!c->seat[i].address)
            return -1;
    }
    return 0;
}

void hosted_drop_addresses(struct carrier *c)
{
    for (int i = 0; i < c->seats; i++) {
        xdecref(c->seat[i].address);
        c->seat[i].address = NULL;
    }
}

/* ---- computing ---- */

struct object *unit_compute(struct worker *w, int (*function)(struct worker *w))
{
    struct carrier *c = w->carrier;

    if (c->compute) {
        seat_of(w)->compute = function;
        return c->compute(c, seat_of(w));
    }
    return function(w) < 0 ? NULL : incref(here->done);
}

/* ---- one task ---- */

static enum turn leave(struct object **result)
{
    if (--here->left == 0)
        loop_stop(here->loop);
    return frame_return(result);
}

static enum turn fail(struct seat *s, struct object **result)
{
    s->worker.carrier->failed(s->worker.carrier, s);
    return leave(result);
}

static enum turn pass(struct frame *f, struct object **result)
{
    f->at = STEPS;
    *result = none();
    return TURN_YIELD;
}

/* What is awaited of a step; NULL: an exception is pending. */
static struct object *await_step(struct seat *s)
{
    struct object *coroutine, *awaited;

    if (!s->role->await_step)
        return unit_compute(&s->worker, s->role->step);
    coroutine = generator_new(s->role->await_step, (borrowed[]){ s->address }, 1);
    awaited = coroutine ? await_iterator(coroutine) : NULL;
    xdecref(coroutine);
    return awaited;
}

static enum turn step(struct frame *f, struct seat *s, struct object **result)
{
    if (!seat_goes_on(s))
        return leave(result);
    if (!s->role->await_step && !s->worker.carrier->compute)
        return s->role->step(&s->worker) < 0 ? fail(s, result) : pass(f, result);
    f->at = AWAITED;
    s->turn = loop_turns(here->loop);
    *result = await_step(s);
    return *result ? TURN_FROM : fail(s, result);
}

/* A loop that is closed, for something has failed, ends its tasks by what is no Exception. */
static enum turn raise(struct seat *s, borrowed thrown, struct object **result)
{
    if (!exception_is(thrown, &exception))
        return frame_raise(thrown);
    exception_restore(incref(thrown));
    return fail(s, result);
}

/* The first yield is for the others to begin, and for the ramp. */
static enum turn run_task(struct frame *f, enum resume how, borrowed argument,
                          struct object **result)
{
    struct seat *s = seat_at(f->reference[ADDRESS]);

    if (how == RESUME_THROW)
        return raise(s, argument, result);
    if (f->at == BEGINS || (f->at == AWAITED && s->turn == loop_turns(here->loop)))
        return pass(f, result);
    return step(f, s, result);
}

static const struct body task_body = {
    .name = "unit", .kind = COROUTINE, .resume = run_task, .references = REFERENCES,
};

/* ---- all of them ---- */

static int add_task(struct tasks *t, const struct seat *s)
{
    struct object *coroutine = generator_new(&task_body, (borrowed[]){ s->address }, 1);
    struct object *task = coroutine ? task_new(t->loop, coroutine, NULL) : NULL;

    xdecref(coroutine);
    xdecref(task); /* the loop holds it */
    return task ? 0 : -1;
}

static int add_tasks(struct tasks *t, struct carrier *c)
{
    for (int i = 0; i < c->seats; i++)
        if (add_task(t, &c->seat[i]) < 0)
            return -1;
    t->left = c->seats;
    return 0;
}

static int make(struct tasks *t)
{
    t->loop = loop_new();
    t->done = t->loop ? future_new(t->loop) : NULL;
    return t->done ? future_set_result(t->done, none()) : -1;
}

/* One turn, in which all begin; then to the end. */
static int run_loop(struct tasks *t, struct carrier *c)
{
    if (add_tasks(t, c) < 0)
        return -1;
    loop_stop(t->loop);
    if (loop_run_forever(t->loop) < 0)
        return -1;
    c->ready(c);
    return t->left ? loop_run_forever(t->loop) : 0;
}

/* Keeps what is pending. */
static void drop(struct tasks *t)
{
    struct object *pending = exception_take();

    xdecref(t->done);
    if (t->loop)
        loop_close(t->loop);
    xdecref(t->loop);
    exception_restore(pending);
}

int hosted_run_tasks_with(struct carrier *c, const struct hosted_around *around)
{
    struct tasks t = { .loop = NULL };
    int result = -1;

    here = &t;
    if (hosted_make_addresses(c) == 0 && make(&t) == 0 && around->open(c, t.loop) == 0)
        result = run_loop(&t, c);
    around->close(c);
    drop(&t);
    hosted_drop_addresses(c);
    here = NULL;
    return result;
}

static int open_nothing(struct carrier *c, borrowed loop)
{
    (void)c, (void)loop;
    return 0;
}

static void close_nothing(struct carrier *c)
{
    (void)c;
}

int hosted_run_tasks(struct carrier *c)
{
    static const struct hosted_around around = { open_nothing, close_nothing };

    return hosted_run_tasks_with(c, &around);
}
