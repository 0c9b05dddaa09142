/* executor_deadlock.c - two programs that hang, and who finds out.
 *
 * The documentation of concurrent.futures has both. Neither can be prevented by a pool, and
 * no time is involved in either: the narrator looks (deadlock_look) until the workers have
 * come to where they wait for ever, is told who waits for what, and has the wait of one ended
 * so that the program ends. `deadlock_watch_start` does the same by itself.
 */
#include "benches/demo.h"
#include "coroutines/deadlock.h"
#include "coroutines/recruit.h"
#include "coroutines/thread_pool.h"
#include "gil/mutex.h"
#include "objects/exception.h"
#include "objects/function.h"
#include "objects/int.h"
#include "objects/list.h"
#include "objects/none.h"

#include <sched.h>
#include <stdio.h>

enum { WHO_MOST = 2, TEXT_BYTES = 160 };

/* What the watchdog has said; it holds a lock then, so it is printed later. */
static char said[WHO_MOST][TEXT_BYTES];
static int said_count;

/* When both jobs are in the list. */
static _Atomic uint32_t both_known; /* block.h */

static bool note(const struct deadlocked *who, int count)
{
    said_count = count < WHO_MOST ? count : WHO_MOST;
    for (int i = 0; i < said_count; i++)
        if (who[i].runs_on)
            snprintf(said[i], TEXT_BYTES, "%s waits for %s(), which runs on %s", who[i].worker,
                     who[i].awaited, who[i].runs_on);
        else
            snprintf(said[i], TEXT_BYTES, "%s waits for %s(), which is queued in %s, "
                     "and nobody else is there to do it", who[i].worker, who[i].awaited,
                     who[i].pool);
    return true;
}

static struct object *result_of(struct object *job /* steals; may be NULL */)
{
    struct object *result = job ? job_result(job, BLOCK_FOREVER) : NULL;

    xdecref(job);
    return result;
}

static struct object *do_something(borrowed closure, borrowed const *arguments, size_t count)
{
    (void)closure;
    (void)arguments;
    (void)count;
    return none();
}

/* pool.submit(other).result() */
static struct object *ask_myself(borrowed closure, borrowed const *arguments, size_t count)
{
    (void)closure;
    (void)count;
    return result_of(executor_submit(arguments[0], arguments[1], NULL, 0));
}

/* jobs[i].result(); the closure is the list of jobs. */
static struct object *wait_for(borrowed closure, borrowed const *arguments, size_t count)
{
    (void)count;
    block_until(&both_known, BLOCK_FOREVER, 0);
    return result_of(list_get(closure, (size_t)int_value(arguments[0])));
}

/* Until the job has ended, or the watchdog has found why it does not. */
static void watch(borrowed job)
{
    said_count = 0;
    thread_detach(thread_self);
    while (!job_is_done(job) && !deadlock_look(clock_ns(), 0, note))
        sched_yield();
    thread_attach(thread_self);
    for (int i = 0; i < said_count; i++)
        printf("    %s%s\n", i ? "          " : "DEADLOCK: ", said[i]);
}

/* 0, if it was as expected that it raises RuntimeError. */
static int tell_end(const char *who, borrowed job)
{
    struct object *result = job_result(job, BLOCK_FOREVER);

    if (result) {
        decref(result);
        printf("    %s has ended by itself\n", who);
        return 0;
    }
    if (!exception_matches(&runtime_error))
        return -1;
    printf("    %s has raised RuntimeError: %s\n", who, exception_message(exception_pending()));
    exception_restore(NULL);
    return 0;
}

static int ask_lone_worker(borrowed pool)
{
    struct object *inner = function_new("inner", do_something, 0, NULL), *job = NULL;
    struct object *f = function_new("ask_myself", ask_myself, 2, NULL);
    int result = -1;

    if (f && inner)
        job = executor_submit(pool, f, (borrowed[]){ pool, inner }, 2);
    if (job) {
        watch(job);
        result = tell_end("ask_myself()", job);
    }
    xdecref(f);
    xdecref(inner);
    xdecref(job);
    return result;
}

static struct object *submit_wait(borrowed pool, borrowed f, int64_t other, borrowed jobs)
{
    struct object *argument = int_new(other), *job = NULL;

    if (argument)
        job = executor_submit(pool, f, (borrowed[]){ argument }, 1);
    xdecref(argument);
    if (job && list_append(jobs, job) == 0)
        return job;
    xdecref(job);
    return NULL;
}

static int wait_for_each_other(borrowed pool, borrowed jobs, borrowed a, borrowed b)
{
    struct object *first = submit_wait(pool, a, 1, jobs);
    struct object *second = first ? submit_wait(pool, b, 0, jobs) : NULL;
    int result = -1;

    block_end(&both_known); /* one alone finds no other, and ends */
    if (second) {
        watch(first);
        result = tell_end("a()", first) < 0 ? -1 : tell_end("b()", second);
    }
    xdecref(first);
    xdecref(second);
    return result;
}

/* The list is emptied, for the jobs' functions hold it. */
static int ask_two_workers(borrowed pool)
{
    struct object *jobs = list_new(), *a = NULL, *b = NULL, *job;
    int result = -1;

    atomic_store_explicit(&both_known, 0, memory_order_relaxed);
    if (jobs) {
        publish(jobs);
        a = function_new("a", wait_for, 1, jobs);
        b = function_new("b", wait_for, 1, jobs);
    }
    if (a && b)
        result = wait_for_each_other(pool, jobs, a, b);
    while (jobs && list_length(jobs) && (job = list_pop(jobs)))
        decref(job);
    xdecref(a);
    xdecref(b);
    xdecref(jobs);
    return result;
}

static int with_pool(const char *name, int workers, int (*use)(borrowed pool))
{
    struct object *pool, *pending;
    int result;

    pool = thread_pool_new(&(struct pool_options){ .name = name, .workers = workers });
    if (!pool)
        return -1;
    result = use(pool);
    pending = exception_take();
    executor_shutdown(pool, true, false);
    exception_restore(pending);
    decref(pool);
    recruit_join_all();
    return result;
}

static int run(const char *mode, struct gil *gil, const struct thread_hooks *hooks)
{
    (void)gil, (void)hooks;
    printf("%s: a pool of one: its call submits another, and waits for the result\n", mode);
    if (with_pool("lone", 1, ask_lone_worker) < 0)
        return -1;
    printf("%s: a pool of two: each of two calls waits for the other's result\n", mode);
    return with_pool("pair", 2, ask_two_workers);
}

const struct demo demo_executor_deadlock = {
    .about = "two pools that wait for themselves, and the watchdog that names who waits for whom",
    .modes = "gil,atomic",
    .head = "    def ask_myself():                        def a(): return job_b.result()\n"
            "        return pool.submit(inner).result()   def b(): return job_a.result()\n",
    .tail =
        "No pool can prevent this: to wait for a result is what results are for. With a timeout\n"
        "the program goes on, some time later, and does not say why. A look at who waits for\n"
        "what, and where that is queued or runs, says it at once.",
    .run = run,
};
