/* consumer_producer.c - two sides of one generator: the producer drives, the consumer answers.
 *
 * It prints what CPython 3.11 prints for that program.
 */
#include "benches/consumer.h"
#include "benches/demo.h"

#include "objects/int.h"
#include "objects/str.h"

#include <stdio.h>

enum { ITEMS = 5 };

/* Sends, and says what came back. */
static int ask(struct object *target, borrowed item, const char *what)
{
    struct object *reply;

    if (!item || generator_send(target, item, &reply) != STEP_NEXT)
        return -1;
    printf("producer: %s is %s\n", what, str_text(reply));
    decref(reply);
    return 0;
}

static int produce(struct object *target)
{
    if (ask(target, none(), "first reply") < 0)
        return -1;
    for (int i = 1; i <= ITEMS; i++) {
        struct object *item = int_new(i);
        int failed;

        printf("producer: sends %d\n", i);
        failed = ask(target, item, "reply");
        xdecref(item);
        if (failed < 0)
            return -1;
    }
    return generator_close(target, NULL);
}

static int run(const char *mode, struct gil *gil, const struct thread_hooks *hooks)
{
    struct object *target = consumer_new(true);
    int result = target ? produce(target) : -1;

    (void)mode, (void)gil, (void)hooks;
    xdecref(target);
    return result;
}

const struct demo demo_consumer_producer = {
    .about = "two sides of one generator: the producer drives, the consumer answers",
    .modes = "gil", .run = run,
};
