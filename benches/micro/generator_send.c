/* generator_send.c - an int is sent to a generator, which yields it again. */
#include "benches/micro.h"

#include "benches/sending.h"

static enum turn echoes(struct frame *f, enum resume how, borrowed argument,
                        struct object **result)
{
    if (how == RESUME_THROW)
        return frame_raise(argument);
    f->at = 1;
    *result = incref(argument);
    return TURN_YIELD;
}

static const struct body body = { .name = "echoes", .resume = echoes };

static int setup(void)
{
    return sending_setup(&body);
}

const struct micro micro_generator_send = {
    .about = "an int sent to a generator that yields it again",
    .setup = setup, .run = run, .teardown = teardown,
};
