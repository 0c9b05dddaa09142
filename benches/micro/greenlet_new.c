/* greenlet_new.c - a greenlet made, run to its end, and dropped. */
#include "benches/micro.h"

#include "coroutines/greenlet.h"
#include "objects/function.h"
#include "objects/none.h"

static struct object *function, *home; /* owned */

static struct object *give_back(borrowed closure, borrowed const *arguments, size_t count)
{
    (void)closure, (void)count;
    return incref(arguments[0]);
}

static int setup(void)
{
    function = function_new("give_back", give_back, 1, NULL);
    home = function ? greenlet_current() : NULL;
    if (home)
        return 0;
    xdecref(function);
    return -1;
}

MEASURED static void run(uint64_t iterations)
{
    for (uint64_t i = 0; i < iterations; i++) {
        struct object *g = greenlet_new(function, NULL);

        decref(greenlet_switch(g, none()));
        decref(g);
    }
}

static void teardown(void)
{
    decref(home);
    decref(function);
    greenlet_close();
}

const struct micro micro_greenlet_new = {
    .about = "a greenlet made, run to its end, and dropped", .setup = setup, .run = run,
    .teardown = teardown,
};
