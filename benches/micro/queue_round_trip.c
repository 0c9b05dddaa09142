/* queue_round_trip.c - two tasks that pass an object there and back; each waits for the other.
 *
 * What a queue does when it is empty: who takes awaits a future, who puts sets it.
 */
#include "benches/micro.h"

#include "coroutines/coroutine.h"
#include "coroutines/gather.h"
#include "coroutines/run.h"
#include "objects/int.h"

enum { THERE, BACK, WAYS };

static struct {
    struct object *loop;
    struct object *item[WAYS]; /* owned; futures of what is passed next */
} own;

static int renew(int way)
{
    xdecref(own.item[way]);
    own.item[way] = future_new(own.loop);
    return own.item[way] ? 0 : -1;
}

static enum turn take(int way, struct object **result)
{
    *result = await_iterator(own.item[way]);
    return *result ? TURN_FROM : TURN_ERROR;
}

static enum turn put_and_take(int put, int taken, struct object **result)
{
    return future_set_result(own.item[put], none()) < 0 ? TURN_ERROR : take(taken, result);
}

struct left {
    uint64_t trips;
};

static enum turn ask(struct frame *f, enum resume how, borrowed argument, struct object **result)
{
    struct left *left = frame_locals(f);

    if (how == RESUME_THROW)
        return frame_raise(argument);
    if (f->at == 0)
        left->trips = (uint64_t)int_value(f->reference[0]);
    else if (renew(BACK) < 0)
        return TURN_ERROR;
    f->at = 1;
    return left->trips-- ? put_and_take(THERE, BACK, result) : frame_return(result);
}

static enum turn answer(struct frame *f, enum resume how, borrowed argument, struct object **result)
{
    struct left *left = frame_locals(f);

    if (how == RESUME_THROW)
        return frame_raise(argument);
    if (f->at == 0) {
        f->at = 1;
        left->trips = (uint64_t)int_value(f->reference[0]);
        return take(THERE, result);
    }
    if (renew(THERE) < 0)
        return TURN_ERROR;
    if (--left->trips)
        return put_and_take(BACK, THERE, result);
    return future_set_result(own.item[BACK], none()) < 0 ? TURN_ERROR : frame_return(result);
}

static const struct body bodies[] = {
    { .name = "ask", .kind = COROUTINE, .resume = ask, .references = 1,
      .locals_bytes = sizeof(struct left) },
    { .name = "answer", .kind = COROUTINE, .resume = answer, .references = 1,
      .locals_bytes = sizeof(struct left) },
};

static struct object *both(borrowed trips)
{
    struct object *ask = generator_new(&bodies[0], &trips, 1), *all = NULL;
    struct object *answer = ask ? generator_new(&bodies[1], &trips, 1) : NULL;

    if (answer)
        all = gather(own.loop, (borrowed[]){ ask, answer }, 2, false);
    xdecref(ask);
    xdecref(answer);
    return all;
}

MEASURED static void pass(uint64_t iterations)
{
    struct object *trips = int_new((int64_t)iterations), *all = NULL, *row = NULL;

    if (trips && renew(THERE) == 0 && renew(BACK) == 0)
        all = both(trips);
    if (all)
        row = run_until_complete(own.loop, all);
    xdecref(trips);
    xdecref(all);
    xdecref(row);
}

static int setup(void)
{
    own.loop = loop_new();
    if (!own.loop)
        return -1;
    pass(1); /* so that its tables are there */
    return 0;
}

static void teardown(void)
{
    for (int way = 0; way < WAYS; way++) {
        xdecref(own.item[way]);
        own.item[way] = NULL;
    }
    loop_close(own.loop);
    decref(own.loop);
}

const struct micro micro_queue_round_trip = {
    .about = "two tasks pass an object there and back, through a future each", .setup = setup,
    .run = pass, .teardown = teardown,
};
