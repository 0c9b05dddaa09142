/* sending.h - what the benchmarks of sending share: an int goes to a generator, and comes back. */
#ifndef BENCHES_SENDING_H
#define BENCHES_SENDING_H

#include "benches/workload.h"
#include "coroutines/generator.h"
#include "objects/int.h"

static struct object *generator, *number; /* owned */

/* 0; -1: an exception is pending. */
static int sending_setup(const struct body *body)
{
    generator = generator_primed(body, NULL, 0);
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

#endif
