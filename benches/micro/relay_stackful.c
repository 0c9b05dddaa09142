/* relay_stackful.c - numbers handed to a generator with a stack of its own, by send. */
#include "benches/micro.h"

#include "benches/relay.h"
#include "coroutines/stackful.h"

static struct object *consumer;

static struct object *adds_up(struct stackful *self)
{
    struct object *sent = stackful_yield(self, none());
    int64_t sum = 0;

    while (sent)
        sent = stackful_yield(self, relay_answer(&sum, sent));
    return NULL;
}

static int setup(void)
{
    static const struct body body = { .name = "adds_up", .resume = stackful_turn,
                                      .stackful = adds_up };

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

const struct micro micro_relay_stackful = {
    .about = "a number made, and sent to a generator on its own stack that adds it up",
    .setup = setup, .run = run, .teardown = teardown,
};
