/* relay_greenlet.c - numbers handed to a greenlet, by a switch, and its answer by another. */
#include "benches/micro.h"

#include "benches/relay.h"
#include "coroutines/greenlet.h"
#include "objects/function.h"

static struct object *producer, *consumer; /* owned */

/* In the consumer, until it is ended with its last reference. */
static struct object *adds_up(borrowed closure, borrowed const *arguments, size_t count)
{
    struct object *sent = incref(arguments[0]);
    int64_t sum = 0;

    (void)closure, (void)count;
    while (sent) {
        struct object *answer = relay_answer(&sum, sent);

        sent = greenlet_switch(producer, answer);
        decref(answer);
    }
    return NULL;
}

static void teardown(void)
{
    xdecref(consumer);
    xdecref(producer);
}

/* It is begun. */
static int setup(void)
{
    struct object *function = function_new("adds_up", adds_up, 1, NULL), *sum = NULL;

    producer = greenlet_current();
    consumer = producer && function ? greenlet_new(function, NULL) : NULL;
    xdecref(function);
    if (consumer)
        sum = greenlet_switch(consumer, none());
    if (!sum)
        teardown();
    xdecref(sum);
    return sum ? 0 : -1;
}

MEASURED static void run(uint64_t iterations)
{
    struct object *number, *sum;

    for (uint64_t i = 0; i < iterations; i++) {
        number = relay_number(i);
        decref(greenlet_switch(consumer, number));
        decref(number);
    }
    sum = greenlet_switch(consumer, none());
    assert(relay_right(int_value(sum), iterations));
    decref(sum);
}

const struct micro micro_relay_greenlet = {
    .about = "a number made, and switched to a greenlet that adds it up",
    .setup = setup, .run = run, .teardown = teardown,
};
