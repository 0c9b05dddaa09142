/* test_bridge.c - calls that a loop has made elsewhere, and coroutines that others have it run.
 *
 * Names in brackets are those of CPython's Lib/test/test_asyncio: test_futures.py (F),
 * test_events.py (EV), test_base_events.py (BE), test_tasks.py (T), test_runners.py (RUN),
 * test_threads.py and test_free_threading.py.
 */
#include "coroutines/bridge.h"
#include "coroutines/gather.h"
#include "coroutines/hub.h"
#include "coroutines/job.h"
#include "coroutines/nursery.h"
#include "coroutines/process_pool.h"
#include "coroutines/run.h"
#include "coroutines/sleep.h"
#include "coroutines/tests/plays.h"
#include "coroutines/tests/threads.h"
#include "coroutines/thread_pool.h"
#include "coroutines/wait.h"
#include "objects/list.h"
#include "objects/tuple.h"
#include "objects/weakref.h"

enum { CALLERS = 10 };

static int before_test(void **state)
{
    (void)state;
    alarm(TIMEOUT_S);
    gate_reset(&gate);
    *diary = '\0';
    return 0;
}

/* What is dropped is destroyed, also where counts are late. */
static void settle(void)
{
    recruit_join_all();
    settle_heap();
}

#define bridge_test(f) cmocka_unit_test_setup(f, before_test)

static struct object *pool_of(int workers)
{
    struct object *pool = thread_pool_new(&(struct pool_options){ .workers = workers });

    assert_non_null(pool);
    return pool;
}

static void end_pool(struct object *pool /* steals */)
{
    assert_int_equal(executor_shutdown(pool, true, false), 0);
    decref(pool);
}

static struct object *new_job(void)
{
    struct object *job = job_new(NULL, NULL, 0, 0);

    assert_non_null(job);
    return job;
}

static struct object *wrapped(borrowed loop, borrowed job)
{
    struct object *future = wrap_future(loop, job);

    assert_non_null(future);
    return future;
}

/* What run_until_complete returns of it. */
static void assert_comes(borrowed loop, borrowed future, int64_t expected)
{
    struct object *result = run_until_complete(loop, future);

    assert_non_null(result);
    assert_int_equal(int_value(result), expected);
    decref(result);
}

/* A call without arguments, in the executor. */
static struct object *call_there(borrowed loop, borrowed executor, native *body)
{
    struct object *f = function_of(body, 0), *future = run_in_executor(loop, executor, f, NULL, 0);

    decref(f);
    assert_non_null(future);
    return future;
}

/* Until it is done, whatever comes of it. */
static void wait_and_run(borrowed loop, borrowed future)
{
    struct object *result = run_until_complete(loop, future);

    xdecref(result);
    exception_restore(NULL);
}

/* ---- wrap_future ---- */

static void test_wrap_future(void **state) /* F test_wrap_future, test_wrap_future_future */
{
    struct object *loop = make_loop(), *job = new_job(), *number = int_new(42), *future, *same;

    (void)state;
    future = wrapped(loop, job);
    assert_ptr_equal(future_loop(future), loop);
    assert_repr(future, "<Future pending>");
    same = wrapped(loop, future);
    assert_ptr_equal(same, future);
    assert_int_equal(job_set_result(job, number), 0);
    assert_false(future_done(future)); /* before the loop's next turn nobody sees it */
    turns(loop, 1);
    assert_result(future, 42);
    decref(future);
    future = wrapped(loop, job); /* of one that is done */
    turns(loop, 1);
    assert_result(future, 42);
    assert_null(wrap_future(loop, number));
    assert_raises(&type_error);
    DROP(same, future, job, number);
    end_loop(loop);
}

static void test_wrapped_is_set_by_its_job_alone(void **state)
{
    struct object *loop = make_loop(), *job = new_job(), *future = wrapped(loop, job);
    struct object *number = int_new(1);

    (void)state;
    assert_error(future_set_result(future, number) < 0, &runtime_error,
                 "Future does not support set_result operation");
    assert_int_equal(job_set_result(job, number), 0);
    DROP(job, future, number);
    end_loop(loop);
}

static void test_wrap_future_cancel(void **state) /* F test_wrap_future_cancel, _cancel2 */
{
    struct object *loop = make_loop(), *job = new_job(), *other = new_job(), *number = int_new(1);
    struct object *future = wrapped(loop, job), *late = wrapped(loop, other);

    (void)state;
    assert_int_equal(future_cancel(future, NULL), 1);
    assert_true(future_cancelled(future));
    assert_true(job_is_cancelled(job)); /* at once: CPython's is a turn later */
    turns(loop, 1);
    assert_cancelled(future);
    assert_int_equal(job_set_result(other, number), 0);
    turns(loop, 1);
    assert_int_equal(future_cancel(late, NULL), 0);
    assert_false(job_is_cancelled(other));
    DROP(job, other, future, late, number);
    end_loop(loop);
}

static void test_a_cancelled_job_cancels_its_future(void **state)
{
    struct object *loop = make_loop(), *job = new_job(), *future = wrapped(loop, job);

    (void)state;
    assert_true(job_cancel(job));
    turns(loop, 1);
    assert_cancelled(future);
    DROP(job, future);
    end_loop(loop);
}

static struct object *future_that_raised(borrowed loop, struct object *e /* steals */)
{
    struct object *job = new_job(), *future = wrapped(loop, job);

    assert_int_equal(job_set_running(job), 1);
    assert_int_equal(job_set_exception(job, e), 0);
    turns(loop, 1);
    DROP(e, job);
    return future;
}

static void test_kinds_of_exceptions_are_the_loops(void **state) /* CPython's _convert_future_exc */
{
    struct object *loop = make_loop(), *f, *e, *cause;

    (void)state;
    f = future_that_raised(loop, exception_new(&value_error, "v"));
    assert_fails(f, &value_error, "v");
    decref(f);
    f = future_that_raised(loop, exception_new(&job_cancelled_error, "c"));
    assert_false(future_cancelled(f));
    assert_fails(f, &cancelled_error, "c");
    decref(f);
    f = future_that_raised(loop, exception_new(&stop_iteration, "%s", ""));
    e = future_exception(f);
    assert_true(exception_is(e, &runtime_error));
    assert_string_equal(exception_message(e), "StopIteration interacts badly with generators and "
                                              "cannot be raised into a Future");
    cause = exception_cause(e);
    assert_true(exception_is(cause, &stop_iteration));
    DROP(cause, e, f);
    assert_int_equal(heard.told, 0);
    end_loop(loop);
}

static void test_an_exception_that_nobody_asks_for_is_told(void **state)
{
    struct object *loop = make_loop(), *f;

    (void)state;
    f = future_that_raised(loop, exception_new(&value_error, "lost"));
    decref(f);
    settle();
    assert_heard(1, "Future exception was never retrieved", "ValueError: lost");
    end_loop(loop);
}

static void test_to_complete_a_job_needs_no_memory(void **state)
{
    struct object *loop = make_loop(), *job = new_job(), *future = wrapped(loop, job);
    struct object *number = int_new(7);

    (void)state;
    fail_allocation(1);
    assert_int_equal(job_set_result(job, number), 0);
    assert_true(failure_waits()); /* none was asked for */
    fail_allocation(0);
    turns(loop, 1);
    assert_result(future, 7);
    DROP(job, future, number);
    end_loop(loop);
}

/* ---- run_in_executor ---- */

static char ran_on[64];

static struct object *say_thread(borrowed closure, borrowed const *arguments, size_t count)
{
    (void)closure;
    (void)count;
    snprintf(ran_on, sizeof ran_on, "%s", thread_self->name);
    return tuple_new(1, (struct object *const *)arguments);
}

static void test_run_in_executor(void **state) /* EV test_run_in_executor */
{
    struct object *loop = make_loop(), *f = function_of(say_thread, 1), *yo = str_new("yo");
    struct object *future = run_in_executor(loop, NULL, f, (borrowed[]){ yo }, 1), *result;

    (void)state;
    result = run_until_complete(loop, future);
    assert_repr(result, "('yo',)");
    assert_string_equal(ran_on, "asyncio_0");
    DROP(future, result, f, yo);
    end_loop(loop);
    recruit_join_all();
}

static struct object *raise_as_asked(borrowed closure, borrowed const *arguments, size_t count)
{
    (void)closure;
    (void)arguments;
    (void)count;
    exception_set(&value_error, "as asked");
    return NULL;
}

static void test_what_the_call_raises_is_raised(void **state)
{
    struct object *loop = make_loop(), *future = call_there(loop, NULL, raise_as_asked);

    (void)state;
    assert_error(!run_until_complete(loop, future), &value_error, "as asked");
    decref(future);
    end_loop(loop);
    recruit_join_all();
}

/* EV test_run_in_executor_cancel: the thread goes on, and nobody is told of what it returns. */
static void test_run_in_executor_cancel(void **state)
{
    struct object *loop = make_loop(), *pool = pool_of(1);
    struct object *running = call_there(loop, pool, pass_gate), *queued;

    (void)state;
    gate_await(&gate);
    queued = call_there(loop, pool, raise_as_asked);
    assert_int_equal(future_cancel(queued, NULL), 1);
    assert_int_equal(future_cancel(running, NULL), 1);
    turns(loop, 1);
    assert_cancelled(running);
    assert_cancelled(queued);
    gate_open(&gate);
    end_pool(pool); /* the running one has ended, the queued one was never called */
    turns(loop, 2);
    assert_int_equal(heard.told, 0);
    DROP(running, queued);
    end_loop(loop);
}

/* A call is on its way back to a loop that has gone meanwhile; with it all that it holds. */
static void test_a_loop_that_closes_meanwhile(void **state)
{
    struct object *loop = make_loop(), *pool = pool_of(1), *future;

    (void)state;
    future = call_there(loop, pool, pass_gate);
    gate_await(&gate);
    end_loop(loop);
    gate_open(&gate);
    end_pool(pool);
    assert_false(future_done(future));
    decref(future);
}

/* The worker has the last reference to the future, and through it to the loop; then the letter has
 * it, which is the loop's. */
static void test_a_loop_that_is_forgotten_meanwhile(void **state)
{
    struct object *loop, *pool;

    (void)state;
    if (!collector_works())
        skip();
    loop = make_loop();
    pool = pool_of(1);
    decref(call_there(loop, pool, pass_gate));
    gate_await(&gate);
    decref(loop);
    gate_open(&gate);
    end_pool(pool);
    recruit_join_all();
    collect(GENERATION_ALL);
}

/* BE test_set_default_executor, test_set_default_executor_error */
static void test_set_default_executor(void **state)
{
    struct object *loop = make_loop(), *pool = thread_pool_new(&(struct pool_options){
                                           .workers = 1, .name = "mine" });
    struct object *f = function_of(say_thread, 1), *number = int_new(1), *future;

    (void)state;
    assert_error(set_default_executor(loop, loop) < 0, &type_error,
                 "executor must be ThreadPoolExecutor instance");
    assert_int_equal(set_default_executor(loop, pool), 0);
    future = run_in_executor(loop, NULL, f, (borrowed[]){ number }, 1);
    wait_and_run(loop, future);
    assert_string_equal(ran_on, "mine_0");
    decref(future);
    end_loop(loop);
    assert_null(executor_submit(pool, f, (borrowed[]){ number }, 1)); /* closed, it shut it down */
    assert_raises(&runtime_error);
    DROP(pool, f, number);
    recruit_join_all();
}

static void test_what_is_refused(void **state)
{
    struct object *loop = make_loop(), *f = function_of(say_thread, 1), *number = int_new(1);
    struct object *over = shutdown_default_executor(loop), *pool = pool_of(1);

    (void)state;
    wait_and_run(loop, over);
    assert_error(!run_in_executor(loop, NULL, f, (borrowed[]){ number }, 1), &runtime_error,
                 "Executor shutdown has been called");
    end_pool(incref(pool));
    assert_error(!run_in_executor(loop, pool, f, (borrowed[]){ number }, 1), &runtime_error,
                 "cannot schedule new futures after shutdown");
    assert_int_equal(loop_close(loop), 0);
    assert_error(!run_in_executor(loop, NULL, f, (borrowed[]){ number }, 1), &runtime_error,
                 "Event loop is closed");
    assert_error(!shutdown_default_executor(loop), &runtime_error, "Event loop is closed");
    assert_error(set_default_executor(loop, pool) < 0, &runtime_error, "Event loop is closed");
    DROP(over, pool, f, number, loop);
}

/* ---- processes ---- */

static const struct sendable table[] = { { "raise_as_asked", raise_as_asked, 0 },
                                         { "give_back", give_back, 1 },
                                         { NULL } };

static struct object *call_in_process(borrowed loop, borrowed pool, const struct sendable *s,
                                      borrowed argument)
{
    struct object *f = function_new(s->name, s->body, s->count, NULL), *future;

    future = run_in_executor(loop, pool, f, &argument, (size_t)s->count);
    decref(f);
    assert_non_null(future);
    return future;
}

static void test_a_pool_of_processes(void **state)
{
    struct object *pool = process_pool_new(&(struct pool_options){ .workers = 1 });
    struct object *loop = make_loop(), *number = int_new(77), *good, *bad;

    (void)state;
    assert_non_null(pool);
    good = call_in_process(loop, pool, &table[1], number);
    bad = call_in_process(loop, pool, &table[0], NULL);
    assert_comes(loop, good, 77);
    assert_error(!run_until_complete(loop, bad), &value_error, "as asked");
    DROP(good, bad, number);
    end_pool(pool);
    end_loop(loop);
}

/* ---- shutdown_default_executor ---- */

/* RUN: what was submitted is done before run returns. */
static _Atomic int done_count;

static struct object *count_done(borrowed closure, borrowed const *arguments, size_t count)
{
    (void)closure;
    (void)arguments;
    (void)count;
    look_again_later();
    atomic_fetch_add_explicit(&done_count, 1, memory_order_relaxed);
    return none();
}

static int submit_some(struct play *p)
{
    (void)p;
    for (int i = 0; i < CALLERS; i++)
        decref(call_there(loop_running(), NULL, count_done));
    return 0;
}

static void test_run_joins_the_default_executor(void **state)
{
    static const struct act acts[] = { { DO, .done = submit_some }, { RETURN, .number = 3 } };
    struct play p = { acts };
    struct object *coroutine = perform_play(&p), *result;

    (void)state;
    atomic_store(&done_count, 0);
    result = run(coroutine, NULL);
    assert_int_equal(int_value(result), 3);
    assert_int_equal(atomic_load(&done_count), CALLERS);
    DROP(result, coroutine);
    play_end(&p);
    recruit_join_all();
}

/* ---- to_thread ---- */

static struct object *to_thread_of(native *body, int count, borrowed argument)
{
    struct object *f = function_of(body, count), *c = to_thread_new(f, &argument, (size_t)count);

    decref(f);
    assert_non_null(c);
    return c;
}

static struct object *run_and_drop(struct object *coroutine /* steals */)
{
    struct object *result = run(coroutine, NULL);

    decref(coroutine);
    recruit_join_all();
    return result;
}

static void test_to_thread(void **state) /* test_threads.py: 5 of 6, there are no contexts here */
{
    struct object *number = int_new(42), *result, *f;

    (void)state;
    result = run_and_drop(to_thread_of(give_back, 1, number));
    assert_int_equal(int_value(result), 42);
    decref(result);
    assert_error(!run_and_drop(to_thread_of(raise_as_asked, 0, NULL)), &value_error, "as asked");
    f = to_thread_of(raise_as_asked, 0, NULL); /* it is not called before it is awaited */
    assert_int_equal(generator_close(f, NULL), 0);
    DROP(f, number);
}

static struct object *gather_calls(struct play *p)
{
    struct object *coroutines[CALLERS], *all;

    for (int i = 0; i < CALLERS; i++)
        coroutines[i] = to_thread_of(count_done, 0, NULL);
    all = gather(loop_running(), (borrowed const *)coroutines, CALLERS, p->number);
    decref_all(coroutines, CALLERS);
    return all;
}

static void test_to_thread_concurrent(void **state)
{
    static const struct act acts[] = { { AWAIT, .made = gather_calls }, { END } };
    struct play p = { acts };
    struct object *result;

    (void)state;
    atomic_store(&done_count, 0);
    result = run_and_drop(perform_play(&p));
    assert_int_equal(atomic_load(&done_count), CALLERS);
    decref(result);
    play_end(&p);
}

/* ---- run_coroutine_threadsafe ---- */

/* What a worker is told of, and says: the loop; its coroutine; what came of it. */
struct caller {
    borrowed loop;
    struct play play;
    uint64_t timeout_ns;
    bool cancels;
};

static struct caller caller;

/* Python's target(): asks the loop that runs on the other thread, and waits. */
static struct object *ask_loop(borrowed closure, borrowed const *arguments, size_t count)
{
    struct object *coroutine = perform_play(&caller.play), *job, *result;

    (void)closure;
    (void)arguments;
    (void)count;
    job = run_coroutine_threadsafe(caller.loop, coroutine);
    decref(coroutine);
    assert_non_null(job);
    if (caller.cancels) {
        gate_await(&gate); /* the coroutine has begun */
        assert_true(job_cancel(job));
    }
    result = job_result(job, caller.timeout_ns ? caller.timeout_ns : long_ns);
    if (!result && exception_matches(&timeout_error)) {
        assert_true(job_cancel(job));
        assert_true(job_is_done(job));
    }
    decref(job);
    return result;
}

/* Its outcome is what the worker has seen. */
static struct object *ask_from_thread(borrowed loop, const struct act *acts)
{
    struct object *pool = pool_of(1), *future;

    caller.loop = loop;
    caller.play = (struct play){ acts };
    future = call_there(loop, pool, ask_loop);
    wait_and_run(loop, future);
    end_pool(pool);
    turns(loop, 3); /* what was cancelled ends */
    play_end(&caller.play);
    return future;
}

static struct object *sleep_long(struct play *p)
{
    (void)p;
    return sleep_new(LONG_S * (int64_t)NS_PER_S, NULL);
}

static int come_to_gate(struct play *p)
{
    (void)p;
    block_end(&gate.come);
    return 0;
}

static void assert_no_tasks(borrowed loop)
{
    struct object *tasks = loop_tasks(loop);

    assert_int_equal(list_length(tasks), 0);
    decref(tasks);
}

static void test_run_coroutine_threadsafe(void **state) /* T test_run_coroutine_threadsafe */
{
    static const struct act acts[] = { { PASS }, { RETURN, .number = 3 } };
    struct object *loop = make_loop(), *future;

    (void)state;
    caller = (struct caller){ NULL };
    future = ask_from_thread(loop, acts);
    assert_result(future, 3);
    decref(future);
    assert_no_tasks(loop);
    end_loop(loop);
}

static void test_run_coroutine_threadsafe_with_exception(void **state) /* T the same */
{
    static const struct act acts[] = { { PASS }, { RAISE, "Fail!", .kind = &runtime_error } };
    struct object *loop = make_loop(), *future;

    (void)state;
    caller = (struct caller){ NULL };
    future = ask_from_thread(loop, acts);
    assert_fails(future, &runtime_error, "Fail!");
    decref(future);
    assert_int_equal(heard.told, 0); /* who waits has heard of it */
    end_loop(loop);
}

static void test_run_coroutine_threadsafe_with_timeout(void **state) /* T the same */
{
    static const struct act acts[] = { { AWAIT, .made = sleep_long }, { END } };
    struct object *loop = make_loop(), *future;

    (void)state;
    caller = (struct caller){ .timeout_ns = 1 };
    future = ask_from_thread(loop, acts);
    assert_fails(future, &timeout_error, "");
    decref(future);
    assert_no_tasks(loop); /* its task was cancelled */
    end_loop(loop);
}

/* Cancelled from outside, by the job: the coroutine is told where it stands. */
static void test_run_coroutine_threadsafe_job_cancelled(void **state)
{
    static const struct act acts[] = { { DO, .done = come_to_gate },
                                       { AWAIT, .made = sleep_long, .except = 2 },
                                       { SAY_RAISED },
                                       { AGAIN } };
    struct object *loop = make_loop(), *future;

    (void)state;
    caller = (struct caller){ .cancels = true };
    future = ask_from_thread(loop, acts);
    assert_fails(future, &cancelled_error, ""); /* the worker's was concurrent.futures' */
    assert_diary("CancelledError()");
    decref(future);
    assert_no_tasks(loop);
    end_loop(loop);
}

static int cancel_self(struct play *p)
{
    (void)p;
    return future_cancel(task_current(), NULL) < 0 ? -1 : 0;
}

static void test_run_coroutine_threadsafe_task_cancelled(void **state) /* T the same */
{
    static const struct act acts[] = { { PASS }, { DO, .done = cancel_self }, { PASS }, { END } };
    struct object *loop = make_loop(), *future;

    (void)state;
    caller = (struct caller){ NULL };
    future = ask_from_thread(loop, acts);
    assert_fails(future, &cancelled_error, "");
    decref(future);
    end_loop(loop);
}

/* T test_run_coroutine_threadsafe_task_factory_exception: no task can be made of it. */
static void test_run_coroutine_threadsafe_without_memory_for_the_task(void **state)
{
    static const struct act acts[] = { { END } };
    struct object *loop = make_loop(), *coroutine, *job;
    struct play p = { acts };

    (void)state;
    soon(loop, noter("it has room in its ring"));
    turns(loop, 1);
    coroutine = perform_play(&p);
    job = run_coroutine_threadsafe(loop, coroutine);
    fail_allocation(1);
    turns(loop, 1);
    assert_false(failure_waits());
    assert_true(job_is_done(job));
    assert_null(job_result(job, 0));
    assert_raises(&memory_error);
    assert_heard(1, "Exception in callback", "MemoryError: out of memory");
    assert_int_equal(generator_close(coroutine, NULL), 0);
    DROP(coroutine, job);
    play_end(&p);
    end_loop(loop);
}

static void test_run_coroutine_threadsafe_refuses(void **state)
{
    static const struct act acts[] = { { END } };
    struct object *loop = make_loop(), *coroutine;
    struct play p = { acts };

    (void)state;
    assert_error(!run_coroutine_threadsafe(loop, loop), &type_error,
                 "A coroutine object is required");
    coroutine = perform_play(&p);
    assert_int_equal(loop_close(loop), 0);
    assert_error(!run_coroutine_threadsafe(loop, coroutine), &runtime_error,
                 "Event loop is closed");
    assert_int_equal(generator_close(coroutine, NULL), 0);
    DROP(coroutine, loop);
    play_end(&p);
}

/* One that nobody wants any more before the loop has come to it is never begun. */
static void test_cancelled_before_it_is_begun(void **state)
{
    static const struct act acts[] = { { SAY, "begun" }, { END } };
    struct object *loop = make_loop(), *coroutine, *job;
    struct play p = { acts };

    (void)state;
    coroutine = perform_play(&p);
    job = run_coroutine_threadsafe(loop, coroutine);
    decref(coroutine);
    assert_true(job_cancel(job));
    turns(loop, 3);
    assert_diary("");
    assert_int_equal(job_state(job), JOB_CANCELLED_AND_NOTIFIED);
    decref(job);
    play_end(&p);
    end_loop(loop);
}

/* CPython's waits for ever. */
static void test_a_closed_loop_is_not_waited_for(void **state)
{
    static const struct act acts[] = { { AWAIT, .made = sleep_long }, { END } };
    struct object *loop, *coroutines[2], *begun, *letter;
    struct play p = { acts }, q = { acts };

    (void)state;
    if (!collector_works())
        skip(); /* who sleeps is part of a cycle */
    loop = make_loop();
    coroutines[0] = perform_play(&p);
    coroutines[1] = perform_play(&q);
    begun = run_coroutine_threadsafe(loop, coroutines[0]);
    turns(loop, 2);
    letter = run_coroutine_threadsafe(loop, coroutines[1]);
    assert_int_equal(generator_close(coroutines[1], NULL), 0); /* nobody is warned */
    decref_all(coroutines, 2);
    assert_false(job_is_done(begun));
    end_loop(loop);
    settle();
    assert_true(job_is_cancelled(begun));
    assert_true(job_is_cancelled(letter));
    DROP(begun, letter);
    collect(GENERATION_ALL);
    play_end(&p);
    play_end(&q);
}

/* ---- without a global lock: test_free_threading.py ---- */

/* Each on a loop of its own: all_tasks gives all of one's own and no other's. */
static struct object *never(borrowed loop)
{
    struct object *f = future_new(loop);

    assert_non_null(f);
    return f;
}

static void make_tasks(borrowed loop, borrowed future, struct play *plays, struct object **tasks,
                       int count)
{
    static const struct act acts[] = { { AWAIT }, { END } };

    for (int i = 0; i < count; i++) {
        plays[i] = (struct play){ acts, .object = (struct object *)future };
        tasks[i] = start(loop, &plays[i]);
    }
}

static void end_plays(struct play *plays, int count)
{
    for (int i = 0; i < count; i++)
        play_end(&plays[i]);
}

enum { OWN_TASKS = 20 };

static struct object *run_own_loop(borrowed closure, borrowed const *arguments, size_t count)
{
    struct object *loop = loop_new(), *future = never(loop), *tasks[OWN_TASKS], *all;
    struct play plays[OWN_TASKS];

    (void)closure;
    (void)arguments;
    (void)count;
    make_tasks(loop, future, plays, tasks, OWN_TASKS);
    turns(loop, 1);
    all = loop_tasks(loop);
    assert_int_equal(list_length(all), OWN_TASKS);
    for (int i = 0; i < OWN_TASKS; i++) {
        struct object *task = list_get(all, (size_t)i);

        assert_ptr_equal(task, tasks[i]);
        assert_ptr_equal(future_loop(task), loop);
        assert_false(future_done(task));
        decref(task);
    }
    decref(all);
    finish(future, 1);
    turns(loop, 3);
    assert_no_tasks(loop);
    decref_all(tasks, OWN_TASKS);
    end_plays(plays, OWN_TASKS);
    decref(future);
    end_loop(loop);
    return none();
}

static void submit_and_join(borrowed pool, native *body, borrowed argument, int times)
{
    struct object *f = function_of(body, ARGUMENTS_ANY), *jobs[CALLERS], *result;

    for (int i = 0; i < times; i++) {
        jobs[i] = executor_submit(pool, f, &argument, argument ? 1 : 0);
        assert_non_null(jobs[i]);
    }
    decref(f);
    for (int i = 0; i < times; i++) {
        result = job_result(jobs[i], long_ns);
        assert_non_null(result);
        DROP(result, jobs[i]);
    }
}

static void test_all_tasks_race(void **state)
{
    struct object *pool = pool_of(CALLERS);

    (void)state;
    submit_and_join(pool, run_own_loop, NULL, CALLERS);
    end_pool(pool);
}

/* Others look at the tasks of a loop that makes them: those that were there before are seen. */
static _Atomic int looks_left;

static struct object *look_at_tasks(borrowed closure, borrowed const *arguments, size_t count)
{
    (void)closure;
    (void)count;
    gate_pass(&gate);
    for (size_t seen = 0; atomic_fetch_sub_explicit(&looks_left, 1, memory_order_relaxed) > 0;) {
        struct object *tasks = loop_tasks(arguments[0]);

        assert_non_null(tasks);
        assert_true(list_length(tasks) >= seen);
        seen = list_length(tasks);
        decref(tasks);
        safepoint(thread_self);
    }
    return none();
}

enum { LOOKERS = 3, TASKS_MADE = 300 };

static void test_all_tasks_different_thread(void **state)
{
    struct object *loop = make_loop(), *future = never(loop), *pool = pool_of(LOOKERS);
    struct object *f = function_of(look_at_tasks, 1), *lookers[LOOKERS];
    static struct object *tasks[TASKS_MADE];
    static struct play plays[TASKS_MADE];

    (void)state;
    publish(loop);
    atomic_store(&looks_left, TASKS_MADE);
    for (int i = 0; i < LOOKERS; i++)
        lookers[i] = executor_submit(pool, f, (borrowed[]){ loop }, 1);
    gate_await(&gate);
    gate_open(&gate);
    for (int i = 0; i < TASKS_MADE; i++) {
        make_tasks(loop, future, &plays[i], &tasks[i], 1);
        safepoint(thread_self);
    }
    end_pool(pool);
    finish(future, 1);
    turns(loop, 3);
    assert_no_tasks(loop);
    decref_all(lookers, LOOKERS);
    decref_all(tasks, TASKS_MADE);
    end_plays(plays, TASKS_MADE);
    DROP(future, f);
    end_loop(loop);
}

/* It is made and run on one thread, and its last reference dropped by another. */
static struct object *run_and_keep_task(borrowed closure, borrowed const *arguments, size_t count)
{
    static const struct act acts[] = { { PASS }, { END } };
    struct object *loop = loop_new(), *task;
    struct play p = { acts };

    (void)closure;
    (void)arguments;
    (void)count;
    task = start(loop, &p);
    turns(loop, 3);
    assert_true(future_done(task));
    play_end(&p);
    end_loop(loop);
    return task;
}

static void test_task_different_thread_finalized(void **state)
{
    struct object *pool = pool_of(1), *f = function_of(run_and_keep_task, 0);
    struct object *job = executor_submit(pool, f, NULL, 0), *task = job_result(job, long_ns), *weak;

    (void)state;
    assert_non_null(task);
    DROP(job, f);
    end_pool(pool);
    recruit_join_all();
    weak = weakref_new(task, NULL);
    decref(task);
    settle_heap();
    assert_null(weakref_get(weak));
    decref(weak);
}

static struct object *sleep_and_return(struct play *p)
{
    (void)p;
    return sleep_new(NS_PER_MS, none());
}

/* A coroutine of its own for each caller; the loop is in a list. */
static struct object *ask_for_own(borrowed closure, borrowed const *arguments, size_t count)
{
    static const struct act acts[] = { { AWAIT, .made = sleep_and_return },
                                       { RETURN, .number = 42 } };
    struct play p = { acts };
    struct object *coroutine = perform_play(&p), *job, *result;

    (void)closure;
    (void)count;
    job = run_coroutine_threadsafe(arguments[0], coroutine);
    assert_non_null(job);
    decref(coroutine);
    result = job_result(job, long_ns);
    assert_non_null(result);
    decref(job);
    play_end(&p);
    return result;
}

static struct object *raise_in_own(borrowed closure, borrowed const *arguments, size_t count)
{
    static const struct act acts[] = { { PASS }, { RAISE, "test", .kind = &value_error } };
    struct play p = { acts };
    struct object *coroutine = perform_play(&p), *job, *result;

    (void)closure;
    (void)count;
    job = run_coroutine_threadsafe(arguments[0], coroutine);
    assert_non_null(job);
    decref(coroutine);
    result = job_result(job, long_ns);
    decref(job);
    play_end(&p);
    return result;
}

static struct object *gather_ten(struct play *p)
{
    native *body = p->number ? raise_in_own : ask_for_own;
    struct object *coroutines[CALLERS], *all;

    for (int i = 0; i < CALLERS; i++)
        coroutines[i] = to_thread_of(body, 1, loop_running());
    all = gather(loop_running(), (borrowed const *)coroutines, CALLERS, p->number);
    decref_all(coroutines, CALLERS);
    return all;
}

static void run_ten(int64_t raises, const char *expected)
{
    static const struct act acts[] = { { AWAIT, .made = gather_ten }, { RETURN_VALUE } };
    struct play p = { acts, .number = raises };
    struct object *outcomes = run_and_drop(perform_play(&p));

    assert_non_null(outcomes);
    assert_int_equal(list_length(outcomes), CALLERS);
    for (size_t i = 0; i < CALLERS; i++) {
        struct object *outcome = list_get(outcomes, i);

        if (exception_is(outcome, &value_error))
            assert_string_equal(exception_message(outcome), expected);
        else
            assert_repr(outcome, expected);
        decref(outcome);
    }
    decref(outcomes);
    play_end(&p);
}

static void test_ten_threads_of_run_coroutine_threadsafe(void **state)
{
    (void)state;
    run_ten(0, "42");
}

static void test_run_coroutine_threadsafe_exception(void **state)
{
    (void)state;
    run_ten(1, "test");
}

/* test_all_tasks_from_other_thread_includes_eager_tasks */
static struct object *eager_and_normal[2];
static struct play waiting_plays[2];

static int start_both(struct play *p)
{
    static const struct act acts[] = { { AWAIT, .made = sleep_long }, { END } };
    struct object *coroutine;

    (void)p;
    waiting_plays[0] = waiting_plays[1] = (struct play){ acts };
    coroutine = perform_play(&waiting_plays[0]);
    eager_and_normal[0] = task_new_eager(loop_running(), coroutine, NULL);
    decref(coroutine);
    eager_and_normal[1] = start(loop_running(), &waiting_plays[1]);
    return 0;
}

static struct object *look_for_both(borrowed closure, borrowed const *arguments, size_t count)
{
    struct object *tasks = loop_tasks(arguments[0]);
    int found = 0;

    (void)closure;
    (void)count;
    for (size_t i = 0; i < list_length(tasks); i++) {
        struct object *task = list_get(tasks, i);

        found += task == eager_and_normal[0] || task == eager_and_normal[1];
        decref(task);
    }
    decref(tasks);
    return int_new(found);
}

static struct object *look_elsewhere(struct play *p)
{
    (void)p;
    return to_thread_of(look_for_both, 1, loop_running());
}

static void test_all_tasks_from_other_thread_includes_eager_tasks(void **state)
{
    static const struct act acts[] = { { DO, .done = start_both },
                                       { AWAIT, .made = look_elsewhere },
                                       { RETURN_VALUE } };
    struct play p = { acts };
    struct object *result = run_and_drop(perform_play(&p));

    (void)state;
    assert_int_equal(int_value(result), 2);
    decref(result);
    decref_all(eager_and_normal, 2);
    end_plays(waiting_plays, 2);
    play_end(&p);
}

/* ---- the loop is shut down, and goes on meanwhile ---- */

static struct object *pass_and_ask(borrowed closure, borrowed const *arguments, size_t count)
{
    gate_pass(&gate);
    return ask_for_own(closure, arguments, count);
}

static void test_shutdown_lets_the_loop_run(void **state)
{
    struct object *loop = make_loop(), *f = function_of(pass_and_ask, 1), *future, *over;

    (void)state;
    future = run_in_executor(loop, NULL, f, (borrowed[]){ loop }, 1);
    gate_await(&gate);
    over = shutdown_default_executor(loop);
    turns(loop, 2);
    assert_false(future_done(over));
    gate_open(&gate);
    wait_and_run(loop, over);
    assert_result(future, 42);
    DROP(f, future, over);
    end_loop(loop);
    recruit_join_all();
}

/* ---- many at once ---- */

enum { MANY = 200 };

static void test_many_calls_and_cancels_at_once(void **state)
{
    struct object *loop = make_loop(), *pool = pool_of(4), *f = function_of(give_back, 1);
    struct object *futures[MANY];
    int cancelled = 0;

    (void)state;
    for (int i = 0; i < MANY; i++) {
        struct object *number = int_new(1000 + i);

        futures[i] = run_in_executor(loop, pool, f, (borrowed[]){ number }, 1);
        assert_non_null(futures[i]);
        decref(number);
        if (i % 3 == 0)
            cancelled += future_cancel(futures[i], NULL);
        if (i % 5 == 0)
            turns(loop, 1);
    }
    for (int i = 0; i < MANY; i++)
        if (!future_cancelled(futures[i])) {
            assert_comes(loop, futures[i], 1000 + i);
            cancelled++;
        }
    assert_int_equal(cancelled, MANY);
    decref_all(futures, MANY);
    decref(f);
    end_pool(pool);
    end_loop(loop);
}

/* Others ask a loop to run coroutines, and cancel some of them, while they begin and end. */
enum { HAMMERS = 4, BLOWS = 50 };

static struct play blows[HAMMERS][BLOWS]; /* a cancelled one may end after its job */
static _Atomic int hammers, returned, cancelled, refused;

static void note_outcome(struct object *job /* steals */)
{
    struct object *result = job_result(job, long_ns);

    decref(job);
    if (result) {
        assert_int_equal(int_value(result), 42);
        decref(result);
        atomic_fetch_add(&returned, 1);
        return;
    }
    assert_raises(&job_cancelled_error);
    atomic_fetch_add(&cancelled, 1);
}

static void blow(borrowed loop, struct play *p, bool cancels)
{
    static const struct act acts[] = { { PASS }, { PASS }, { RETURN, .number = 42 } };
    struct object *coroutine, *job;

    *p = (struct play){ acts };
    coroutine = perform_play(p);
    job = run_coroutine_threadsafe(loop, coroutine);
    if (!job) {
        assert_error(true, &runtime_error, "Event loop is closed");
        assert_int_equal(generator_close(coroutine, NULL), 0);
        atomic_fetch_add(&refused, 1);
    } else if (cancels) {
        job_cancel(job);
    }
    decref(coroutine);
    if (job)
        note_outcome(job);
}

static struct object *hammer(borrowed closure, borrowed const *arguments, size_t count)
{
    int self = atomic_fetch_add(&hammers, 1);

    (void)closure;
    (void)count;
    for (int i = 0; i < BLOWS; i++) {
        blow(arguments[0], &blows[self][i], i % 3 == 0);
        safepoint(thread_self);
    }
    return none();
}

static void begin_hammering(borrowed loop, borrowed pool, struct object **futures)
{
    struct object *f = function_of(hammer, 1);

    hammers = returned = cancelled = refused = 0;
    for (int i = 0; i < HAMMERS; i++)
        futures[i] = run_in_executor(loop, pool, f, (borrowed[]){ loop }, 1);
    decref(f);
}

static void end_hammering(void)
{
    assert_int_equal(returned + cancelled + refused, HAMMERS * BLOWS);
    for (int i = 0; i < HAMMERS; i++)
        end_plays(blows[i], BLOWS);
}

static void test_jobs_are_cancelled_while_their_tasks_end(void **state)
{
    struct object *loop = make_loop(), *pool = pool_of(HAMMERS), *futures[HAMMERS];

    (void)state;
    begin_hammering(loop, pool, futures);
    for (int i = 0; i < HAMMERS; i++)
        wait_and_run(loop, futures[i]);
    end_pool(pool);
    turns(loop, 5); /* what was cancelled last */
    assert_no_tasks(loop);
    assert_int_equal(refused, 0);
    assert_true(returned >= HAMMERS * BLOWS / 2);
    end_hammering();
    decref_all(futures, HAMMERS);
    end_loop(loop);
}

static void test_a_loop_closes_while_it_is_asked(void **state)
{
    struct object *loop, *pool, *futures[HAMMERS];

    (void)state;
    if (RC_HAS_LATE)
        skip(); /* it is heard of late, too */
    loop = make_loop();
    pool = pool_of(HAMMERS);
    begin_hammering(loop, pool, futures);
    while (returned + cancelled < BLOWS) {
        turns(loop, 1);
        safepoint(thread_self);
    }
    assert_int_equal(loop_close(loop), 0);
    end_pool(pool);
    assert_true(refused > 0);
    settle();
    end_hammering();
    decref_all(futures, HAMMERS);
    decref(loop);
    collect(GENERATION_ALL);
}

/* ---- memory ---- */

static bool wrap_and_shut_down(void)
{
    struct object *loop = loop_new(), *job = job_new(NULL, NULL, 0, 0), *future = NULL;
    struct object *number = int_new(1000), *other = NULL, *coroutine = NULL;
    bool done = false;

    if (loop && job && number && (future = wrap_future(loop, job)) &&
        job_set_result(job, number) == 0 && (coroutine = to_thread_new(job, NULL, 0)))
        other = shutdown_default_executor(loop);
    if (other) {
        turns(loop, 2);
        done = future_done(future) && future_done(other);
    }
    if (coroutine)
        generator_close(coroutine, NULL);
    xdecref(coroutine);
    xdecref(other);
    xdecref(future);
    xdecref(number);
    xdecref(job);
    if (loop)
        loop_close(loop);
    xdecref(loop);
    return done;
}

/* True: it has run. Else MemoryError is pending, which the caller or the job has been told. */
static bool run_one_coroutine(void)
{
    static const struct act acts[] = { { PASS }, { RETURN, .number = 5 } };
    struct play p = { acts };
    struct object *loop = loop_new(), *number, *coroutine = NULL, *job = NULL, *result = NULL;

    number = loop ? int_new((int64_t)(uintptr_t)&p) : NULL;
    if (number)
        coroutine = generator_new(&play_body, (borrowed[]){ number }, 1);
    if (coroutine)
        job = run_coroutine_threadsafe(loop, coroutine);
    if (job) {
        turns(loop, 5);
        assert_true(job_is_done(job));
        result = job_result(job, 0);
    }
    if (coroutine && !result) {
        struct object *pending = exception_take();

        generator_close(coroutine, NULL); /* nobody is warned */
        exception_restore(pending);
    }
    xdecref(result);
    xdecref(job);
    xdecref(coroutine);
    xdecref(number);
    if (loop)
        loop_close(loop);
    xdecref(loop);
    play_end(&p);
    return result;
}

/* As fail_everywhere, but a letter that finds no room in the loop's ring waits for the next turn:
 * then all goes well, one turn later. */
static void fail_each(bool (*session)(void))
{
    int64_t before = live_blocks();
    bool waits = false;

    for (int64_t n = 1; !waits; n++) {
        fail_allocation(n);
        if (!session())
            assert_raises(&memory_error);
        waits = failure_waits();
        fail_allocation(0);
        assert_int_equal(live_blocks(), before);
    }
}

static void test_a_failed_allocation_anywhere_is_memory_error(void **state)
{
    (void)state;
    fail_each(wrap_and_shut_down);
    fail_each(run_one_coroutine);
}

/* ---- who waits for them where nothing else is waited for ---- */

/* Nothing that the hub's loop still expects. */
static void assert_expects_nothing(void)
{
    struct object *never = future_new(hub_loop());

    assert_int_equal(hub_join(never, HUB_NEVER), -1);
    assert_raises(&loop_exit);
    future_cancel(never, NULL);
    decref(never);
}

static struct object *compute(borrowed closure, borrowed const *arguments, size_t count)
{
    (void)closure, (void)arguments, (void)count;
    for (int i = 0; i < 20; i++)
        look_again_later();
    return int_new(7);
}

static void end_executor(void)
{
    struct object *over = shutdown_default_executor(hub_loop());

    assert_int_equal(hub_join(over, HUB_NEVER), 1);
    decref(over);
}

static void test_a_hub_waits_for_a_call_elsewhere(void **state)
{
    struct object *function = function_new("compute", compute, 0, NULL);
    struct object *future = run_in_executor(hub_loop(), NULL, function, NULL, 0);

    (void)state;
    assert_int_equal(hub_join(future, HUB_NEVER), 1);
    assert_result(future, 7);
    end_executor();
    assert_expects_nothing();
    DROP(future, function);
    hub_end();
}

static void test_what_was_cancelled_is_not_expected(void **state)
{
    struct object *pending = new_job(), *runs = new_job(), *number = int_new(1);
    struct object *first = wrapped(hub_loop(), pending), *second = wrapped(hub_loop(), runs);

    (void)state;
    assert_int_equal(job_set_running(runs), 1);
    assert_int_equal(future_cancel(first, NULL), 1);
    assert_int_equal(future_cancel(second, NULL), 1);
    assert_expects_nothing();
    assert_int_equal(job_set_result(runs, number), 0); /* which tells the loop all the same */
    assert_expects_nothing();
    assert_int_equal(hub_sleep_ns(0), 0);
    DROP(pending, runs, number, first, second);
    hub_end();
}

/* Then job and future are a ring that nobody leads to. */
static void test_a_job_that_nobody_can_complete_is_not_expected(void **state)
{
    struct object *job, *future;

    (void)state;
    if (!collector_works())
        skip();
    job = new_job();
    future = wrapped(hub_loop(), job);
    DROP(job, future);
    settle();
    assert_true(collect(GENERATION_ALL) > 0);
    settle();
    assert_expects_nothing();
    hub_end();
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        bridge_test(test_wrap_future),
        bridge_test(test_wrapped_is_set_by_its_job_alone),
        bridge_test(test_wrap_future_cancel),
        bridge_test(test_a_cancelled_job_cancels_its_future),
        bridge_test(test_kinds_of_exceptions_are_the_loops),
        bridge_test(test_an_exception_that_nobody_asks_for_is_told),
        bridge_test(test_to_complete_a_job_needs_no_memory),
        bridge_test(test_run_in_executor),
        bridge_test(test_what_the_call_raises_is_raised),
        bridge_test(test_run_in_executor_cancel),
        bridge_test(test_a_loop_that_closes_meanwhile),
        bridge_test(test_a_loop_that_is_forgotten_meanwhile),
        bridge_test(test_set_default_executor),
        bridge_test(test_what_is_refused),
        bridge_test(test_a_pool_of_processes),
        bridge_test(test_run_joins_the_default_executor),
        bridge_test(test_to_thread),
        bridge_test(test_to_thread_concurrent),
        bridge_test(test_run_coroutine_threadsafe),
        bridge_test(test_run_coroutine_threadsafe_with_exception),
        bridge_test(test_run_coroutine_threadsafe_with_timeout),
        bridge_test(test_run_coroutine_threadsafe_job_cancelled),
        bridge_test(test_run_coroutine_threadsafe_task_cancelled),
        bridge_test(test_run_coroutine_threadsafe_without_memory_for_the_task),
        bridge_test(test_run_coroutine_threadsafe_refuses),
        bridge_test(test_cancelled_before_it_is_begun),
        bridge_test(test_a_closed_loop_is_not_waited_for),
        bridge_test(test_all_tasks_race),
        bridge_test(test_all_tasks_different_thread),
        bridge_test(test_task_different_thread_finalized),
        bridge_test(test_ten_threads_of_run_coroutine_threadsafe),
        bridge_test(test_run_coroutine_threadsafe_exception),
        bridge_test(test_all_tasks_from_other_thread_includes_eager_tasks),
        bridge_test(test_shutdown_lets_the_loop_run),
        bridge_test(test_many_calls_and_cancels_at_once),
        bridge_test(test_jobs_are_cancelled_while_their_tasks_end),
        bridge_test(test_a_loop_closes_while_it_is_asked),
        bridge_test(test_a_hub_waits_for_a_call_elsewhere),
        bridge_test(test_what_was_cancelled_is_not_expected),
        bridge_test(test_a_job_that_nobody_can_complete_is_not_expected),
        bridge_test(test_a_failed_allocation_anywhere_is_memory_error),
    };
    int failed;

    if (nursery_start(table) < 0)
        return 1;
    failed = run_with_threads(tests);
    nursery_stop();
    return failed;
}
