/* greenlet_switch.c - to a greenlet and back: two switches, a value each way. */
#include "benches/micro.h"

#include "coroutines/greenlet.h"
#include "objects/function.h"
#include "objects/none.h"

static struct object *home, *away; /* owned */

static struct object *give_back(borrowed closure, borrowed const *arguments, size_t count)
{
    struct object *value = incref(arguments[0]);

    (void)closure, (void)count;
    while (value) {
        struct object *next = greenlet_switch(home, value);

        decref(value);
        value = next;
    }
    return NULL;
}

static int setup(void)
{
    struct object *function = function_new("give_back", give_back, 1, NULL);

    home = greenlet_current();
    away = home && function ? greenlet_new(function, NULL) : NULL;
    xdecref(function);
    if (away)
        return 0;
    xdecref(home);
    return -1;
}

MEASURED static void run(uint64_t iterations)
{
    for (uint64_t i = 0; i < iterations; i++)
        decref(greenlet_switch(away, none()));
}

static void teardown(void)
{
    decref(away);
    decref(home);
    greenlet_close();
}

const struct micro micro_greenlet_switch = {
    .about = "a switch to a greenlet, and back", .setup = setup, .run = run, .teardown = teardown,
};
