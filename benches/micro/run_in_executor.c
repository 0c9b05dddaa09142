/* run_in_executor.c - the same from an event loop: 64 calls of a pool of two, then their results.
 *
 * As pool_submit, but nobody blocks: each job has a future and a letter, which brings the result
 * into the loop, and the loop sleeps when there is none. Its control is pool_submit, and what that
 * has below it.
 */
#include "benches/micro.h"

#include "benches/workload.h"
#include "coroutines/bridge.h"
#include "coroutines/recruit.h"
#include "coroutines/thread_pool.h"
#include "objects/exception.h"
#include "objects/function.h"
#include "objects/none.h"

enum { WORKERS = 2, BURST = 64 };

static struct object *loop, *pool, *function; /* owned */
static int left;

static struct object *do_nothing(borrowed closure, borrowed const *arguments, size_t count)
{
    (void)closure;
    (void)arguments;
    (void)count;
    return none();
}

static void teardown(void)
{
    if (pool)
        executor_shutdown(pool, true, false);
    recruit_join_all();
    if (loop)
        loop_close(loop);
    xdecref(loop);
    xdecref(pool);
    xdecref(function);
    loop = pool = function = NULL;
}

static int one_is_done(borrowed running, borrowed target, borrowed future)
{
    (void)target, (void)future;
    loop_enter(running, "run_in_executor");
    if (!--left)
        loop_stop(running);
    return 0;
}

/* One that could not be begun is not waited for. */
static void begin(struct object **future)
{
    *future = run_in_executor(loop, pool, function, NULL, 0);
    if (*future && future_on_done(*future, one_is_done, none(), false) == 0)
        left++;
}

static void take_result(struct object *future /* steals; may be NULL */)
{
    struct object *result = future ? future_result(future) : NULL;

    barrier(result);
    xdecref(result);
    xdecref(future);
}

MEASURED static void run(uint64_t iterations)
{
    struct object *futures[BURST];

    for (uint64_t done = 0; done < iterations; done += BURST) {
        for (int i = 0; i < BURST; i++)
            begin(&futures[i]);
        if (left)
            loop_run_forever(loop);
        for (int i = 0; i < BURST; i++)
            take_result(futures[i]);
    }
}

static int setup(void)
{
    function = function_new("do_nothing", do_nothing, 0, NULL);
    pool = thread_pool_new(&(struct pool_options){ .workers = WORKERS });
    loop = loop_new();
    if (loop && pool && function) {
        run(1); /* so that its tables are there */
        return 0;
    }
    teardown();
    return -1;
}

const struct micro micro_run_in_executor = {
    .about = "a loop has 64 calls made by two threads of a pool, and takes the results; per call",
    .threads = true, .setup = setup, .run = run, .teardown = teardown,
};
