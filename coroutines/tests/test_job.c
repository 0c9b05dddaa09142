/* test_job.c - jobs by themselves, and waiting for several.
 *
 * No executor: the tests complete jobs by hand. Each is named after the test of CPython's
 * Lib/test/test_concurrent_futures (test_future.py, test_wait.py, test_as_completed.py) that
 * says what is right, or after what is our own.
 */
#include "coroutines/job.h"
#include "coroutines/job_wait.h"
#include "coroutines/tests/pools.h"
#include "objects/collector.h"
#include "objects/iterator.h"
#include "objects/set.h"
#include "objects/weakref.h"

static struct object *pending_job(void)
{
    struct object *job = job_new(NULL, NULL, 0, 0);

    assert_non_null(job);
    return job;
}

static struct object *running_job(void)
{
    struct object *job = pending_job();

    assert_int_equal(job_set_running(job), 1);
    return job;
}

static struct object *cancelled_job(void)
{
    struct object *job = pending_job();

    assert_true(job_cancel(job));
    return job;
}

static struct object *notified_job(void)
{
    struct object *job = cancelled_job();

    assert_int_equal(job_set_running(job), 0);
    return job;
}

static struct object *finished_job(int64_t result)
{
    struct object *job = pending_job(), *value = int_new(result);

    assert_int_equal(job_set_result(job, value), 0);
    decref(value);
    return job;
}

static struct object *failed_job(void)
{
    struct object *job = pending_job(), *e = exception_new(&os_error, "%s", "failed");

    assert_int_equal(job_set_exception(job, e), 0);
    decref(e);
    return job;
}

/* One in each state, in the order of enum job_state; last one that has failed. */
static void one_of_each(struct object *jobs[6])
{
    jobs[0] = pending_job();
    jobs[1] = running_job();
    jobs[2] = cancelled_job();
    jobs[3] = notified_job();
    jobs[4] = finished_job(42);
    jobs[5] = failed_job();
}

static void test_cancelled_running_done(void **state)
{
    static const bool cancelled[] = { false, false, true, true, false, false };
    static const bool done[] = { false, false, true, true, true, true };
    struct object *jobs[6];

    (void)state;
    one_of_each(jobs);
    for (int i = 0; i < 6; i++) {
        assert_int_equal(job_state(jobs[i]), i < 5 ? i : JOB_FINISHED);
        assert_int_equal(job_is_cancelled(jobs[i]), cancelled[i]);
        assert_int_equal(job_is_done(jobs[i]), done[i]);
        assert_int_equal(job_is_running(jobs[i]), i == JOB_RUNNING);
    }
    decref_all(jobs, 6);
}

static void test_cancel(void **state)
{
    static const enum job_state after[] = { JOB_CANCELLED, JOB_RUNNING, JOB_CANCELLED,
                                            JOB_CANCELLED_AND_NOTIFIED, JOB_FINISHED,
                                            JOB_FINISHED };
    struct object *jobs[6];

    (void)state;
    one_of_each(jobs);
    for (int i = 0; i < 6; i++) {
        assert_int_equal(job_cancel(jobs[i]), after[i] == JOB_CANCELLED ||
                                                  after[i] == JOB_CANCELLED_AND_NOTIFIED);
        assert_int_equal(job_state(jobs[i]), after[i]);
    }
    decref_all(jobs, 6);
}

static void assert_repr_begins(borrowed o, const char *end)
{
    char text[120], expected[120];

    object_repr(o, text, sizeof text);
    snprintf(expected, sizeof expected, "<Future at %p %s>", (const void *)o, end);
    assert_string_equal(text, expected);
}

static void test_repr(void **state)
{
    struct object *jobs[6];

    (void)state;
    one_of_each(jobs);
    assert_repr_begins(jobs[0], "state=pending");
    assert_repr_begins(jobs[1], "state=running");
    assert_repr_begins(jobs[2], "state=cancelled");
    assert_repr_begins(jobs[3], "state=cancelled");
    assert_repr_begins(jobs[4], "state=finished returned int");
    assert_repr_begins(jobs[5], "state=finished raised OSError");
    decref_all(jobs, 6);
}

static void test_result_with_timeout(void **state)
{
    static const struct type *const raised[] = { &timeout_error, &timeout_error, &job_cancelled_error,
                                                 &job_cancelled_error, NULL, &os_error };
    struct object *jobs[6], *result;

    (void)state;
    one_of_each(jobs);
    for (int i = 0; i < 6; i++) {
        result = job_result(jobs[i], 0);
        if (raised[i])
            assert_error(raised[i], raised[i] == &os_error ? "failed" : "");
        else
            assert_int_equal(int_value(result), 42);
        xdecref(result);
    }
    assert_int_equal(job_state(jobs[1]), JOB_RUNNING); /* a timeout leaves it running */
    result = job_result(jobs[1], NS_PER_MS);
    assert_null(result);
    assert_error(&timeout_error, "");
    decref_all(jobs, 6);
}

static void test_exception_with_timeout(void **state)
{
    static const struct type *const raised[] = { &timeout_error, &timeout_error, &job_cancelled_error,
                                                 &job_cancelled_error };
    struct object *jobs[6], *e;

    (void)state;
    one_of_each(jobs);
    for (int i = 0; i < 4; i++) {
        assert_null(job_exception(jobs[i], 0));
        assert_error(raised[i], "");
    }
    assert_ptr_equal(job_exception(jobs[4], 0), none());
    e = job_exception(jobs[5], 0);
    assert_ptr_equal(type_of(e), &os_error);
    decref(e);
    decref_all(jobs, 6);
}

/* ---- completing ---- */

static void assert_invalid(borrowed job, int result, const char *state, const char *said)
{
    char expected[160], repr[120];

    assert_int_equal(result, -1);
    object_repr(job, repr, sizeof repr);
    assert_non_null(strstr(repr, said));
    snprintf(expected, sizeof expected, "%s: %s", state, repr);
    assert_error(&invalid_state_error, expected);
}

static void test_multiple_set_result(void **state)
{
    struct object *job = finished_job(1), *two = int_new(2);

    (void)state;
    assert_invalid(job, job_set_result(job, two), "FINISHED", "state=finished returned int");
    assert_result(job, 1);
    assert_int_equal(exact_count(two), 1);
    DROP(job, two);
}

static void test_multiple_set_exception(void **state)
{
    struct object *failed = failed_job(), *cancelled = cancelled_job(), *notified = notified_job();
    struct object *e = exception_new(&value_error, "%s", "");

    (void)state;
    assert_invalid(failed, job_set_exception(failed, e), "FINISHED", "raised OSError");
    assert_invalid(cancelled, job_set_exception(cancelled, e), "CANCELLED", "cancelled");
    assert_invalid(notified, job_set_result(notified, e), "CANCELLED_AND_NOTIFIED", "cancelled");
    DROP(failed, cancelled, notified, e);
}

static void test_set_running_twice_is_an_error(void **state)
{
    struct object *running = running_job(), *notified = notified_job(), *done = finished_job(1);

    (void)state;
    assert_int_equal(job_set_running(running), -1);
    assert_error(&runtime_error, "Future in unexpected state");
    assert_int_equal(job_set_running(notified), -1);
    assert_error(&runtime_error, "Future in unexpected state");
    assert_int_equal(job_set_running(done), -1);
    assert_error(&runtime_error, "Future in unexpected state");
    DROP(running, notified, done);
}

/* ---- another thread completes it ---- */

struct deed {
    struct recruit recruit;
    struct object *job; /* owned by the thread, when it has begun */
    int (*act)(borrowed job);
};

static void act_later(struct thread *self, struct recruit *r)
{
    struct deed *d = (struct deed *)r;
    struct object *job = d->job;
    int (*act)(borrowed job) = d->act;
    struct gate *g = r->kept;

    (void)self;
    recruit_ready(r);
    gate_pass(g);
    if (act(job) != 0)
        abort();
    decref(job);
}

static struct gate later;

/* When `later` is opened, another thread does that to the job. */
static void start_deed(int (*act)(borrowed job), borrowed job)
{
    struct deed d = { .recruit = { .name = "deed", .body = act_later, .kept = &later },
                      .job = incref(job), .act = act };

    gate_reset(&later);
    assert_int_equal(recruit_start(&d.recruit), 0);
    gate_await(&later);
}

static int finish_with_42(borrowed job)
{
    struct object *value = int_new(42);
    int result = job_set_result(job, value);

    decref(value);
    return result;
}

static int fail_it(borrowed job)
{
    struct object *e = exception_new(&os_error, "%s", "failed");
    int result = job_set_exception(job, e);

    decref(e);
    return result;
}

static int cancel_it(borrowed job)
{
    return job_cancel(job) ? 0 : -1;
}

static void test_result_with_success(void **state)
{
    struct object *job = running_job();

    (void)state;
    start_deed(finish_with_42, job);
    gate_open(&later);
    assert_result(job, 42);
    recruit_join_all();
    decref(job);
}

static void test_result_with_cancel(void **state)
{
    struct object *job = pending_job();

    (void)state;
    start_deed(cancel_it, job);
    gate_open(&later);
    assert_null(job_result(job, long_ns));
    assert_error(&job_cancelled_error, "");
    recruit_join_all();
    decref(job);
}

static void test_exception_with_success(void **state)
{
    struct object *job = running_job(), *e;

    (void)state;
    start_deed(fail_it, job);
    gate_open(&later);
    e = job_exception(job, long_ns);
    assert_ptr_equal(type_of(e), &os_error);
    recruit_join_all();
    DROP(job, e);
}

/* ---- callbacks ---- */

static struct object *calls; /* a list of what the callbacks were called with */

static struct object *note_call(borrowed closure, borrowed const *arguments, size_t count)
{
    (void)count;
    if (list_append(calls, closure ? closure : arguments[0]) < 0)
        return NULL;
    return none();
}

static void add_note(borrowed job, borrowed closure)
{
    struct object *f = function_new("note_call", note_call, 1, closure);

    assert_int_equal(job_add_done_callback(job, f), 0);
    decref(f);
}

/* The job has called its one callback, with itself. */
static void assert_called_once(borrowed job)
{
    struct object *with = list_pop(calls);

    assert_ptr_equal(with, job);
    assert_int_equal(list_length(calls), 0);
    decref(with);
}

static int note_setup(void **state)
{
    calls = list_new();
    return reset_before_test(state);
}

static int note_teardown(void **state)
{
    (void)state;
    decref(calls);
    return 0;
}

#define callback_test(f) cmocka_unit_test_setup_teardown(f, note_setup, note_teardown)

static void test_done_callback_with_result(void **state)
{
    struct object *job = pending_job();

    (void)state;
    add_note(job, NULL);
    assert_int_equal(list_length(calls), 0);
    finish_with_42(job);
    assert_called_once(job);
    decref(job);
}

static void test_done_callback_with_exception(void **state)
{
    struct object *job = pending_job();

    (void)state;
    add_note(job, NULL);
    fail_it(job);
    assert_called_once(job);
    decref(job);
}

/* At once, and not again when the executor comes across it. */
static void test_done_callback_with_cancel(void **state)
{
    struct object *job = pending_job();

    (void)state;
    add_note(job, NULL);
    assert_true(job_cancel(job));
    assert_called_once(job);
    assert_true(job_cancel(job));
    assert_int_equal(job_set_running(job), 0);
    assert_int_equal(list_length(calls), 0);
    decref(job);
}

static void test_done_callback_already_done(void **state)
{
    struct object *jobs[6];

    (void)state;
    one_of_each(jobs);
    for (int i = JOB_CANCELLED; i < 6; i++) {
        add_note(jobs[i], NULL);
        assert_called_once(jobs[i]);
    }
    decref_all(jobs, 6);
}

static void test_done_callbacks_in_the_order_in_which_they_were_added(void **state)
{
    struct object *job = pending_job(), *item;

    (void)state;
    for (int i = 0; i < 5; i++) {
        item = int_new(i);
        add_note(job, item);
        decref(item);
    }
    finish_with_42(job);
    assert_int_equal(list_length(calls), 5);
    for (int i = 4; i >= 0; i--) {
        item = list_pop(calls);
        assert_int_equal(int_value(item), i);
        decref(item);
    }
    decref(job);
}

static void test_done_callback_raises(void **state)
{
    struct object *job = pending_job(), *raises = function_of(raise_value_error, 1);

    (void)state;
    assert_int_equal(job_add_done_callback(job, raises), 0);
    add_note(job, NULL);
    finish_with_42(job);
    assert_called_once(job);
    assert_int_equal(heard_count(), 1);
    assert_string_equal(heard.what, "exception calling callback");
    assert_string_equal(heard.kind, "ValueError");
    assert_null(exception_pending());
    DROP(job, raises);
}

static void test_done_callback_raises_already_succeeded(void **state)
{
    struct object *job = finished_job(1), *raises = function_of(raise_value_error, 1);

    (void)state;
    assert_int_equal(job_add_done_callback(job, raises), 0);
    assert_int_equal(heard_count(), 1);
    job_tell_errors(NULL);
    assert_int_equal(job_add_done_callback(job, raises), 0); /* nobody is told */
    assert_int_equal(heard_count(), 1);
    DROP(job, raises);
}

static struct object *add_another(borrowed closure, borrowed const *arguments, size_t count)
{
    (void)count;
    return job_add_done_callback(arguments[0], closure) < 0 ? NULL : none();
}

/* It is done, so that one is called at once. */
static void test_done_callback_adds_another(void **state)
{
    struct object *job = pending_job(), *note = function_new("note", note_call, 1, NULL);
    struct object *adds = function_new("adds", add_another, 1, note);

    (void)state;
    assert_int_equal(job_add_done_callback(job, adds), 0);
    finish_with_42(job);
    assert_called_once(job);
    DROP(job, note, adds);
}

static pthread_t called_in;

static struct object *note_thread(borrowed closure, borrowed const *arguments, size_t count)
{
    (void)closure;
    (void)arguments;
    (void)count;
    called_in = pthread_self();
    return none();
}

/* What a loop needs of run_in_executor: it is told where the job is completed. */
static void test_done_callback_in_the_completing_thread(void **state)
{
    struct object *job = running_job(), *f = function_of(note_thread, 1);

    (void)state;
    assert_int_equal(job_add_done_callback(job, f), 0);
    start_deed(finish_with_42, job);
    gate_open(&later);
    recruit_join_all();
    assert_false(pthread_equal(called_in, pthread_self()));
    assert_int_equal(job_add_done_callback(job, f), 0);
    assert_true(pthread_equal(called_in, pthread_self()));
    DROP(job, f);
}

/* ---- wait ---- */

static struct object *tuple_of(struct object *const *items, size_t count)
{
    struct object *tuple = tuple_new(count, items);

    assert_non_null(tuple);
    return tuple;
}

/* Waits for those jobs; `done` has a bit for each that must be done. */
static void assert_wait(struct object *const *jobs, size_t count, uint64_t timeout_ns,
                        enum job_wait_for what, unsigned expected)
{
    struct object *tuple = tuple_of(jobs, count), *done, *not_done;

    assert_int_equal(job_wait(tuple, timeout_ns, what, &done, &not_done), 0);
    for (size_t i = 0; i < count; i++) {
        bool is_done = expected >> i & 1;

        assert_int_equal(set_contains(done, jobs[i]), is_done);
        assert_int_equal(set_contains(not_done, jobs[i]), !is_done);
    }
    DROP(tuple, done, not_done);
}

static void test_wait_first_completed(void **state)
{
    struct object *jobs[] = { running_job(), running_job(), pending_job() };

    (void)state;
    start_deed(finish_with_42, jobs[1]);
    gate_open(&later);
    assert_wait(jobs, 3, BLOCK_FOREVER, JOB_WAIT_FIRST_COMPLETED, 2);
    recruit_join_all();
    decref_all(jobs, 3);
}

static void test_wait_first_completed_some_already_completed(void **state)
{
    struct object *jobs[6];

    (void)state;
    one_of_each(jobs);
    assert_wait(jobs, 6, BLOCK_FOREVER, JOB_WAIT_FIRST_COMPLETED, 1 << 3 | 1 << 4 | 1 << 5);
    decref_all(jobs, 6);
}

static void test_wait_first_exception(void **state)
{
    struct object *jobs[] = { finished_job(1), running_job(), running_job() };

    (void)state;
    start_deed(fail_it, jobs[2]);
    gate_open(&later);
    assert_wait(jobs, 3, BLOCK_FOREVER, JOB_WAIT_FIRST_EXCEPTION, 1 | 4);
    recruit_join_all();
    decref_all(jobs, 3);
}

/* One that is cancelled, but that no executor has come across, does not count as done. */
static void test_wait_first_exception_some_already_complete(void **state)
{
    struct object *jobs[] = { finished_job(1), cancelled_job(), notified_job(), running_job(),
                              running_job() };

    (void)state;
    start_deed(fail_it, jobs[3]);
    gate_open(&later);
    assert_wait(jobs, 5, BLOCK_FOREVER, JOB_WAIT_FIRST_EXCEPTION, 1 << 0 | 1 << 2 | 1 << 3);
    recruit_join_all();
    decref_all(jobs, 5);
}

static void test_wait_first_exception_one_already_failed(void **state)
{
    struct object *jobs[] = { failed_job(), pending_job() };

    (void)state;
    assert_wait(jobs, 2, BLOCK_FOREVER, JOB_WAIT_FIRST_EXCEPTION, 1);
    decref_all(jobs, 2);
}

/* To be cancelled is no exception. */
static void test_wait_first_exception_cancelled_is_none(void **state)
{
    struct object *jobs[] = { notified_job(), running_job() };

    (void)state;
    assert_wait(jobs, 2, 0, JOB_WAIT_FIRST_EXCEPTION, 1);
    start_deed(finish_with_42, jobs[1]);
    gate_open(&later);
    assert_wait(jobs, 2, BLOCK_FOREVER, JOB_WAIT_FIRST_EXCEPTION, 3);
    recruit_join_all();
    decref_all(jobs, 2);
}

static void test_wait_all_completed(void **state)
{
    struct object *jobs[] = { notified_job(), failed_job(), running_job() };

    (void)state;
    start_deed(finish_with_42, jobs[2]);
    gate_open(&later);
    assert_wait(jobs, 3, BLOCK_FOREVER, JOB_WAIT_ALL_COMPLETED, 7);
    recruit_join_all();
    decref_all(jobs, 3);
}

static void test_wait_timeout(void **state)
{
    struct object *jobs[6];

    (void)state;
    one_of_each(jobs);
    assert_wait(jobs, 6, NS_PER_MS, JOB_WAIT_ALL_COMPLETED, 1 << 3 | 1 << 4 | 1 << 5);
    decref_all(jobs, 6);
}

static int notify(borrowed job)
{
    return job_set_running(job);
}

/* Cancelled ones count once the executor has come across them. */
static void test_wait_cancelled_when_notified(void **state)
{
    struct object *jobs[] = { cancelled_job() };

    (void)state;
    assert_wait(jobs, 1, 0, JOB_WAIT_ALL_COMPLETED, 0);
    start_deed(notify, jobs[0]);
    gate_open(&later);
    assert_wait(jobs, 1, BLOCK_FOREVER, JOB_WAIT_ALL_COMPLETED, 1);
    recruit_join_all();
    decref_all(jobs, 1);
}

static void test_wait_duplicates_and_none(void **state)
{
    struct object *one = finished_job(1), *twice[] = { one, one }, *tuple = tuple_of(twice, 2);
    struct object *done, *not_done;

    (void)state;
    assert_int_equal(job_wait(tuple, 0, JOB_WAIT_ALL_COMPLETED, &done, &not_done), 0);
    assert_int_equal(set_length(done), 1);
    assert_int_equal(set_length(not_done), 0);
    DROP(done, not_done);
    assert_wait(NULL, 0, BLOCK_FOREVER, JOB_WAIT_FIRST_COMPLETED, 0);
    DROP(one, tuple);
}

static void test_wait_for_what_is_no_job(void **state)
{
    struct object *no_job[] = { none() }, *tuple = tuple_of(no_job, 1), *done, *not_done;

    (void)state;
    assert_int_equal(job_wait(tuple, 0, JOB_WAIT_ALL_COMPLETED, &done, &not_done), -1);
    assert_error(&type_error, "'NoneType' object is not a Future");
    assert_int_equal(job_wait(none(), 0, JOB_WAIT_ALL_COMPLETED, &done, &not_done), -1);
    assert_raises(&type_error);
    assert_null(job_wait_iterate(none(), 0));
    assert_raises(&type_error);
    decref(tuple);
}

/* ---- as_completed ---- */

static struct object *iterator_over(struct object *const *jobs, size_t count, uint64_t timeout_ns)
{
    struct object *tuple = tuple_of(jobs, count), *it = job_wait_iterate(tuple, timeout_ns);

    assert_non_null(it);
    decref(tuple);
    return it;
}

static void assert_next(borrowed it, borrowed expected)
{
    struct object *job;

    assert_int_equal(iterator_step(it, &job), STEP_NEXT);
    assert_ptr_equal(job, expected);
    decref(job);
}

static void assert_end(borrowed it)
{
    struct object *end;

    assert_int_equal(iterator_step(it, &end), STEP_RETURN);
    assert_ptr_equal(end, none());
}

/* What is done first; then as they come. */
static void test_as_completed_no_timeout(void **state)
{
    struct object *jobs[] = { running_job(), notified_job(), running_job(), finished_job(1) };
    struct object *it = iterator_over(jobs, 4, BLOCK_FOREVER);

    (void)state;
    finish_with_42(jobs[2]);
    assert_next(it, jobs[1]);
    assert_next(it, jobs[3]);
    assert_next(it, jobs[2]);
    start_deed(fail_it, jobs[0]);
    gate_open(&later);
    assert_next(it, jobs[0]);
    assert_end(it);
    assert_end(it);
    recruit_join_all();
    decref(it);
    decref_all(jobs, 4);
}

static void test_as_completed_future_times_out(void **state)
{
    struct object *jobs[] = { pending_job(), finished_job(1), running_job() }, *job;
    struct object *it = iterator_over(jobs, 3, NS_PER_MS);

    (void)state;
    assert_next(it, jobs[1]);
    assert_int_equal(iterator_step(it, &job), STEP_ERROR);
    assert_error(&timeout_error, "2 (of 3) futures unfinished");
    assert_end(it);
    finish_with_42(jobs[0]);
    assert_end(it);
    decref(it);
    decref_all(jobs, 3);
}

static void test_as_completed_zero_timeout(void **state)
{
    struct object *jobs[] = { pending_job() }, *job, *it = iterator_over(jobs, 1, 0);

    (void)state;
    assert_int_equal(iterator_step(it, &job), STEP_ERROR);
    assert_error(&timeout_error, "1 (of 1) futures unfinished");
    decref(it);
    decref_all(jobs, 1);
}

/* One that is cancelled is given when the executor has come across it. */
static void test_as_completed_cancelled_when_notified(void **state)
{
    struct object *jobs[] = { pending_job() }, *job, *it = iterator_over(jobs, 1, BLOCK_FOREVER);
    struct object *now = iterator_over(jobs, 1, 0);

    (void)state;
    assert_true(job_cancel(jobs[0]));
    assert_int_equal(iterator_step(now, &job), STEP_ERROR);
    assert_error(&timeout_error, "1 (of 1) futures unfinished");
    assert_int_equal(job_set_running(jobs[0]), 0);
    assert_next(it, jobs[0]);
    DROP(it, now, jobs[0]);
}

static void test_as_completed_duplicate_futures(void **state)
{
    struct object *one = finished_job(1), *twice[] = { one, one };
    struct object *it = iterator_over(twice, 2, BLOCK_FOREVER);

    (void)state;
    assert_next(it, one);
    assert_end(it);
    DROP(one, it);
}

/* Neither of what it has given, nor of what it will not give. */
static void test_as_completed_free_reference_yielded_future(void **state)
{
    struct object *jobs[] = { finished_job(1), pending_job() };
    struct object *it = iterator_over(jobs, 2, BLOCK_FOREVER);

    (void)state;
    assert_next(it, jobs[0]);
    assert_int_equal(exact_count(jobs[0]), 1);
    assert_int_equal(exact_count(jobs[1]), 2);
    decref(it);
    assert_int_equal(exact_count(jobs[1]), 1);
    finish_with_42(jobs[1]);
    decref_all(jobs, 2);
}

/* ---- cycles, memory ---- */

static void count_end(void *argument)
{
    ++*(int *)argument;
}

/* A job whose result holds it. */
static void test_a_cycle_through_a_job_is_collected(void **state)
{
    static int ended;
    struct object *job = pending_job(), *list = list_new(), *probe = probe_new(count_end, &ended);

    (void)state;
    list_append(list, job);
    list_append(list, probe);
    job_set_result(job, list);
    DROP(job, list, probe);
    rc_quiesce();
    collect(GENERATION_ALL);
    settle_heap();
    assert_int_equal(ended, 1);
}

/* Nothing that could wait for ever if memory runs out. */
static int session(void)
{
    struct object *value = int_new(42), *list = list_new(), *job = NULL, *it = NULL, *done = NULL;
    struct object *not_done = NULL, *f = function_new("note", note_call, 1, NULL), *next = NULL;
    int result = -1;

    job = f ? job_new(f, (borrowed[]){ f }, 1, 0) : NULL;
    if (!value || !list || !job || list_append(list, job) < 0 ||
        job_add_done_callback(job, f) < 0 || !(it = job_wait_iterate(list, 0)) ||
        job_wait(list, 0, JOB_WAIT_ALL_COMPLETED, &done, &not_done) < 0)
        goto drop;
    job_drop_call(job);
    if (job_set_result(job, value) == 0 && iterator_step(it, &next) == STEP_NEXT && !heard_count())
        result = 0;
    else if (!exception_pending())
        exception_set_no_memory(); /* that the callback has met, and which was told */
drop:
    atomic_store_explicit(&heard.count, 0, memory_order_relaxed);
    for (size_t n = calls ? list_length(calls) : 0; n > 0; n--)
        decref(list_pop(calls));
    xdecref(value);
    xdecref(list);
    xdecref(job);
    xdecref(it);
    xdecref(done);
    xdecref(not_done);
    xdecref(f);
    xdecref(next);
    return result;
}

/* The list of calls has its room before. */
static void test_a_failed_allocation_anywhere_is_memory_error(void **state)
{
    (void)state;
    assert_int_equal(session(), 0);
    settle_heap();
    fail_everywhere(session);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        pool_test(test_cancelled_running_done),
        pool_test(test_cancel),
        pool_test(test_repr),
        pool_test(test_result_with_timeout),
        pool_test(test_exception_with_timeout),
        pool_test(test_multiple_set_result),
        pool_test(test_multiple_set_exception),
        pool_test(test_set_running_twice_is_an_error),
        pool_test(test_result_with_success),
        pool_test(test_result_with_cancel),
        pool_test(test_exception_with_success),
        callback_test(test_done_callback_with_result),
        callback_test(test_done_callback_with_exception),
        callback_test(test_done_callback_with_cancel),
        callback_test(test_done_callback_already_done),
        callback_test(test_done_callbacks_in_the_order_in_which_they_were_added),
        callback_test(test_done_callback_raises),
        pool_test(test_done_callback_raises_already_succeeded),
        callback_test(test_done_callback_adds_another),
        pool_test(test_done_callback_in_the_completing_thread),
        pool_test(test_wait_first_completed),
        pool_test(test_wait_first_completed_some_already_completed),
        pool_test(test_wait_first_exception),
        pool_test(test_wait_first_exception_some_already_complete),
        pool_test(test_wait_first_exception_one_already_failed),
        pool_test(test_wait_first_exception_cancelled_is_none),
        pool_test(test_wait_all_completed),
        pool_test(test_wait_timeout),
        pool_test(test_wait_cancelled_when_notified),
        pool_test(test_wait_duplicates_and_none),
        pool_test(test_wait_for_what_is_no_job),
        pool_test(test_as_completed_no_timeout),
        pool_test(test_as_completed_future_times_out),
        pool_test(test_as_completed_zero_timeout),
        pool_test(test_as_completed_cancelled_when_notified),
        pool_test(test_as_completed_duplicate_futures),
        pool_test(test_as_completed_free_reference_yielded_future),
        pool_test(test_a_cycle_through_a_job_is_collected),
        callback_test(test_a_failed_allocation_anywhere_is_memory_error),
    };

    return run_with_pools(tests);
}
