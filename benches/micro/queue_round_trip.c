/* queue_round_trip.c - two tasks that pass an object there and back by two queues.
 *
 * As the workload queue_ping_pong, on one thread, by queues without a bound.
 */
#include "benches/micro.h"

#include "coroutines/coroutine.h"
#include "coroutines/gather.h"
#include "coroutines/queue.h"
#include "coroutines/run.h"

enum { THERE, BACK, WAYS };
enum { ASKS, ANSWERS, SIDES };

static struct {
    struct object *loop, *queue[WAYS]; /* owned */
    uint64_t left[SIDES];              /* trips */
} own;

static enum turn await(struct object *coroutine /* steals; may be NULL */, struct object **result)
{
    *result = coroutine ? await_iterator(coroutine) : NULL;
    xdecref(coroutine);
    return *result ? TURN_FROM : TURN_ERROR;
}

static enum turn ask(struct frame *f, enum resume how, borrowed argument, struct object **result)
{
    if (how == RESUME_THROW)
        return frame_raise(argument);
    f->at = !f->at;
    if (!f->at)
        return await(queue_get(own.queue[BACK]), result);
    if (!own.left[ASKS])
        return frame_return(result);
    own.left[ASKS]--;
    return await(queue_put(own.queue[THERE], none()), result);
}

static enum turn answer(struct frame *f, enum resume how, borrowed argument, struct object **result)
{
    if (how == RESUME_THROW)
        return frame_raise(argument);
    f->at = !f->at;
    if (!f->at)
        return await(queue_put(own.queue[BACK], argument), result);
    if (!own.left[ANSWERS])
        return frame_return(result);
    own.left[ANSWERS]--;
    return await(queue_get(own.queue[THERE]), result);
}

static const struct body bodies[SIDES] = {
    { .name = "ask", .kind = COROUTINE, .resume = ask },
    { .name = "answer", .kind = COROUTINE, .resume = answer },
};

static struct object *both(void)
{
    struct object *ask = generator_new(&bodies[ASKS], NULL, 0), *all = NULL;
    struct object *answer = ask ? generator_new(&bodies[ANSWERS], NULL, 0) : NULL;

    if (answer)
        all = gather(own.loop, (borrowed[]){ ask, answer }, SIDES, false);
    xdecref(ask);
    xdecref(answer);
    return all;
}

MEASURED static void pass(uint64_t iterations)
{
    struct object *all, *row = NULL;

    own.left[ASKS] = own.left[ANSWERS] = iterations;
    all = both();
    if (all)
        row = run_until_complete(own.loop, all);
    xdecref(all);
    xdecref(row);
}

static void teardown(void)
{
    if (own.loop)
        loop_close(own.loop);
    xdecref(own.loop);
    for (int way = 0; way < WAYS; way++)
        xdecref(own.queue[way]);
    own.loop = own.queue[THERE] = own.queue[BACK] = NULL;
}

static int setup(void)
{
    own.loop = loop_new();
    own.queue[THERE] = queue_new(0);
    own.queue[BACK] = queue_new(0);
    if (own.loop && own.queue[THERE] && own.queue[BACK]) {
        pass(2); /* so that its tables are there: at first nobody waits for the way there */
        return 0;
    }
    teardown();
    return -1;
}

const struct micro micro_queue_round_trip = {
    .about = "two tasks pass an object there and back by two queues", .setup = setup,
    .run = pass, .teardown = teardown,
};
