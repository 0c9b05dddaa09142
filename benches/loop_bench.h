/* loop_bench.h - what micro-benchmarks of an event loop share: a function that it calls. */
#ifndef BENCHES_LOOP_BENCH_H
#define BENCHES_LOOP_BENCH_H

#include "benches/batches.h"
#include "coroutines/loop.h"
#include "objects/function.h"
#include "objects/none.h"

static struct {
    struct object *loop, *f; /* owned */
    uint64_t calls;
} own;

static struct object *count_call(borrowed closure, borrowed const *arguments, size_t count)
{
    (void)closure, (void)arguments, (void)count;
    own.calls++;
    return none();
}

static int turn(void)
{
    loop_stop(own.loop);
    return loop_run_forever(own.loop);
}

/* A first `run` makes the loop's tables. */
static int setup_loop(void run(uint64_t iterations))
{
    own.loop = loop_new();
    own.f = own.loop ? function_new("count_call", count_call, ARGUMENTS_ANY, NULL) : NULL;
    if (own.f) {
        run(1);
        return 0;
    }
    xdecref(own.loop);
    return -1;
}

static void teardown(void)
{
    loop_close(own.loop);
    decref(own.loop);
    decref(own.f);
}

#endif
