/* generator_send.c - an int is sent to a generator, which yields it again. */
#include "benches/micro.h"

#include "benches/workload.h"
#include "coroutines/generator.h"
#include "objects/int.h"

static struct object *generator, *number;

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
    generator = generator_primed(&body, NULL, 0);
    number = generator ? int_new(41) : NULL;
    if (!number)
        xdecref(generator);
    return number ? 0 : -1;
}

MEASURED static void run(uint64_t iterations)
{
    struct object *g = generator, *sent = number, *result;

    for (uint64_t i = 0; i < iterations; i++) {
        generator_send(g, sent, &result);
        decref(result);
    }
}

static void teardown(void)
{
    decref(generator);
    decref(number);
}

const struct micro micro_generator_send = {
    .about = "an int sent to a generator that yields it again",
    .setup = setup, .run = run, .teardown = teardown,
};
