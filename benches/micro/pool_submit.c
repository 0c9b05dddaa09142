/* pool_submit.c - calls that a pool of two makes, and their results: some at once, then taken.
 *
 * Each call does nothing, so this is what a pool costs: a job is made, published, queued,
 * taken, completed, and let go of by two threads. Its control is bare_pool.
 */
#include "benches/micro.h"

#include "benches/workload.h"
#include "coroutines/recruit.h"
#include "coroutines/thread_pool.h"
#include "objects/exception.h"
#include "objects/function.h"
#include "objects/none.h"

enum { WORKERS = 2, BURST = 64 };

static struct object *pool, *function; /* owned */

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
    xdecref(pool);
    xdecref(function);
    pool = function = NULL;
}

static int setup(void)
{
    function = function_new("do_nothing", do_nothing, 0, NULL);
    pool = thread_pool_new(&(struct pool_options){ .workers = WORKERS });
    if (pool && function)
        return 0;
    teardown();
    return -1;
}

static void take_result(struct object *job /* steals; may be NULL */)
{
    struct object *result = job ? job_result(job, BLOCK_FOREVER) : NULL;

    barrier(result);
    xdecref(result);
    xdecref(job);
}

MEASURED static void run(uint64_t iterations)
{
    struct object *jobs[BURST];

    for (uint64_t done = 0; done < iterations; done += BURST) {
        for (int i = 0; i < BURST; i++)
            jobs[i] = executor_submit(pool, function, NULL, 0);
        for (int i = 0; i < BURST; i++)
            take_result(jobs[i]);
        safepoint(thread_self);
    }
}

const struct micro micro_pool_submit = {
    .about = "submit 64 calls to a pool of two threads, then take their results; per call",
    .threads = true, .setup = setup, .run = run, .teardown = teardown,
};
