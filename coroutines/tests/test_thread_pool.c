/* test_thread_pool.c - executors of threads.
 *
 * Each test is named after the one of CPython's Lib/test/test_concurrent_futures (executor.py,
 * test_thread_pool.py, test_shutdown.py, test_init.py, test_deadlock's documentation) that says
 * what is right, or after what is our own.
 */
#include "coroutines/deadlock.h"
#include "coroutines/job_wait.h"
#include "coroutines/tests/pools.h"
#include "coroutines/thread_pool.h"
#include "objects/cell.h"
#include "objects/collector.h"
#include "objects/iterator.h"
#include "objects/range.h"
#include "objects/set.h"
#include "objects/weakref.h"

#include <sched.h>

static struct object *pool_of(int workers)
{
    struct object *pool = thread_pool_new(&(struct pool_options){ .workers = workers });

    assert_non_null(pool);
    return pool;
}

/* As `with` does at its end. */
static void end_pool(struct object *pool)
{
    assert_int_equal(executor_shutdown(pool, true, false), 0);
    assert_int_equal(thread_pool_workers(pool), 0);
    decref(pool);
}

static struct object *submit(borrowed pool, borrowed f, borrowed argument)
{
    struct object *job = executor_submit(pool, f, &argument, argument ? 1 : 0);

    assert_non_null(job);
    return job;
}

/* ---- submit ---- */

static void test_submit(void **state)
{
    struct object *pool = pool_of(5), *add = function_of(add_two, 2), *a = int_new(2);
    struct object *b = int_new(40), *job = executor_submit(pool, add, (borrowed[]){ a, b }, 2);

    (void)state;
    assert_result(job, 42);
    assert_result(job, 42);
    end_pool(pool);
    DROP(add, a, b, job);
}

static void test_submit_what_raises(void **state)
{
    struct object *pool = pool_of(1), *f = function_of(raise_value_error, 0);
    struct object *job = submit(pool, f, NULL), *wrong = submit(pool, f, none()), *e;

    (void)state;
    assert_null(job_result(job, long_ns));
    assert_error(&value_error, "as asked");
    e = job_exception(job, 0);
    assert_null(job_result(job, long_ns)); /* the same one each time */
    assert_ptr_equal(exception_pending(), e);
    exception_restore(NULL);
    assert_null(job_result(wrong, long_ns));
    assert_error(&type_error, "f() takes 0 arguments but 1 was given");
    end_pool(pool);
    DROP(f, job, wrong, e);
}

static struct object *order; /* a list */

static struct object *note_order(borrowed closure, borrowed const *arguments, size_t count)
{
    (void)closure;
    (void)count;
    return list_append(order, arguments[0]) < 0 ? NULL : none();
}

/* First in, first out: seen with one worker. */
static void test_submit_in_order(void **state)
{
    enum { CALLS = 100 };
    struct object *pool = pool_of(1), *f = function_of(note_order, 1), *job, *item;

    (void)state;
    order = list_new();
    publish(order);
    for (int i = 0; i < CALLS; i++) {
        item = int_new(i);
        job = submit(pool, f, item);
        DROP(item, job);
    }
    end_pool(pool); /* what is queued is done */
    assert_int_equal(list_length(order), CALLS);
    for (int i = 0; i < CALLS; i++) {
        item = list_get(order, (size_t)i);
        assert_int_equal(int_value(item), i);
        decref(item);
    }
    DROP(f, order);
}

static void test_result_with_timeout_leaves_it_running(void **state)
{
    struct object *pool = pool_of(1), *f = function_of(pass_gate, 1), *seven = int_new(7);
    struct object *job = submit(pool, f, seven);

    (void)state;
    gate_await(&gate);
    assert_null(job_result(job, NS_PER_MS));
    assert_error(&timeout_error, "");
    assert_true(job_is_running(job));
    gate_open(&gate);
    assert_result(job, 7);
    end_pool(pool);
    DROP(f, seven, job);
}

static void test_max_workers_negative(void **state)
{
    (void)state;
    assert_null(thread_pool_new(&(struct pool_options){ .workers_given = true }));
    assert_error(&value_error, "max_workers must be greater than 0");
    assert_null(thread_pool_new(&(struct pool_options){ .workers = -1, .workers_given = true }));
    assert_error(&value_error, "max_workers must be greater than 0");
    assert_null(thread_pool_new(&(struct pool_options){ .initialiser = none() }));
    assert_error(&type_error, "initializer must be a callable");
}

static void test_idle_thread_reuse(void **state)
{
    struct object *pool = thread_pool_new(NULL), *f = function_of(give_back, 1);
    struct object *seven = int_new(7);

    (void)state;
    assert_int_equal(thread_pool_workers(pool), 0); /* none before it is needed */
    for (int i = 0; i < 100; i++) {
        struct object *job = submit(pool, f, seven);

        assert_result(job, 7);
        assert_int_equal(thread_pool_workers(pool), 1);
        decref(job);
    }
    end_pool(pool);
    DROP(f, seven);
}

static void test_saturation(void **state)
{
    struct object *pool = pool_of(4), *f = function_of(pass_gate, 0), *jobs[60];

    (void)state;
    for (int i = 0; i < 60; i++)
        jobs[i] = submit(pool, f, NULL);
    assert_int_equal(thread_pool_workers(pool), 4);
    gate_open(&gate);
    end_pool(pool);
    for (int i = 0; i < 60; i++)
        assert_int_equal(job_state(jobs[i]), JOB_FINISHED);
    decref_all(jobs, 60);
    decref(f);
}

static struct object *name_of_thread(borrowed closure, borrowed const *arguments, size_t count)
{
    (void)closure;
    (void)arguments;
    (void)count;
    return str_new(thread_self->name);
}

static void test_thread_names(void **state)
{
    struct object *pool = thread_pool_new(&(struct pool_options){ .name = "SpecialPool" });
    struct object *f = function_of(name_of_thread, 0), *job = submit(pool, f, NULL);
    struct object *name = job_result(job, long_ns);

    (void)state;
    assert_string_equal(str_text(name), "SpecialPool_0");
    end_pool(pool);
    DROP(f, job, name);
}

/* ---- cancelling ---- */

static void test_cancel_only_while_pending(void **state)
{
    struct object *pool = pool_of(1), *f = function_of(pass_gate, 1), *one = int_new(1);
    struct object *first = submit(pool, f, one), *second = submit(pool, f, one);

    (void)state;
    gate_await(&gate);
    assert_false(job_cancel(first));
    assert_true(job_cancel(second));
    assert_int_equal(job_state(second), JOB_CANCELLED);
    gate_open(&gate);
    assert_result(first, 1);
    end_pool(pool);
    assert_int_equal(job_state(second), JOB_CANCELLED_AND_NOTIFIED);
    DROP(f, one, first, second);
}

/* ---- map ---- */

static struct object *map_of(borrowed pool, borrowed f, borrowed iterable, uint64_t timeout_ns)
{
    struct object *it = executor_map(pool, f, &iterable, 1, timeout_ns);

    assert_non_null(it);
    return it;
}

static void assert_next_int(borrowed it, int64_t expected)
{
    struct object *item;

    assert_int_equal(iterator_step(it, &item), STEP_NEXT);
    assert_int_equal(int_value(item), expected);
    decref(item);
}

static void assert_end(borrowed it)
{
    struct object *end;

    assert_int_equal(iterator_step(it, &end), STEP_RETURN);
    assert_ptr_equal(end, none());
}

/* As long as the shortest of its iterables; and in order. */
static void test_map(void **state)
{
    struct object *pool = pool_of(3), *add = function_of(add_two, 2), *ten = range_new(0, 10);
    struct object *more = range_new(100, 200);
    struct object *it = executor_map(pool, add, (borrowed[]){ ten, more }, 2, BLOCK_FOREVER);

    (void)state;
    for (int i = 0; i < 10; i++)
        assert_next_int(it, 100 + 2 * i);
    assert_end(it);
    assert_end(it);
    end_pool(pool);
    DROP(add, ten, more, it);
}

static struct object *raise_if_three(borrowed closure, borrowed const *arguments, size_t count)
{
    if (int_value(arguments[0]) == 3)
        return raise_value_error(closure, arguments, count);
    return incref(arguments[0]);
}

/* What comes after it is not given. */
static void test_map_exception(void **state)
{
    struct object *pool = pool_of(2), *f = function_of(raise_if_three, 1), *ten = range_new(0, 10);
    struct object *it = map_of(pool, f, ten, BLOCK_FOREVER), *item;

    (void)state;
    for (int i = 0; i < 3; i++)
        assert_next_int(it, i);
    assert_int_equal(iterator_step(it, &item), STEP_ERROR);
    assert_error(&value_error, "as asked");
    assert_end(it);
    end_pool(pool);
    DROP(f, ten, it);
}

static void test_map_over_what_cannot_be_iterated(void **state)
{
    struct object *pool = pool_of(1), *f = function_of(give_back, 1), *one = none();

    (void)state;
    assert_null(executor_map(pool, f, (borrowed const *)&one, 1, BLOCK_FOREVER));
    assert_raises(&type_error);
    end_pool(pool);
    decref(f);
}

/* None waits at the gate, others return what they are given. */
static struct object *wait_if_none(borrowed closure, borrowed const *arguments, size_t count)
{
    return arguments[0] == none() ? pass_gate(closure, arguments, count) : incref(arguments[0]);
}

/* It counts from the call, for all of the iteration; what is there is given all the same. */
static void test_map_timeout(void **state)
{
    struct object *pool = pool_of(1), *f = function_of(wait_if_none, 1), *list = list_of_ints(1, 3);
    struct object *it, *item;

    (void)state;
    list_append(list, none());
    it = map_of(pool, f, list, NS_PER_MS);
    gate_await(&gate); /* so the others are done */
    assert_next_int(it, 1);
    assert_next_int(it, 2);
    assert_int_equal(iterator_step(it, &item), STEP_ERROR);
    assert_error(&timeout_error, "");
    assert_end(it);
    decref(it);
    gate_open(&gate);
    end_pool(pool);
    DROP(f, list);
}

static void test_map_submits_without_iteration(void **state)
{
    struct object *pool = pool_of(2), *f = function_of(note_order, 1), *ten = range_new(0, 10);
    struct object *it;

    (void)state;
    order = list_new();
    publish(order);
    it = map_of(pool, f, ten, BLOCK_FOREVER);
    end_pool(pool);
    assert_int_equal(list_length(order), 10);
    DROP(f, ten, it, order);
}

/* None stands at the gate, so the others are queued; then the iterator is dropped. */
static void test_an_abandoned_map_cancels_the_rest(void **state)
{
    struct object *pool = pool_of(1), *f = function_of(wait_if_none, 1), *list = list_new();
    struct object *it, *note = function_of(note_order, 1), *one = int_new(1), *last;

    (void)state;
    order = list_new();
    publish(order);
    list_append(list, none());
    it = map_of(pool, f, list, BLOCK_FOREVER);
    gate_await(&gate);
    last = map_of(pool, note, list, BLOCK_FOREVER);
    decref(last);
    settle_heap(); /* the worker stands at the gate: it counts nothing */
    gate_open(&gate);
    decref(it);
    end_pool(pool);
    assert_int_equal(list_length(order), 0);
    DROP(f, list, note, one, order);
}

/* The job for which it waits is cancelled, too, when its time is up: it is still queued. */
static void test_executor_map_current_future_cancel(void **state)
{
    struct object *pool = pool_of(1), *f = function_of(pass_gate, 0);
    struct object *first = submit(pool, f, NULL);
    struct object *note = function_of(note_order, 1), *two = range_new(0, 2), *it, *item;

    (void)state;
    order = list_new();
    publish(order);
    gate_await(&gate);
    it = map_of(pool, note, two, NS_PER_MS);
    assert_int_equal(iterator_step(it, &item), STEP_ERROR);
    assert_error(&timeout_error, "");
    gate_open(&gate);
    end_pool(pool);
    assert_int_equal(list_length(order), 0);
    DROP(f, first, note, two, it, order);
}

/* ---- shutdown ---- */

static void assert_refused(borrowed pool, borrowed f)
{
    assert_null(executor_submit(pool, f, NULL, 0));
    assert_error(&runtime_error, "cannot schedule new futures after shutdown");
}

static void test_run_after_shutdown(void **state)
{
    struct object *pool = pool_of(1), *f = function_of(pass_gate, 0);

    (void)state;
    assert_int_equal(executor_shutdown(pool, true, false), 0);
    assert_refused(pool, f);
    assert_int_equal(executor_shutdown(pool, true, true), 0); /* again */
    DROP(pool, f);
}

static void test_hang_issue12364_shutdown_does_what_is_queued(void **state)
{
    struct object *pool = pool_of(2), *f = function_of(give_back, 1), *jobs[50], *one = int_new(1);

    (void)state;
    for (int i = 0; i < 50; i++)
        jobs[i] = submit(pool, f, one);
    assert_int_equal(executor_shutdown(pool, true, false), 0);
    for (int i = 0; i < 50; i++)
        assert_result(jobs[i], 1);
    decref_all(jobs, 50);
    DROP(pool, f, one);
}

static void test_cancel_futures(void **state)
{
    struct object *pool = pool_of(1), *f = function_of(pass_gate, 0), *jobs[10], *tuple;
    struct object *done, *not_done;

    (void)state;
    for (int i = 0; i < 10; i++)
        jobs[i] = submit(pool, f, NULL);
    gate_await(&gate);
    assert_int_equal(executor_shutdown(pool, false, true), 0);
    assert_true(job_is_running(jobs[0]));
    for (int i = 1; i < 10; i++)
        assert_true(job_is_cancelled(jobs[i]));
    assert_refused(pool, f);
    gate_open(&gate);
    tuple = tuple_new(10, jobs); /* who waits for them hears of it */
    assert_int_equal(job_wait(tuple, long_ns, JOB_WAIT_ALL_COMPLETED, &done, &not_done), 0);
    assert_int_equal(set_length(done), 10);
    end_pool(pool);
    decref_all(jobs, 10);
    DROP(f, tuple, done, not_done);
}

/* Those that run go on, and what is queued is done. */
static void test_shutdown_no_wait(void **state)
{
    struct object *pool = pool_of(1), *f = function_of(pass_gate, 1), *one = int_new(1);
    struct object *running = submit(pool, f, one), *queued = submit(pool, f, one);

    (void)state;
    gate_await(&gate);
    assert_int_equal(executor_shutdown(pool, false, false), 0);
    assert_int_equal(job_state(queued), JOB_PENDING);
    gate_open(&gate);
    assert_result(running, 1);
    assert_result(queued, 1);
    end_pool(pool);
    DROP(f, one, running, queued);
}

/* As many threads as calls, and none when it has ended. */
static void test_threads_terminate(void **state)
{
    struct object *pool = pool_of(5), *f = function_of(pass_gate, 0), *jobs[3];

    (void)state;
    for (int i = 0; i < 3; i++)
        jobs[i] = submit(pool, f, NULL);
    assert_int_equal(thread_pool_workers(pool), 3);
    gate_open(&gate);
    assert_int_equal(executor_shutdown(pool, true, false), 0);
    assert_int_equal(thread_pool_workers(pool), 0);
    decref_all(jobs, 3);
    DROP(pool, f);
}

/* A call that was cancelled right before it. */
static void test_hang_gh94440(void **state)
{
    struct object *pool = pool_of(1), *f = function_of(give_back, 1), *one = int_new(1);
    struct object *job = submit(pool, f, one);

    (void)state;
    assert_result(job, 1);
    decref(job);
    job = submit(pool, f, one);
    job_cancel(job); /* it may be too late */
    end_pool(pool);
    assert_true(job_is_done(job));
    DROP(job, f, one);
}

/* test_wait.py: a hundred end while somebody begins to wait for all of them. */
enum { RACING = 100 };

static void test_pending_calls_race(void **state)
{
    struct object *pool = pool_of(5), *f = function_of(pass_gate, 0), *jobs[RACING], *tuple;
    struct object *done, *not_done;

    (void)state;
    for (int i = 0; i < RACING; i++)
        jobs[i] = submit(pool, f, NULL);
    gate_open(&gate);
    tuple = tuple_new(RACING, jobs);
    assert_int_equal(job_wait(tuple, long_ns, JOB_WAIT_ALL_COMPLETED, &done, &not_done), 0);
    assert_int_equal(set_length(done), RACING);
    assert_int_equal(set_length(not_done), 0);
    end_pool(pool);
    decref_all(jobs, RACING);
    DROP(f, tuple, done, not_done);
}

/* Dropped while a worker is idle, and while one works. */
static void test_del_shutdown(void **state)
{
    struct object *f = function_of(give_back, 1), *one = int_new(1), *pool = pool_of(2), *job;

    (void)state;
    job = submit(pool, f, one);
    assert_result(job, 1);
    decref(job);
    decref(pool);
    recruit_join_all();
    pool = pool_of(2);
    job = submit(pool, f, one);
    decref(pool);
    assert_result(job, 1);
    recruit_join_all();
    decref(pool_of(2)); /* nobody worked */
    DROP(f, one, job);
}

static struct object *shut_down_in_worker(borrowed closure, borrowed const *arguments, size_t count)
{
    (void)closure;
    (void)count;
    return executor_shutdown(arguments[0], true, false) < 0 ? NULL : none();
}

/* As a thread that would join itself. */
static void test_shutdown_by_a_worker_does_not_wait(void **state)
{
    struct object *pool = pool_of(1), *f = function_of(shut_down_in_worker, 1);
    struct object *job = submit(pool, f, pool);

    (void)state;
    assert_null(job_result(job, long_ns));
    assert_error(&runtime_error, "cannot join current thread");
    assert_refused(pool, f);
    end_pool(pool);
    DROP(f, job);
}

/* ---- initialisers ---- */

static _Atomic int initialised;

static struct object *count_initialised(borrowed closure, borrowed const *arguments, size_t count)
{
    (void)closure;
    (void)count;
    atomic_fetch_add_explicit(&initialised, (int)int_value(arguments[0]), memory_order_relaxed);
    return none();
}

static struct object *get_initialised(borrowed closure, borrowed const *arguments, size_t count)
{
    (void)closure;
    (void)arguments;
    (void)count;
    return int_new(atomic_load_explicit(&initialised, memory_order_relaxed));
}

static void test_initializer(void **state)
{
    struct object *init = function_of(count_initialised, 1), *get = function_of(get_initialised, 0);
    struct object *ten = int_new(10), *job, *pool;

    (void)state;
    pool = thread_pool_new(&(struct pool_options){ .workers = 2, .initialiser = init,
                                                   .arguments = (borrowed[]){ ten }, .count = 1 });
    job = submit(pool, get, NULL);
    assert_result(job, 10);
    end_pool(pool);
    assert_int_equal(exact_count(ten), 1);
    DROP(init, get, ten, job);
}

static struct object *fail_at_gate(borrowed closure, borrowed const *arguments, size_t count)
{
    gate_pass(&gate);
    return raise_value_error(closure, arguments, count);
}

static const char broken[] = "A thread initializer failed, the thread pool is not usable anymore";

/* What is queued fails, and so does every later submit. */
static void test_failing_initializer(void **state)
{
    struct object *init = function_of(fail_at_gate, 0), *f = function_of(get_initialised, 0);
    struct object *pool, *first, *second;

    (void)state;
    pool = thread_pool_new(&(struct pool_options){ .workers = 1, .initialiser = init });
    first = submit(pool, f, NULL);
    second = submit(pool, f, NULL);
    job_cancel(second);
    gate_open(&gate);
    assert_null(job_result(first, long_ns));
    assert_error(&broken_thread_pool, broken);
    assert_null(executor_submit(pool, f, NULL, 0));
    assert_true(exception_matches(&broken_executor));
    assert_error(&broken_thread_pool, broken);
    end_pool(pool);
    assert_true(job_is_cancelled(second));
    assert_int_equal(heard_count(), 1);
    assert_string_equal(heard.what, "Exception in initializer:");
    assert_string_equal(heard.kind, "ValueError");
    DROP(init, f, first, second);
}

/* ---- callbacks ---- */

static pthread_t called_in;

static struct object *note_thread(borrowed closure, borrowed const *arguments, size_t count)
{
    (void)closure;
    (void)arguments;
    (void)count;
    called_in = pthread_self();
    return none();
}

static void test_callbacks_run_in_the_worker(void **state)
{
    struct object *pool = pool_of(1), *f = function_of(pass_gate, 0), *note, *job;

    (void)state;
    note = function_of(note_thread, 1);
    job = submit(pool, f, NULL);
    assert_int_equal(job_add_done_callback(job, note), 0);
    gate_open(&gate);
    end_pool(pool);
    assert_false(pthread_equal(called_in, pthread_self()));
    DROP(f, note, job);
}

static struct object *return_none(borrowed closure, borrowed const *arguments, size_t count)
{
    (void)closure;
    (void)arguments;
    (void)count;
    return none();
}

static struct gate asked; /* come to when the answer is there */

/* The closure is a pool and a function: calls that in the pool, and waits. */
static struct object *ask_pool(borrowed closure, borrowed const *arguments, size_t count)
{
    struct object *pool = list_get(closure, 0), *f = list_get(closure, 1);
    struct object *job = submit(pool, f, NULL), *result = job_result(job, long_ns);

    (void)arguments;
    (void)count;
    DROP(pool, f, job);
    block_end(&asked.come);
    return result;
}

/* While it runs its worker is not free, so another is started. */
static void test_a_callback_may_wait_for_the_same_pool(void **state)
{
    struct object *pool = pool_of(2), *f = function_of(pass_gate, 0), *held = list_new(), *job;
    struct object *inner = function_of(return_none, 0), *ask;

    (void)state;
    gate_reset(&asked);
    list_append(held, pool);
    list_append(held, inner);
    ask = function_new("ask_pool", ask_pool, 1, held);
    job = submit(pool, f, NULL);
    assert_int_equal(job_add_done_callback(job, ask), 0);
    gate_open(&gate);
    assert_ptr_equal(job_result(job, long_ns), none());
    gate_await(&asked);
    list_set(held, 0, none());
    end_pool(pool);
    assert_int_equal(heard_count(), 0); /* it was not in vain */
    DROP(f, held, inner, ask, job);
}

/* ---- references ---- */

/* Whoever has the result finds the arguments let go of. */
static void test_no_stale_references(void **state)
{
    struct object *pool = pool_of(1), *f = function_of(return_none, 1), *argument = list_new();
    struct object *job = submit(pool, f, argument), *result = job_result(job, long_ns);

    (void)state;
    assert_ptr_equal(result, none());
    assert_int_equal(as_job(job)->function == NULL, true);
    executor_shutdown(pool, true, false);
    assert_int_equal(exact_count(argument), 1);
    DROP(pool, f, argument, job);
}

/* Neither the job nor the pool is known to anybody but us when the worker rests. */
static void test_free_reference(void **state)
{
    struct object *pool = pool_of(1), *f = function_of(give_back, 1), *one = int_new(1);
    struct object *it, *list = list_new(), *item;

    (void)state;
    list_append(list, one);
    it = map_of(pool, f, list, BLOCK_FOREVER);
    assert_int_equal(iterator_step(it, &item), STEP_NEXT);
    executor_shutdown(pool, true, false);
    assert_ptr_equal(item, one);
    assert_int_equal(exact_count(one), 3); /* ours, the list's, the item's */
    DROP(pool, f, one, it, list, item);
}

/* ---- deadlocks ---- */

static struct {
    _Atomic int told;
    int count;
    char worker[2][64], awaited[2][64], where[2][64];
} deadlock;

static bool note_deadlock(const struct deadlocked *who, int count)
{
    for (int i = 0; i < count && i < 2; i++) {
        snprintf(deadlock.worker[i], sizeof deadlock.worker[i], "%s", who[i].worker);
        snprintf(deadlock.awaited[i], sizeof deadlock.awaited[i], "%s", who[i].awaited);
        snprintf(deadlock.where[i], sizeof deadlock.where[i], "%s",
                 who[i].pool ? who[i].pool : who[i].runs_on);
    }
    deadlock.count = count;
    atomic_fetch_add_explicit(&deadlock.told, 1, memory_order_release);
    return true;
}

static void await_deadlock(void)
{
    atomic_store_explicit(&deadlock.told, 0, memory_order_relaxed);
    thread_detach(thread_self);
    while (!deadlock_look(clock_ns(), 0, note_deadlock))
        sched_yield();
    thread_attach(thread_self);
}

static struct object *ask_myself(borrowed closure, borrowed const *arguments, size_t count)
{
    struct object *job = executor_submit(arguments[0], arguments[1], NULL, 0), *result;

    (void)closure;
    (void)count;
    if (!job)
        return NULL;
    result = job_result(job, BLOCK_FOREVER);
    decref(job);
    return result;
}

/* The only worker waits for work that only it could do. */
static void test_deadlock_of_one_worker_is_named(void **state)
{
    struct object *pool = thread_pool_new(&(struct pool_options){ .workers = 1, .name = "lone" });
    struct object *inner = function_new("inner", return_none, 0, NULL), *job;
    struct object *f = function_new("ask_myself", ask_myself, 2, NULL);

    (void)state;
    job = executor_submit(pool, f, (borrowed[]){ pool, inner }, 2);
    await_deadlock();
    assert_int_equal(deadlock.count, 1);
    assert_string_equal(deadlock.worker[0], "lone_0");
    assert_string_equal(deadlock.awaited[0], "inner");
    assert_string_equal(deadlock.where[0], "lone");
    assert_null(job_result(job, long_ns)); /* its wait was ended */
    assert_error(&runtime_error, "this wait was part of a deadlock");
    end_pool(pool);
    DROP(inner, f, job);
}

static struct gate both; /* open when both jobs are known */

/* The closure is a list of jobs; the argument says for which. */
static struct object *wait_for_other(borrowed closure, borrowed const *arguments, size_t count)
{
    struct object *other, *result;

    (void)count;
    block_until(&both.open, BLOCK_FOREVER, 0);
    other = list_get(closure, (size_t)int_value(arguments[0]));
    result = other ? job_result(other, BLOCK_FOREVER) : NULL;
    xdecref(other);
    return result;
}

static void test_deadlock_of_two_that_wait_for_each_other_is_named(void **state)
{
    struct object *pool = thread_pool_new(&(struct pool_options){ .workers = 2, .name = "pair" });
    struct object *jobs = list_new(), *zero = int_new(0), *one = int_new(1), *first, *second;
    struct object *f = function_new("wait_for_other", wait_for_other, 1, jobs);

    (void)state;
    gate_reset(&both);
    first = submit(pool, f, one);
    second = submit(pool, f, zero);
    list_append(jobs, first);
    list_append(jobs, second);
    gate_open(&both);
    await_deadlock();
    assert_int_equal(deadlock.count, 2);
    for (int i = 0; i < 2; i++) {
        assert_string_equal(deadlock.awaited[i], "wait_for_other");
        assert_string_equal(deadlock.where[i], deadlock.worker[1 - i]);
    }
    assert_null(job_result(first, long_ns));
    assert_raises(&runtime_error);
    assert_null(job_result(second, long_ns));
    assert_raises(&runtime_error);
    end_pool(pool);
    list_set(jobs, 0, none());
    list_set(jobs, 1, none());
    DROP(jobs, zero, one, first, second, f);
}

/* Pools of one worker each, "left" and "right". */
static struct object *sides[2];

/* The first time it does what somebody outside may do at that moment: it shuts down the other
 * pool, of which the same look will tell. */
static bool note_and_shut_down_other(const struct deadlocked *who, int count)
{
    bool is_left = strcmp(who[0].pool, "left") == 0;

    if (!atomic_load_explicit(&deadlock.told, memory_order_relaxed))
        executor_shutdown(sides[is_left], false, true);
    return note_deadlock(who, count);
}

static bool is_followed(borrowed job)
{
    bool followed;

    bytelock_lock(&as_job(job)->lock);
    followed = as_job(job)->followers;
    bytelock_unlock(&as_job(job)->lock);
    return followed;
}

/* Each side's worker waits for what is queued behind it. Of how many a look told: one that is not
 * on the list yet is not seen. */
static int look_at_both_sides(borrowed inner)
{
    struct object *jobs = list_new(), *outer[2], *queued[2];
    struct object *f = function_new("wait_for_other", wait_for_other, 1, jobs);
    int told;

    gate_reset(&both);
    atomic_store_explicit(&deadlock.told, 0, memory_order_relaxed);
    for (int i = 0; i < 2; i++) {
        struct object *number = int_new(i);

        sides[i] =
            thread_pool_new(&(struct pool_options){ .workers = 1, .name = i ? "right" : "left" });
        outer[i] = submit(sides[i], f, number);
        queued[i] = submit(sides[i], inner, NULL);
        list_append(jobs, queued[i]);
        decref(number);
    }
    gate_open(&both);
    for (int i = 0; i < 2; i++)
        while (!is_followed(queued[i]))
            look_again_later();
    while (!(told = deadlock_look(clock_ns(), 0, note_and_shut_down_other)))
        look_again_later();
    for (int i = 0; i < 2; i++) {
        assert_null(job_result(outer[i], long_ns));
        exception_restore(NULL);
        end_pool(sides[i]);
        DROP(outer[i], queued[i]);
    }
    DROP(f, jobs);
    return told;
}

/* Between finding and telling: no runner and no name is there any more. */
static void test_a_deadlock_is_told_of_what_is_cancelled_meanwhile(void **state)
{
    struct object *inner = function_new("inner", return_none, 0, NULL);

    (void)state;
    while (look_at_both_sides(inner) != 2) { }
    assert_int_equal(deadlock.count, 1);
    assert_string_equal(deadlock.awaited[0], "");
    assert_true(strcmp(deadlock.where[0], "left") == 0 || strcmp(deadlock.where[0], "right") == 0);
    decref(inner);
}

static void assert_no_deadlock(void)
{
    thread_detach(thread_self);
    for (int i = 0; i < 1000; i++) {
        assert_int_equal(deadlock_look(clock_ns(), 0, note_deadlock), 0);
        sched_yield();
    }
    thread_attach(thread_self);
}

/* A worker that waits for another, which works. */
static void test_no_deadlock_is_told_where_somebody_works(void **state)
{
    struct object *pool = pool_of(2), *inner = function_of(pass_gate, 0), *job;
    struct object *f = function_of(ask_myself, 2);

    (void)state;
    job = executor_submit(pool, f, (borrowed[]){ pool, inner }, 2);
    gate_await(&gate);
    assert_no_deadlock();
    gate_open(&gate);
    assert_ptr_equal(job_result(job, long_ns), none());
    end_pool(pool);
    DROP(inner, f, job);
}

/* A worker that waits for what is queued, and another works, which will come to it. */
static void test_no_deadlock_is_told_where_somebody_will_come(void **state)
{
    struct object *pool = pool_of(2), *inner = function_of(return_none, 0), *first, *job;
    struct object *f = function_of(ask_myself, 2), *waits = function_of(pass_gate, 0);

    (void)state;
    first = submit(pool, waits, NULL);
    gate_await(&gate);
    job = executor_submit(pool, f, (borrowed[]){ pool, inner }, 2);
    assert_no_deadlock();
    gate_open(&gate);
    assert_ptr_equal(job_result(job, long_ns), none());
    end_pool(pool);
    DROP(inner, f, waits, first, job);
}

/* By the thread that looks; and only when they have waited long enough. */
static void test_watchdog(void **state)
{
    struct object *pool = pool_of(1), *inner = function_of(return_none, 0), *job;
    struct object *f = function_of(ask_myself, 2);

    (void)state;
    atomic_store_explicit(&deadlock.told, 0, memory_order_relaxed);
    job = executor_submit(pool, f, (borrowed[]){ pool, inner }, 2);
    while (!job_is_running(job)) {
        thread_detach(thread_self);
        sched_yield();
        thread_attach(thread_self);
    }
    assert_int_equal(deadlock_look(clock_ns(), long_ns, note_deadlock), 0);
    assert_int_equal(deadlock_watch_start(NS_PER_MS, note_deadlock), 0);
    assert_null(job_result(job, long_ns));
    assert_raises(&runtime_error);
    deadlock_watch_stop();
    deadlock_watch_stop();
    assert_int_equal(atomic_load_explicit(&deadlock.told, memory_order_acquire), 1);
    end_pool(pool);
    DROP(inner, f, job);
}

/* ---- many at once ---- */

enum { SUBMITTERS = 3, ROUNDS = 300, BURST = 8 };

static struct object *shared_pool, *shared_function;
static _Atomic int64_t sum;
static _Atomic int submitters;

/* Some results at once, so that workers rest and are woken; some in bursts. */
static void submit_many(struct thread *self, struct recruit *r)
{
    struct object *jobs[BURST], *one = int_new(1), *result;

    recruit_ready(r);
    for (int i = 0; i < ROUNDS; i++) {
        int count = i % 2 ? BURST : 1;

        for (int j = 0; j < count; j++)
            jobs[j] = executor_submit(shared_pool, shared_function, (borrowed[]){ one }, 1);
        for (int j = 0; j < count; j++) {
            result = job_result(jobs[j], long_ns);
            if (!result)
                return; /* and is missed */
            atomic_fetch_add_explicit(&sum, int_value(result), memory_order_relaxed);
            DROP(result, jobs[j]);
        }
        safepoint(self);
    }
    decref(one);
    atomic_fetch_sub_explicit(&submitters, 1, memory_order_release);
}

static void hammer(uint32_t spin)
{
    struct recruit r = { .name = "submitter", .body = submit_many };

    sum = 0;
    submitters = SUBMITTERS;
    shared_pool = thread_pool_new(&(struct pool_options){ .workers = 2, .spin = spin });
    shared_function = function_of(give_back, 1);
    publish(shared_function);
    for (int i = 0; i < SUBMITTERS; i++)
        assert_int_equal(recruit_start(&r), 0);
    for (uint64_t end_ns = clock_ns() + 2 * long_ns; submitters && clock_ns() < end_ns;)
        look_again_later();
    assert_int_equal(submitters, 0);
    assert_int_equal(sum, SUBMITTERS * (ROUNDS / 2) * (1 + BURST));
    end_pool(shared_pool);
    recruit_join_all();
    decref(shared_function);
}

/* No wake-up is lost and no result is seen before it is there, whether threads spin first or
 * sleep at once. */
static void test_many_submitters(void **state)
{
    (void)state;
    hammer(POOL_NO_SPIN);
    hammer(0);
}

/* Not waited for but looked at: when it is done the result is there. */
static void test_a_result_is_there_when_the_job_is_done(void **state)
{
    struct object *pool = pool_of(1), *f = function_of(give_back, 1), *one = int_new(1);

    (void)state;
    for (int i = 0; i < 2000; i++) {
        struct object *job = submit(pool, f, one);

        while (!job_is_done(job))
            safepoint(thread_self);
        assert_non_null(as_job(job)->outcome);
        decref(job);
    }
    end_pool(pool);
    DROP(f, one);
}

/* ---- memory ---- */

/* A scripted session; whoever waits in it waits for what cannot fail to come. */
static int session(void)
{
    struct object *f = function_new("f", give_back, 1, NULL), *one = int_new(1), *list = list_new();
    struct object *pool = NULL, *job = NULL, *it = NULL, *result = NULL, *item = NULL;
    int failed = -1;

    if (!f || !one || !list || list_append(list, one) < 0 || list_append(list, one) < 0)
        goto drop;
    pool = thread_pool_new(&(struct pool_options){ .workers = 1, .initialiser = f,
                                                   .arguments = (borrowed[]){ one }, .count = 1 });
    job = pool ? executor_submit(pool, f, (borrowed[]){ one }, 1) : NULL;
    result = job ? job_result(job, BLOCK_FOREVER) : NULL;
    it = result ? executor_map(pool, f, (borrowed[]){ list }, 1, BLOCK_FOREVER) : NULL;
    if (it && iterator_step(it, &item) == STEP_NEXT)
        failed = 0;
drop:
    if (pool)
        executor_shutdown(pool, true, false);
    recruit_join_all();
    xdecref(f);
    xdecref(one);
    xdecref(list);
    xdecref(pool);
    xdecref(job);
    xdecref(it);
    xdecref(result);
    xdecref(item);
    return failed;
}

static void test_a_failed_allocation_anywhere_is_memory_error(void **state)
{
    (void)state;
    fail_everywhere(session);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        pool_test(test_submit),
        pool_test(test_submit_what_raises),
        pool_test(test_submit_in_order),
        pool_test(test_result_with_timeout_leaves_it_running),
        pool_test(test_max_workers_negative),
        pool_test(test_idle_thread_reuse),
        pool_test(test_saturation),
        pool_test(test_thread_names),
        pool_test(test_cancel_only_while_pending),
        pool_test(test_map),
        pool_test(test_map_exception),
        pool_test(test_map_over_what_cannot_be_iterated),
        pool_test(test_map_timeout),
        pool_test(test_map_submits_without_iteration),
        pool_test(test_an_abandoned_map_cancels_the_rest),
        pool_test(test_executor_map_current_future_cancel),
        pool_test(test_run_after_shutdown),
        pool_test(test_hang_issue12364_shutdown_does_what_is_queued),
        pool_test(test_cancel_futures),
        pool_test(test_shutdown_no_wait),
        pool_test(test_threads_terminate),
        pool_test(test_hang_gh94440),
        pool_test(test_pending_calls_race),
        pool_test(test_del_shutdown),
        pool_test(test_shutdown_by_a_worker_does_not_wait),
        pool_test(test_initializer),
        pool_test(test_failing_initializer),
        pool_test(test_callbacks_run_in_the_worker),
        pool_test(test_a_callback_may_wait_for_the_same_pool),
        pool_test(test_no_stale_references),
        pool_test(test_free_reference),
        pool_test(test_deadlock_of_one_worker_is_named),
        pool_test(test_deadlock_of_two_that_wait_for_each_other_is_named),
        pool_test(test_a_deadlock_is_told_of_what_is_cancelled_meanwhile),
        pool_test(test_no_deadlock_is_told_where_somebody_works),
        pool_test(test_no_deadlock_is_told_where_somebody_will_come),
        pool_test(test_watchdog),
        pool_test(test_many_submitters),
        pool_test(test_a_result_is_there_when_the_job_is_done),
        pool_test(test_a_failed_allocation_anywhere_is_memory_error),
    };

    return run_with_pools(tests);
}
