/* executors.c - submit, map in order, a timeout, a pool that waits for itself.
 *
 * A tutorial's program and what CPython 3.11 prints of it, line by line:
 *
 *     with ThreadPoolExecutor(max_workers=3) as pool:
 *         print("submit:", pool.submit(pow, 2, 10).result())
 *         print("map:", list(pool.map(sleeper, [0.3, 0.1, 0.2])))
 *         slow = pool.submit(sleeper, 0.3)
 *         try:
 *             slow.result(timeout=0.05)
 *         except TimeoutError:
 *             print("timeout; running?", slow.running())
 *         print("then:", slow.result())
 *     with ThreadPoolExecutor(max_workers=1) as pool:
 *         def ask_myself():
 *             try:
 *                 return pool.submit(pow, 5, 2).result(timeout=0.2)
 *             except TimeoutError:
 *                 return "deadlock: the only worker waits for work that only it could do"
 *         print(pool.submit(ask_myself).result())
 *
 * What becomes of the last one without a timeout: `lab demo executor-deadlock`.
 */
#include "benches/demo.h"
#include "coroutines/io.h"
#include "coroutines/recruit.h"
#include "coroutines/thread_pool.h"
#include "gil/mutex.h"
#include "objects/exception.h"
#include "objects/float.h"
#include "objects/function.h"
#include "objects/int.h"
#include "objects/iterator.h"
#include "objects/list.h"
#include "objects/str.h"

#include <stdio.h>

static const uint64_t short_ns = 50 * NS_PER_MS, longer_ns = 200 * NS_PER_MS;

static struct object *sleeper(borrowed closure, borrowed const *arguments, size_t count)
{
    (void)closure;
    (void)count;
    if (io_sleep_ns((uint64_t)(float_value(arguments[0]) * NS_PER_S)) < 0)
        return NULL;
    return incref(arguments[0]);
}

static struct object *power(borrowed closure, borrowed const *arguments, size_t count)
{
    int64_t result = 1;

    (void)closure;
    (void)count;
    for (int64_t i = int_value(arguments[1]); i > 0; i--)
        result *= int_value(arguments[0]);
    return int_new(result);
}

/* A job that calls power(base, exponent). */
static struct object *submit_power(borrowed pool, int64_t base, int64_t exponent)
{
    struct object *f = function_new("pow", power, 2, NULL), *a = int_new(base);
    struct object *b = int_new(exponent), *job = NULL;

    if (f && a && b)
        job = executor_submit(pool, f, (borrowed[]){ a, b }, 2);
    xdecref(f);
    xdecref(a);
    xdecref(b);
    return job;
}

static struct object *submit_sleeper(borrowed pool, borrowed f, double seconds)
{
    struct object *argument = float_new(seconds), *job;

    if (!argument)
        return NULL;
    job = executor_submit(pool, f, (borrowed[]){ argument }, 1);
    decref(argument);
    return job;
}

/* Prints it as Python's print does; steals it. -1: it is NULL. */
static int tell(const char *what, struct object *o)
{
    char text[120];

    if (!o)
        return -1;
    if (type_of(o) == &str_type)
        snprintf(text, sizeof text, "%s", str_text(o));
    else
        object_repr(o, text, sizeof text);
    printf("%s%s\n", what, text);
    decref(o);
    return 0;
}

/* Steals the job, which may be NULL. */
static int tell_result(const char *what, struct object *job)
{
    int result = job ? tell(what, job_result(job, BLOCK_FOREVER)) : -1;

    xdecref(job);
    return result;
}

static struct object *list_of(const double *values, int count)
{
    struct object *list = list_new(), *item;
    int result = list ? 0 : -1;

    for (int i = 0; result == 0 && i < count; i++) {
        item = float_new(values[i]);
        result = item ? list_append(list, item) : -1;
        xdecref(item);
    }
    if (result == 0)
        return list;
    xdecref(list);
    return NULL;
}

/* What an iterator gives, as Python prints a list of it. */
static int tell_items(const char *what, borrowed iterator)
{
    const char *before = "[";
    struct object *item;
    enum step step;
    char text[40];

    printf("%s", what);
    while ((step = iterator_step(iterator, &item)) == STEP_NEXT) {
        object_repr(item, text, sizeof text);
        printf("%s%s", before, text);
        before = ", ";
        decref(item);
    }
    puts("]");
    return step == STEP_RETURN ? 0 : -1;
}

static int tell_map(borrowed pool, borrowed f)
{
    struct object *list = list_of((double[]){ 0.3, 0.1, 0.2 }, 3), *map = NULL;
    int result = -1;

    if (list)
        map = executor_map(pool, f, (borrowed[]){ list }, 1, BLOCK_FOREVER);
    if (map)
        result = tell_items("map: ", map);
    xdecref(list);
    xdecref(map);
    return result;
}

/* Whether it is time that has passed; whatever else went wrong stays pending. */
static bool takes_too_long(borrowed job, uint64_t timeout_ns, struct object **result)
{
    *result = job_result(job, timeout_ns);
    if (*result || !exception_matches(&timeout_error))
        return false;
    exception_restore(NULL);
    return true;
}

static int tell_timeout(borrowed pool, borrowed f)
{
    struct object *slow = submit_sleeper(pool, f, 0.3), *result;

    if (!slow)
        return -1;
    if (takes_too_long(slow, short_ns, &result))
        printf("timeout; running? %s\n", job_is_running(slow) ? "True" : "False");
    xdecref(result);
    if (!exception_pending())
        return tell_result("then: ", slow);
    decref(slow);
    return -1;
}

static struct object *ask_myself(borrowed closure, borrowed const *arguments, size_t count)
{
    struct object *job = submit_power(arguments[0], 5, 2), *result;

    (void)closure;
    (void)count;
    if (!job)
        return NULL;
    if (takes_too_long(job, longer_ns, &result))
        result = str_new("deadlock: the only worker waits for work that only it could do");
    decref(job);
    return result;
}

static int use_three(borrowed pool)
{
    struct object *f = function_new("sleeper", sleeper, 1, NULL);
    int result = -1;

    if (f && tell_result("submit: ", submit_power(pool, 2, 10)) == 0 && tell_map(pool, f) == 0)
        result = tell_timeout(pool, f);
    xdecref(f);
    return result;
}

static int use_one(borrowed pool)
{
    struct object *f = function_new("ask_myself", ask_myself, 1, NULL);
    int result = f ? tell_result("", executor_submit(pool, f, (borrowed[]){ pool }, 1)) : -1;

    xdecref(f);
    return result;
}

/* with ThreadPoolExecutor(max_workers) as pool: use(pool) */
static int with_pool(int workers, int (*use)(borrowed pool))
{
    struct object *pool = thread_pool_new(&(struct pool_options){ .workers = workers }), *pending;
    int result;

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
    (void)mode, (void)gil, (void)hooks;
    return with_pool(3, use_three) < 0 ? -1 : with_pool(1, use_one);
}

const struct demo demo_executors = {
    .about = "executors: submit, map in order, a timeout, a pool that waits for itself",
    .modes = "gil", .run = run,
};
