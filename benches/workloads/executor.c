/* executor.c - calls that a pool of threads makes, round trip by round trip.
 *
 * Each worker submits some calls, as many as `ahead`, and takes their results. One at a time
 * it is the time that two threads take to find each other; many at a time it is what queue,
 * counts and lock cost. A call adds one to what it is given, so that the answer can be looked
 * at. Under a global lock a result is a hand-over of that, too.
 *
 * With `loop` each worker has an event loop, and nobody blocks for a result: it comes as a letter
 * (coroutines/bridge.h).
 *
 * The pool's threads are started in setup: later they would be bound as the worker that
 * starts them is.
 */
#include "benches/workload.h"
#include "coroutines/bridge.h"
#include "coroutines/recruit.h"
#include "coroutines/run.h"
#include "coroutines/thread_pool.h"
#include "objects/exception.h"
#include "objects/function.h"
#include "objects/int.h"
#include "objects/none.h"

enum { POOL, AHEAD, SPIN, LOOP };
enum { AHEAD_MOST = 256, POOL_MOST = 64, CALLS_A_STEP = 64 };

static struct object *pool, *add_one; /* owned */
static _Atomic int64_t missing;       /* threads of the pool that have not come */
static _Atomic uint32_t all_here;     /* block.h */
static _Atomic uint64_t made;         /* calls, by the pool's threads */
static _Atomic int working;           /* workers that have not ended */

static struct object *plus_one(borrowed closure, borrowed const *arguments, size_t count)
{
    (void)closure;
    (void)count;
    atomic_fetch_add_explicit(&made, 1, memory_order_relaxed);
    return int_new(int_value(arguments[0]) + 1);
}

/* Keeps a thread until there are as many as there are to be. */
static struct object *meet(borrowed closure, borrowed const *arguments, size_t count)
{
    (void)closure;
    (void)arguments;
    (void)count;
    if (atomic_fetch_sub_explicit(&missing, 1, memory_order_relaxed) == 1)
        block_end(&all_here);
    block_until(&all_here, BLOCK_FOREVER, BLOCK_SPIN);
    return none();
}

/* 0, or -1; what was pending stays so. */
static int wait_for(struct object *job /* steals */)
{
    struct object *pending = exception_take(), *result = job_result(job, BLOCK_FOREVER);
    bool failed = !result;

    decref(job);
    xdecref(result);
    if (pending)
        exception_restore(pending);
    return failed ? -1 : 0;
}

/* If one cannot be started the others must not wait for it. */
static int start_threads(borrowed function, int64_t threads)
{
    struct object *jobs[POOL_MOST];
    int64_t submitted = 0;
    bool failed;

    atomic_store_explicit(&missing, threads, memory_order_relaxed);
    atomic_store_explicit(&all_here, 0, memory_order_relaxed);
    while (submitted < threads && (jobs[submitted] = executor_submit(pool, function, NULL, 0)))
        submitted++;
    failed = submitted < threads || thread_pool_workers(pool) < threads;
    if (failed)
        block_end(&all_here);
    for (int64_t i = 0; i < submitted; i++)
        failed |= wait_for(jobs[i]) < 0;
    if (failed && !exception_pending())
        exception_set(&runtime_error, "not all threads of the pool could be started");
    return failed ? -1 : 0;
}

static struct object *new_pool(const struct job *job)
{
    int64_t spin = job->param[SPIN];

    return thread_pool_new(&(struct pool_options){ .workers = (int)job->param[POOL],
                                                   .spin = spin ? (uint32_t)spin : POOL_NO_SPIN });
}

static int setup(struct job *job)
{
    struct object *function = function_new("meet", meet, 0, NULL);
    int result = -1;

    atomic_store_explicit(&made, 0, memory_order_relaxed);
    atomic_store_explicit(&working, job->workers, memory_order_relaxed);
    add_one = function_new("plus_one", plus_one, 1, NULL);
    pool = new_pool(job);
    if (function && add_one && pool) {
        publish(add_one);
        mark_hot(add_one);
        result = start_threads(function, job->param[POOL]);
    }
    xdecref(function);
    return result;
}

/* A job, or with a loop a future. */
static struct object *submit_int(borrowed loop /* may be NULL */, int64_t value)
{
    struct object *argument = int_new(value), *job;

    if (!argument)
        return NULL;
    if (loop)
        job = run_in_executor(loop, pool, add_one, (borrowed[]){ argument }, 1);
    else
        job = executor_submit(pool, add_one, (borrowed[]){ argument }, 1);
    decref(argument);
    return job;
}

static int take_result(borrowed loop, struct object *job /* steals */, int64_t expected)
{
    struct object *result =
        loop ? run_until_complete(loop, job) : job_result(job, BLOCK_FOREVER);
    bool right = result && int_value(result) == expected;

    if (result && !right)
        exception_set(&runtime_error, "a call returned %lld, not %lld",
                      (long long)int_value(result), (long long)expected);
    xdecref(result);
    decref(job);
    return right ? 0 : -1;
}

/* The first of them fails, and all are waited for. */
static int round_trip(borrowed loop, int64_t ahead)
{
    struct object *jobs[AHEAD_MOST];
    int64_t submitted = 0, i;
    int result = 0;

    while (submitted < ahead && (jobs[submitted] = submit_int(loop, submitted)))
        submitted++;
    if (submitted < ahead)
        result = -1;
    for (i = 0; i < submitted && result == 0; i++)
        result = take_result(loop, jobs[i], i + 1);
    for (; i < submitted; i++)
        decref(jobs[i]);
    return result;
}

static int begin(struct worker *w)
{
    w->state = w->job->param[LOOP] ? loop_new() : NULL;
    return w->job->param[LOOP] && !w->state ? -1 : 0;
}

static int step(struct worker *w)
{
    int64_t ahead = w->job->param[AHEAD], done;

    for (done = 0; done < CALLS_A_STEP; done += ahead) {
        if (round_trip(w->state, ahead) < 0)
            return -1;
        safepoint(w->thread);
    }
    worker_count(w, (uint64_t)done);
    return 0;
}

static void stop_pool(void)
{
    if (pool)
        executor_shutdown(pool, true, true);
    recruit_join_all();
}

/* Counts are made exact when all workers have ended, and no thread may count meanwhile: so the
 * last one ends those of the pool. */
static void end(struct worker *w)
{
    struct object *loop = w->state;

    w->state = NULL;
    if (loop)
        loop_close(loop);
    xdecref(loop);
    if (atomic_fetch_sub_explicit(&working, 1, memory_order_acq_rel) == 1)
        stop_pool();
}

static int check(struct job *job, uint64_t ops)
{
    uint64_t calls = atomic_load_explicit(&made, memory_order_relaxed);

    (void)job;
    if (calls == ops)
        return 0;
    exception_set(&runtime_error, "the pool made %llu calls for %llu results",
                  (unsigned long long)calls, (unsigned long long)ops);
    return -1;
}

static void teardown(struct job *job)
{
    (void)job;
    stop_pool(); /* if a worker has not come to its end */
    xdecref(pool);
    xdecref(add_one);
    pool = add_one = NULL;
}

const struct workload workload_executor = {
    .about = "calls that a pool of threads makes, and their results",
    .unit = "call", .kind = KIND_MIXED, .shares = SHARES_TABLES, .least_threads = 1,
    .has_threads = true,
    .alone = "wait for the pool in the kernel, or run event loops of their own",
    .param = {
        { "pool", "how many threads the pool has", 2, 1, POOL_MOST },
        { "ahead", "how many calls are submitted before their results are taken", 32, 1,
          AHEAD_MOST },
        { "spin", "how often a thread that waits looks before it sleeps", BLOCK_SPIN, 0, 1000000 },
        { "loop", "1: each worker has an event loop, which awaits the results", 0, 0, 1 },
    },
    .roles = { { .name = "worker", .per_thread = 1, .begin = begin, .step = step, .end = end } },
    .setup = setup, .check = check, .teardown = teardown,
};
