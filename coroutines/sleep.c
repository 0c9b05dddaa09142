/* sleep.c - a coroutine that lets time pass. */
#include "coroutines/sleep.h"

#include "coroutines/coroutine.h"
#include "coroutines/future.h"
#include "objects/int.h"
#include "objects/none.h"

enum { DELAY, RESULT, FUTURE, HANDLE, REFERENCES };
enum { BEGINS, SLEEPS, PASSES };

static int finish(borrowed loop, borrowed future, borrowed argument)
{
    loop_enter(loop, "sleep");
    if (!future_done(future))
        future_finish(as_future(future), incref(argument));
    return 0;
}

static enum turn begin(struct frame *f, struct object **result)
{
    int64_t delay_ns = int_value(f->reference[DELAY]);
    borrowed loop = loop_running_needed();

    if (!loop)
        return TURN_ERROR;
    if (delay_ns <= 0) {
        f->at = PASSES;
        *result = none();
        return TURN_YIELD;
    }
    f->at = SLEEPS;
    f->reference[FUTURE] = future_new(loop);
    if (!f->reference[FUTURE])
        return TURN_ERROR;
    f->reference[HANDLE] = loop_push_at(loop, loop_time_after(delay_ns), finish,
                                        f->reference[FUTURE], f->reference[RESULT]);
    if (!f->reference[HANDLE])
        return TURN_ERROR;
    *result = incref(f->reference[FUTURE]);
    return TURN_FROM;
}

static enum turn resume(struct frame *f, enum resume how, borrowed argument, struct object **result)
{
    if (how == RESUME_SEND && f->at == BEGINS)
        return begin(f, result);
    if (f->at == SLEEPS)
        handle_cancel(f->reference[HANDLE]);
    if (how == RESUME_THROW)
        return frame_raise(argument);
    *result = incref(f->reference[RESULT]);
    return TURN_RETURN;
}

static const struct body sleep_body = {
    .name = "sleep", .kind = COROUTINE, .resume = resume, .references = REFERENCES,
};

struct object *sleep_new(int64_t delay_ns, borrowed result)
{
    struct object *delay = int_new(delay_ns), *coroutine;

    if (!delay)
        return NULL;
    coroutine = generator_new(&sleep_body, (borrowed[]){ delay, result ? result : none() }, 2);
    decref(delay);
    return coroutine;
}
