/* stackful_send.c - an int is sent to a generator with a stack of its own, which yields it again. */
#include "benches/micro.h"

#include "benches/workload.h"
#include "coroutines/stackful.h"
#include "objects/int.h"

static struct object *generator, *number;

static struct object *echoes(struct stackful *self)
{
    struct object *sent = stackful_yield(self, none());

    while (sent)
        sent = stackful_yield(self, sent);
    return NULL;
}

static int setup(void)
{
    static const struct body body = { .name = "echoes", .resume = stackful_turn,
                                      .stackful = echoes };

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

const struct micro micro_stackful_send = {
    .about = "an int sent to a generator with its own stack that yields it again",
    .setup = setup, .run = run, .teardown = teardown,
};
