/* relay_stackless.c - numbers handed to a generator that is a body, by send. */
#include "benches/micro.h"

#include "benches/relay.h"

static struct object *consumer;

static enum turn adds_up(struct frame *f, enum resume how, borrowed argument,
                         struct object **result)
{
    if (how == RESUME_THROW)
        return frame_raise(argument);
    *result = f->at++ ? relay_answer(frame_locals(f), incref(argument)) : none();
    f->at = 1;
    return *result ? TURN_YIELD : TURN_ERROR;
}

static int setup(void)
{
    static const struct body body = { .name = "adds_up", .resume = adds_up,
                                      .locals_bytes = sizeof(int64_t) };

    consumer = generator_primed(&body, NULL, 0);
    return consumer ? 0 : -1;
}

MEASURED static void run(uint64_t iterations)
{
    relay_send(consumer, iterations);
}

static void teardown(void)
{
    decref(consumer);
}

const struct micro micro_relay_stackless = {
    .about = "a number made, and sent to a generator that adds it up",
    .setup = setup, .run = run, .teardown = teardown,
};
