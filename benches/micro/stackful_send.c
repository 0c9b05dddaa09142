/* stackful_send.c - an int is sent to a generator with its own stack, which yields it again. */
#include "benches/micro.h"

#include "benches/sending.h"
#include "coroutines/stackful.h"

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

    return sending_setup(&body);
}

const struct micro micro_stackful_send = {
    .about = "an int sent to a generator with its own stack that yields it again",
    .setup = setup, .run = run, .teardown = teardown,
};
