/* demo_coroutines.c - what demonstrations of coroutines share. */
#include "benches/demo_coroutines.h"

#include "coroutines/coroutine.h"
#include "coroutines/run.h"

struct object *demo_await(struct object *awaitable)
{
    struct object *iterator = awaitable ? await_iterator(awaitable) : NULL;

    xdecref(awaitable);
    return iterator;
}

int demo_run(const struct body *body)
{
    struct object *coroutine = generator_new(body, NULL, 0), *result;

    if (!coroutine)
        return -1;
    result = run(coroutine, NULL);
    decref(coroutine);
    xdecref(result);
    return result ? 0 : -1;
}
