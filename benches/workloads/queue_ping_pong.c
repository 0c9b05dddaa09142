/* queue_ping_pong.c - two tasks of an event loop send numbers to and fro, over two queues.
 *
 *     async def ping():                        async def pong():
 *         for i in range(BALLS):                   while True:
 *             await there.put(i)                       i = await there.get()
 *             assert await back.get() == i + 1         await back.put(i + 1)
 *
 * The queues hold one item: each task waits for the other at every ball.
 */
#include "benches/worker_loop.h"
#include "coroutines/coroutine.h"
#include "coroutines/queue.h"
#include "coroutines/run.h"
#include "objects/int.h"

#include <inttypes.h>

enum { BALLS = 32, CAPACITY = 1 };

struct state {
    struct worker_loop own;
    struct object *there, *back; /* owned; queues */
    struct object *ping, *pong;  /* owned; tasks, ping's while a step runs */
};

/* Frames: [0] the queue that it puts into, [1] that it gets from. */
enum { OUT, IN, REFERENCES };

static enum turn await(struct object *coroutine /* steals; may be NULL */, struct object **result)
{
    *result = coroutine ? await_iterator(coroutine) : NULL;
    xdecref(coroutine);
    return *result ? TURN_FROM : TURN_ERROR;
}

static enum turn await_put(struct frame *f, int64_t value, struct object **result)
{
    struct object *item = int_new(value), *coroutine = NULL;

    if (item)
        coroutine = queue_put(f->reference[OUT], item);
    xdecref(item);
    return await(coroutine, result);
}

static enum turn refuse(int64_t came, int64_t expected)
{
    exception_set(&runtime_error, "the ball came back as %" PRId64 ", not %" PRId64, came,
                  expected);
    return TURN_ERROR;
}

/* f->at: even, a ball is to be put; odd, it is to come back. */
static enum turn play_ping(struct frame *f, enum resume how, borrowed argument,
                           struct object **result)
{
    int64_t ball = f->at / 2;

    if (how == RESUME_THROW)
        return frame_raise(argument);
    if (f->at++ % 2)
        return await(queue_get(f->reference[IN]), result);
    if (ball && int_value(argument) != ball)
        return refuse(int_value(argument), ball);
    return ball == BALLS ? frame_return(result) : await_put(f, ball, result);
}

static enum turn answer(struct frame *f, enum resume how, borrowed argument,
                        struct object **result)
{
    if (how == RESUME_THROW)
        return frame_raise(argument);
    f->at = !f->at;
    return f->at ? await(queue_get(f->reference[IN]), result)
                 : await_put(f, int_value(argument) + 1, result);
}

/* If it fails nobody plays with ping any more, who would wait for ever. (One that is dropped may
 * be so by another thread, whose loop is none of its business.) */
static enum turn play_pong(struct frame *f, enum resume how, borrowed argument,
                           struct object **result)
{
    bool dropped = how == RESUME_THROW && exception_is(argument, &generator_exit);
    enum turn turn = answer(f, how, argument, result);

    if (turn == TURN_ERROR && !dropped && loop_running())
        loop_stop(loop_running());
    return turn;
}

static const struct body ping_body = {
    .name = "ping", .kind = COROUTINE, .resume = play_ping, .references = REFERENCES,
}, pong_body = {
    .name = "pong", .kind = COROUTINE, .resume = play_pong, .references = REFERENCES,
};

static struct object *new_player(struct state *s, const struct body *body, borrowed out, borrowed in)
{
    struct object *coroutine = generator_new(body, (borrowed[]){ out, in }, 2);
    struct object *task = coroutine ? task_new(s->own.loop, coroutine, NULL) : NULL;

    xdecref(coroutine);
    return task;
}

/* A player and what it waits for hold each other, until it is cancelled. */
static void end_player(struct object *task /* steals; may be NULL */)
{
    if (task && future_cancel(task, NULL) < 0)
        exception_restore(NULL);
    xdecref(task);
}

static int begin(struct worker *w)
{
    struct state *s = worker_loop_begin(w, sizeof *s);

    if (!s)
        return -1;
    s->there = queue_new(CAPACITY);
    s->back = queue_new(CAPACITY);
    if (!s->there || !s->back)
        return -1;
    s->pong = new_player(s, &pong_body, s->back, s->there);
    return s->pong ? 0 : -1;
}

static void end(struct worker *w)
{
    struct state *s = w->state;

    if (s) {
        end_player(s->ping);
        end_player(s->pong);
        xdecref(s->there);
        xdecref(s->back);
    }
    worker_loop_end(w);
}

/* 0, or -1: what one of them has raised. */
static int play(struct state *s)
{
    struct object *result = run_until_complete(s->own.loop, s->ping);

    if (!result && future_done(s->pong)) {
        exception_restore(NULL);
        result = future_result(s->pong);
    }
    xdecref(result);
    return result ? 0 : -1;
}

static int step(struct worker *w)
{
    struct state *s = w->state;
    struct object *ping = new_player(s, &ping_body, s->there, s->back);

    s->ping = ping;
    if (!ping || play(s) < 0)
        return -1;
    s->ping = NULL;
    decref(ping);
    worker_count(w, BALLS);
    return 0;
}

const struct workload workload_queue_ping_pong = {
    .about = "each thread's event loop has two tasks that play ping-pong over two queues",
    .unit = "ball", .kind = KIND_CPU, .shares = SHARES_NOTHING, .least_threads = 1,
    .isolated = true,
    .alone = "run event loops of their own",
    .roles = { { .name = "loop", .per_thread = 1, .begin = begin, .step = step, .end = end } },
};
