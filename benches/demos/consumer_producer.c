/* consumer_producer.c - two sides of one generator: the producer drives, the consumer answers.
 *
 *     def consumer():
 *         reply = "ready"
 *         while True:
 *             item = yield reply
 *             if not item:
 *                 return
 *             reply = "ok %d" % item
 *
 * It prints what CPython 3.11 prints for that program.
 */
#include "benches/demo.h"

#include "coroutines/generator.h"
#include "objects/int.h"
#include "objects/str.h"

#include <inttypes.h>
#include <stdio.h>

enum { ITEMS = 5 };

static enum turn wait_with(const char *reply, struct object **result)
{
    puts("consumer: waiting");
    *result = str_new(reply);
    return *result ? TURN_YIELD : TURN_ERROR;
}

static enum turn consume(struct frame *f, enum resume how, borrowed argument,
                         struct object **result)
{
    char reply[40];

    if (how == RESUME_THROW)
        return frame_raise(argument);
    if (f->at++ == 0) {
        puts("consumer: started");
        return wait_with("ready", result);
    }
    printf("consumer: got %" PRId64 "\n", int_value(argument));
    if (int_value(argument) == 0)
        return frame_return(result);
    snprintf(reply, sizeof reply, "ok %" PRId64, int_value(argument));
    return wait_with(reply, result);
}

static const struct body consumer = { .name = "consumer", .resume = consume };

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
    struct object *target = generator_new(&consumer, NULL, 0);
    int result = target ? produce(target) : -1;

    (void)mode, (void)gil, (void)hooks;
    xdecref(target);
    return result;
}

const struct demo demo_consumer_producer = {
    .about = "two sides of one generator: the producer drives, the consumer answers",
    .modes = "gil", .run = run,
};
