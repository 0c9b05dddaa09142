/* test_loop.c - turns, timers, letters from other threads, files; and what a loop tells.
 *
 * Names in brackets are those of CPython's tests, in Lib/test/test_asyncio, that define it.
 */
#include "coroutines/tests/loops.h"
#include "objects/cell.h"
#include "objects/int.h"
#include "objects/list.h"

#include <pthread.h>
#include <sched.h>
#include <sys/socket.h>

/* ---- turns ---- */

/* Pushes a noter of its closure, and writes down that it did. */
static struct object *push_another(borrowed closure, borrowed const *arguments, size_t count)
{
    (void)arguments;
    (void)count;
    soon(loop_running(), noter(str_text(closure)));
    note("pushed");
    return none();
}

static struct object *pusher(const char *text)
{
    struct object *closure = str_new(text), *f;

    f = function_new("pusher", push_another, ARGUMENTS_ANY, closure);
    decref(closure);
    assert_non_null(f);
    return f;
}

static void test_calls_in_order_and_only_what_was_ready_at_the_start_of_the_turn(void **state)
{
    struct object *loop = make_loop();

    (void)state;
    soon(loop, noter("a"));
    soon(loop, pusher("late"));
    soon(loop, noter("b"));
    turns(loop, 1);
    assert_diary("a pushed b");
    turns(loop, 1);
    assert_diary("late");
    turns(loop, 1);
    assert_diary("");
    end_loop(loop);
}

static void test_run_once_order(void **state) /* BE test_run_once*, base_events.py _run_once */
{
    struct object *loop = make_loop(), *cancelled, *reader = noter("file"), *far;
    struct object *letter = noter("letter");
    int pair[2];

    (void)state;
    assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM, 0, pair), 0);
    assert_int_equal(write(pair[1], "x", 1), 1);
    decref(at(loop, clock_ns(), noter("due")));
    cancelled = at(loop, 1, noter("cancelled"));
    far = at(loop, clock_ns() + LONG_S * (uint64_t)NS_PER_S, noter("far"));
    assert_int_equal(loop_add_reader(loop, pair[0], reader, NULL), 0);
    assert_int_equal(loop_call_soon_threadsafe(loop, letter, none()), 0);
    soon(loop, noter("ready"));
    handle_cancel(cancelled);
    turns(loop, 1);
    assert_diary("ready letter file due");
    assert_int_equal(loop_timers(loop), 1);
    assert_int_equal(loop_remove_reader(loop, pair[0]), 1);
    decref(cancelled);
    decref(far);
    decref(reader);
    decref(letter);
    close(pair[0]);
    close(pair[1]);
    end_loop(loop);
}

static void test_an_argument_is_passed(void **state)
{
    struct object *loop = make_loop(), *list = list_new(), *append, *f, *handle;

    (void)state;
    append = noter("called");
    f = method_new(append, list);
    assert_int_equal(loop_call_soon(loop, f, list), 0);
    handle = loop_call_later(loop, 0, f, list);
    assert_non_null(handle);
    assert_int_equal(exact_count(list), 4);
    turns(loop, 2);
    assert_diary("called called");
    assert_int_equal(exact_count(list), 2);
    assert_int_equal(exact_count(f), 1);
    decref(handle);
    decref(f);
    decref(append);
    decref(list);
    end_loop(loop);
}

static void test_stop_before_it_runs_runs_one_turn(void **state)
{
    struct object *loop = make_loop();

    (void)state;
    soon(loop, pusher("late"));
    loop_stop(loop);
    assert_false(loop_is_running(loop));
    assert_int_equal(loop_run_forever(loop), 0);
    assert_diary("pushed");
    end_loop(loop);
}

/* What is ready with the one that stops is still called. */
static void test_stop_ends_after_the_turn(void **state)
{
    struct object *loop = make_loop();

    (void)state;
    soon(loop, stopper());
    soon(loop, pusher("late"));
    assert_int_equal(loop_run_forever(loop), 0);
    assert_diary("pushed");
    end_loop(loop);
}

/* ---- timers ---- */

static void test_call_later_0_comes_after_what_is_ready(void **state) /* EV test_call_later */
{
    struct object *loop = make_loop(), *late = noter("later");

    (void)state;
    decref(loop_call_later(loop, 0, late, NULL));
    soon(loop, noter("soon"));
    turns(loop, 1);
    assert_diary("soon later");
    decref(late);
    end_loop(loop);
}

static void test_call_later_negative_delays(void **state)
{
    struct object *loop = make_loop(), *late = noter("later"), *handle;

    (void)state;
    handle = loop_call_later(loop, -5 * (int64_t)NS_PER_S, late, NULL);
    assert_true(handle_when_ns(handle) <= clock_ns());
    turns(loop, 1);
    assert_diary("later");
    decref(handle);
    handle = loop_call_later(loop, INT64_MAX, late, NULL);
    assert_true(handle_when_ns(handle) > clock_ns());
    turns(loop, 1);
    assert_diary("");
    decref(handle);
    decref(late);
    end_loop(loop);
}

static void test_the_same_deadline_is_first_in_first_out(void **state)
{
    struct object *loop = make_loop();
    uint64_t when_ns = clock_ns();
    char expected[400] = "";

    (void)state;
    for (int i = 0; i < 60; i++) {
        char text[8];

        snprintf(text, sizeof text, "%d", i);
        decref(at(loop, when_ns, noter(text)));
        snprintf(expected + strlen(expected), 8, "%s%d", i ? " " : "", i);
    }
    turns(loop, 1);
    assert_diary(expected);
    end_loop(loop);
}

static struct object *check_time(borrowed closure, borrowed const *arguments, size_t count)
{
    (void)closure, (void)count;
    assert_true(clock_ns() >= (uint64_t)int_value(arguments[0]));
    note("t");
    if (strlen(diary) == strlen("t t"))
        loop_stop(loop_running());
    return none();
}

static void call_at_its_time(borrowed loop, borrowed f, uint64_t when_ns)
{
    struct object *when = int_new((int64_t)when_ns), *handle = loop_call_at(loop, when_ns, f, when);

    assert_non_null(handle);
    decref(when);
    decref(handle);
}

/* EV test_timeout_rounding: nor are there many turns. Of two that are close, the second does not
 * come with the first. */
static void test_timer_is_not_early(void **state)
{
    struct object *loop = make_loop(), *f = function_new("check_time", check_time, 1, NULL);
    struct lag_figures figures;

    (void)state;
    for (int i = 0; i < 20; i++) {
        uint64_t when_ns = clock_ns() + random_below(2 * NS_PER_MS);

        call_at_its_time(loop, f, when_ns + 200 * NS_PER_US);
        call_at_its_time(loop, f, when_ns);
        assert_int_equal(loop_run_forever(loop), 0);
        assert_diary("t t");
    }
    loop_figures(loop, &figures);
    assert_in_range(figures.turns, 20, 120);
    decref(f);
    end_loop(loop);
}

static void test_cancelled_timers_are_forgotten(void **state) /* base_events.py:1882-1897 */
{
    enum { MANY = 150, CANCELLED = 80 };
    struct object *loop = make_loop(), *handle[MANY];
    uint64_t far_ns = clock_ns() + LONG_S * (uint64_t)NS_PER_S;

    (void)state;
    for (int i = 0; i < MANY; i++)
        handle[i] = at(loop, far_ns + (uint64_t)i, noter("x"));
    for (int i = 0; i < 75; i++)
        handle_cancel(handle[2 * i]);
    turns(loop, 1); /* the first one is in the way; of the others no more than half are cancelled */
    assert_int_equal(loop_timers(loop), MANY - 1);
    handle_cancel(handle[1]);
    handle_cancel(handle[3]);
    turns(loop, 1);
    assert_int_equal(loop_timers(loop), MANY - 77);
    for (int i = 0; i < MANY; i++)
        decref(handle[i]);
    end_loop(loop);
}

static void test_few_cancelled_timers_stay_until_they_are_first(void **state)
{
    struct object *loop = make_loop(), *first, *second, *third;
    uint64_t far_ns = clock_ns() + LONG_S * (uint64_t)NS_PER_S;

    (void)state;
    first = at(loop, far_ns, noter("x"));
    second = at(loop, far_ns + 1, noter("x"));
    third = at(loop, far_ns + 2, noter("x"));
    handle_cancel(second);
    turns(loop, 1);
    assert_int_equal(loop_timers(loop), 3);
    handle_cancel(first);
    turns(loop, 1);
    assert_int_equal(loop_timers(loop), 1);
    decref(first);
    decref(second);
    decref(third);
    end_loop(loop);
}

static void test_a_cancelled_handle_lets_go(void **state)
{
    struct object *loop = make_loop(), *list = list_new(), *f = noter("x"), *handle;

    (void)state;
    handle = loop_call_later(loop, LONG_NS, f, list);
    assert_int_equal(exact_count(list), 2);
    handle_cancel(handle);
    handle_cancel(handle);
    assert_true(handle_cancelled(handle));
    assert_int_equal(exact_count(list), 1);
    assert_int_equal(exact_count(f), 1);
    turns(loop, 1);
    handle_cancel(handle);
    assert_diary("");
    decref(handle);
    decref(list);
    decref(f);
    end_loop(loop);
}

/* It is due already, and in the row of what is called. */
static struct object *cancel_handle(borrowed closure, borrowed const *arguments, size_t count)
{
    struct object *handle = cell_get(closure);

    (void)arguments, (void)count;
    handle_cancel(handle);
    decref(handle);
    return none();
}

static void test_a_handle_is_cancelled_in_the_turn_that_would_call_it(void **state)
{
    struct object *loop = make_loop(), *cell = cell_new(NULL), *handle;

    (void)state;
    soon(loop, function_new("cancel", cancel_handle, 0, cell));
    handle = at(loop, clock_ns(), noter("x"));
    cell_set(cell, handle);
    turns(loop, 1);
    assert_diary("");
    assert_true(handle_cancelled(handle));
    decref(handle);
    decref(cell);
    end_loop(loop);
}

/* ---- other threads ---- */

struct sender {
    pthread_t os;
    struct object *loop, *f;
    struct thread *tester;
    struct gil *gil;
    int calls, result;
    void (*act)(struct sender *s);
};

static void *sender_main(void *argument)
{
    struct sender *s = argument;
    struct thread self = { .locks_containers = !RC_NEEDS_GIL };

    if (thread_start(&self, s->gil, &object_hooks) < 0)
        abort();
    s->act(s);
    thread_stop(&self);
    return NULL;
}

/* The loop must be waiting: detached, so that the sender is the only one attached. */
static void wait_until_it_waits(struct sender *s)
{
    while (atomic_load_explicit(&s->tester->state, memory_order_relaxed) != THREAD_DETACHED) {
        thread_detach(thread_self);
        sched_yield();
        thread_attach(thread_self);
    }
}

static void send_when_it_waits(struct sender *s)
{
    wait_until_it_waits(s);
    s->result = loop_call_soon_threadsafe(s->loop, s->f, NULL);
}

/* `body` runs on this thread, which is under the same lock. */
static void beside(struct sender *s, void (*body)(struct sender *s))
{
    s->gil = thread_self->gil;
    s->tester = thread_self;
    assert_int_equal(pthread_create(&s->os, NULL, sender_main, s), 0);
    body(s);
    thread_detach(thread_self);
    pthread_join(s->os, NULL);
    thread_attach(thread_self);
}

static void run_forever(struct sender *s)
{
    assert_int_equal(loop_run_forever(s->loop), 0);
}

/* Under a policy that needs a lock the lock `none` will do here: the sender acts only while this
 * thread waits in the kernel. */
static void test_call_soon_threadsafe_wakes_a_blocked_loop(void **state)
{
    struct sender s = { .loop = make_loop(), .f = stopper(), .act = send_when_it_waits };

    (void)state;
    publish(s.loop);
    publish(s.f);
    if (!RC_NEEDS_GIL)
        beside(&s, run_forever);
    decref(s.f);
    end_loop(s.loop);
}

static struct object *count_down(borrowed closure, borrowed const *arguments, size_t count)
{
    static _Thread_local int left;

    (void)arguments, (void)count;
    if (!left)
        left = (int)int_value(closure);
    if (--left == 0)
        loop_stop(loop_running());
    return none();
}

enum { SENDERS = 3, CALLS = 4000 };

static struct {
    struct object *loop, *f;
    _Atomic bool ready;
    _Atomic int failed;
} shared;

/* One runs the loop, and the others call; all calls come, and no wake-up is lost: should one be,
 * a timer ends the loop late, and the call was a failure. */
static void run_or_send(struct thread *t, int index)
{
    if (index == 0) {
        struct object *f = stopper(), *guard;

        guard = loop_call_later(shared.loop, 30 * (int64_t)NS_PER_S, f, NULL);
        decref(f);
        if (!guard || loop_run_forever(shared.loop) < 0)
            shared.failed++;
        if (loop_timers(shared.loop) != 1)
            shared.failed++;
        handle_cancel(guard);
        decref(guard);
        return;
    }
    for (int i = 0; i < CALLS; i++) {
        if (loop_call_soon_threadsafe(shared.loop, shared.f, NULL) < 0)
            shared.failed++;
        safepoint(t);
        if (i % 64 == 0) { /* so that it sleeps now and then */
            thread_detach(t);
            usleep(50);
            thread_attach(t);
        }
    }
}

static void test_call_soon_threadsafe_by_many_threads(void **state)
{
    struct object *number = int_new((TEST_THREADS - 1) * CALLS);

    (void)state;
    shared.loop = make_loop();
    shared.f = function_new("count_down", count_down, 0, number);
    shared.failed = 0;
    publish(shared.loop);
    publish(shared.f);
    run_threads(run_or_send);
    assert_int_equal(shared.failed, 0);
    decref(shared.f);
    decref(number);
    end_loop(shared.loop);
}

#ifndef NDEBUG
static void expect_wrong_thread(struct sender *s)
{
    static const char message[] = "Non-thread-safe operation invoked on an event loop other than "
                                  "the current one";
    struct object *e;

    wait_until_it_waits(s);
    s->calls = loop_call_soon(s->loop, s->f, NULL);
    e = exception_take();
    if (!e || type_of(e) != &runtime_error || strcmp(exception_message(e), message) != 0)
        s->calls = 0;
    xdecref(e);
    s->result = loop_call_soon_threadsafe(s->loop, s->f, NULL);
}

static void test_check_thread(void **state) /* BE test_check_thread; here in every debug build */
{
    struct sender s = { .loop = make_loop(), .f = stopper(), .act = expect_wrong_thread };

    (void)state;
    publish(s.loop);
    publish(s.f);
    if (!RC_NEEDS_GIL) {
        beside(&s, run_forever);
        assert_int_equal(s.calls, -1);
    }
    decref(s.f);
    end_loop(s.loop);
}
#endif

static void test_letters_that_nobody_read_are_dropped(void **state)
{
    struct object *loop = make_loop(), *f = noter("x");

    (void)state;
    assert_int_equal(loop_call_soon_threadsafe(loop, f, f), 0);
    assert_int_equal(loop_close(loop), 0);
    assert_int_equal(exact_count(f), 1);
    assert_refused(loop_call_soon_threadsafe(loop, f, NULL), "Event loop is closed");
    assert_int_equal(exact_count(f), 1);
    decref(f);
    end_loop(loop);
}

static void run_own_loop(struct thread *t, int index)
{
    struct object *loop = loop_new(), *f = stopper(), *handle;

    (void)t;
    handle = loop_call_later(loop, index * (int64_t)NS_PER_MS, f, NULL);
    if (loop_run_forever(loop) < 0 || loop_running() || loop_timers(loop))
        shared.failed++;
    decref(handle);
    decref(f);
    decref(loop);
}

static void test_loops_share_nothing(void **state)
{
    (void)state;
    shared.failed = 0;
    run_threads(run_own_loop);
    assert_int_equal(shared.failed, 0);
}

/* ---- files ---- */

static struct object *read_byte(borrowed closure, borrowed const *arguments, size_t count)
{
    char text[2] = "";

    (void)count;
    (void)closure;
    assert_int_equal(read((int)int_value(arguments[0]), text, 1), 1);
    note(text);
    if (*text == '.')
        loop_stop(loop_running());
    return none();
}

static void test_readers_and_writers(void **state)
{
    struct object *loop = make_loop(), *read_it, *writer = noter("w"), *number;
    int pair[2];

    (void)state;
    assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM, 0, pair), 0);
    number = int_new(pair[0]);
    read_it = function_new("read_byte", read_byte, 1, NULL);
    assert_int_equal(loop_add_reader(loop, pair[0], read_it, number), 0);
    assert_int_equal(write(pair[1], "abc.", 4), 4);
    assert_int_equal(loop_run_forever(loop), 0);
    assert_diary("a b c .");
    assert_int_equal(loop_add_writer(loop, pair[0], writer, NULL), 0);
    turns(loop, 2);
    assert_diary("w w");
    assert_int_equal(loop_remove_writer(loop, pair[0]), 1);
    assert_int_equal(loop_remove_writer(loop, pair[0]), 0);
    assert_int_equal(loop_remove_reader(loop, 999), 0);
    turns(loop, 1);
    assert_diary("");
    assert_int_equal(loop_remove_reader(loop, pair[0]), 1);
    assert_int_equal(exact_count(number), 1);
    assert_int_equal(loop_add_reader(loop, -1, writer, NULL), -1);
    assert_raises(&os_error);
    decref(writer);
    decref(read_it);
    decref(number);
    close(pair[0]);
    close(pair[1]);
    end_loop(loop);
}

static void test_a_new_reader_takes_the_place_of_the_old(void **state)
{
    struct object *loop = make_loop(), *old = noter("old"), *new = noter("new");
    int pair[2];

    (void)state;
    assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM, 0, pair), 0);
    assert_int_equal(loop_add_reader(loop, pair[0], old, NULL), 0);
    assert_int_equal(loop_add_reader(loop, pair[0], new, NULL), 0);
    assert_int_equal(exact_count(old), 1);
    close(pair[1]);
    turns(loop, 1);
    assert_diary("new");
    decref(old);
    decref(new);
    end_loop(loop);
    close(pair[0]);
}

static int removed_fd;

static struct object *remove_reader(borrowed closure, borrowed const *arguments, size_t count)
{
    (void)closure, (void)arguments, (void)count;
    assert_int_equal(loop_remove_reader(loop_running(), removed_fd), 1);
    return none();
}

/* Ready, but another callback of the same turn removes it first. */
static void test_a_removed_reader_is_not_called_even_if_it_was_ready(void **state)
{
    struct object *loop = make_loop(), *f = noter("x");
    int pair[2];

    (void)state;
    assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM, 0, pair), 0);
    removed_fd = pair[0];
    assert_int_equal(write(pair[1], "x", 1), 1);
    assert_int_equal(loop_add_reader(loop, pair[0], f, NULL), 0);
    soon(loop, function_new("remove", remove_reader, 0, NULL));
    turns(loop, 1);
    assert_diary("");
    assert_int_equal(exact_count(f), 1);
    decref(f);
    close(pair[0]);
    close(pair[1]);
    end_loop(loop);
}

static struct object *replace_reader(borrowed closure, borrowed const *arguments, size_t count)
{
    (void)arguments, (void)count;
    assert_int_equal(loop_add_reader(loop_running(), removed_fd, closure, NULL), 0);
    return none();
}

/* What was found was found for another: it is called for what the next turn finds. */
static void test_who_takes_the_place_of_one_that_was_ready_is_called_in_the_next_turn(void **state)
{
    struct object *loop = make_loop(), *old = noter("old"), *new = noter("new");
    int pair[2];

    (void)state;
    assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM, 0, pair), 0);
    removed_fd = pair[0];
    assert_int_equal(write(pair[1], "x", 1), 1);
    assert_int_equal(loop_add_reader(loop, pair[0], old, NULL), 0);
    soon(loop, function_new("replace", replace_reader, 0, new));
    turns(loop, 1);
    assert_diary("");
    turns(loop, 1);
    assert_diary("new");
    assert_int_equal(loop_remove_reader(loop, pair[0]), 1);
    decref(old);
    decref(new);
    close(pair[0]);
    close(pair[1]);
    end_loop(loop);
}

static struct object *interrupt(borrowed closure, borrowed const *arguments, size_t count)
{
    (void)closure, (void)arguments, (void)count;
    exception_set(&keyboard_interrupt, "%s", "");
    return NULL;
}

/* What of a turn was not called when it was ended is called later, each once and in its order. */
static void test_a_turn_that_is_cut_off_is_gone_on_with(void **state)
{
    struct object *loop = make_loop(), *f = noter("file");
    int pair[2];

    (void)state;
    assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM, 0, pair), 0);
    assert_int_equal(write(pair[1], "x", 1), 1);
    assert_int_equal(loop_add_reader(loop, pair[0], f, NULL), 0);
    assert_int_equal(loop_add_writer(loop, pair[0], f, NULL), 0);
    soon(loop, function_new("interrupt", interrupt, 0, NULL));
    soon(loop, noter("soon"));
    decref(at(loop, 1, noter("due")));
    assert_int_equal(loop_run_forever(loop), -1);
    assert_raises(&keyboard_interrupt);
    assert_diary("");
    turns(loop, 1);
    assert_diary("soon due file file");
    assert_int_equal(loop_remove_reader(loop, pair[0]), 1);
    assert_int_equal(loop_remove_writer(loop, pair[0]), 1);
    decref(f);
    close(pair[0]);
    close(pair[1]);
    end_loop(loop);
}

/* ---- closed, running ---- */

static void test_a_closed_loop_takes_nothing(void **state)
{
    struct object *loop = make_loop(), *f = noter("x"), *handle = at(loop, 1, incref(f));

    (void)state;
    assert_int_equal(loop_call_soon(loop, f, NULL), 0);
    assert_int_equal(loop_close(loop), 0);
    assert_true(loop_is_closed(loop) && handle_cancelled(handle));
    assert_int_equal(exact_count(f), 1);
    assert_refused(loop_call_soon(loop, f, NULL), "Event loop is closed");
    assert_refused(loop_call_later(loop, 1, f, NULL) ? 0 : -1, "Event loop is closed");
    assert_refused(loop_call_at(loop, 1, f, NULL) ? 0 : -1, "Event loop is closed");
    assert_refused(loop_add_reader(loop, 0, f, NULL), "Event loop is closed");
    assert_refused(loop_run_forever(loop), "Event loop is closed");
    assert_int_equal(loop_close(loop), 0);
    decref(handle);
    decref(f);
    decref(loop);
}

static struct object *run_within(borrowed closure, borrowed const *arguments, size_t count)
{
    (void)arguments, (void)count;
    assert_ptr_equal(loop_running(), loop_running_needed());
    assert_refused(loop_run_forever(loop_running()), "This event loop is already running");
    assert_refused(loop_run_forever(closure), "Cannot run the event loop while another loop is "
                                              "running");
    assert_refused(loop_close(loop_running()), "Cannot close a running event loop");
    note("refused");
    return none();
}

static void test_one_loop_of_a_thread_runs_at_a_time(void **state)
{
    struct object *other = make_loop(), *loop = make_loop();

    (void)state;
    soon(loop, function_new("run_within", run_within, 0, other));
    assert_null(loop_running());
    assert_refused(loop_running_needed() ? 0 : -1, "no running event loop");
    turns(loop, 1);
    assert_diary("refused");
    end_loop(other);
    end_loop(loop);
}

/* ---- what it tells ---- */

static struct object *raise_error(borrowed closure, borrowed const *arguments, size_t count)
{
    (void)arguments, (void)count;
    exception_set(&value_error, "%s", closure ? str_text(closure) : "no reason");
    return NULL;
}

static struct object *failing(void)
{
    return function_new("raise_error", raise_error, ARGUMENTS_ANY, NULL);
}

static void test_an_exception_in_a_callback_goes_to_the_hook_and_the_rest_runs(void **state)
{
    struct object *loop = make_loop();

    (void)state;
    soon(loop, failing());
    soon(loop, noter("a"));
    decref(at(loop, 0, failing()));
    turns(loop, 2);
    assert_diary("a");
    assert_heard(2, "Exception in callback", "ValueError: no reason");
    end_loop(loop);
}

static void fail_in_finaliser(void *loop)
{
    assert_null(exception_pending());
    soon(loop, noter("after"));
}

/* A probe's end uses the loop while the loop drops what it has called. */
static void test_a_finaliser_may_use_the_loop(void **state)
{
    struct object *loop = make_loop(), *probe = probe_new(fail_in_finaliser, loop), *f = failing();

    (void)state;
    assert_int_equal(loop_call_soon(loop, f, probe), 0);
    decref(probe);
    decref(f);
    turns(loop, 1);
    turns(loop, RC_LATE_SAFEPOINTS + 1);
    live_blocks();
    turns(loop, 1);
    assert_diary("after");
    end_loop(loop);
}

static void test_an_interrupt_leaves_the_loop_and_the_rest_stays(void **state)
{
    struct object *loop = make_loop(); /* RUN test_interrupt_call_soon */

    (void)state;
    soon(loop, function_new("interrupt", interrupt, 0, NULL));
    soon(loop, noter("rest"));
    assert_int_equal(loop_run_forever(loop), -1);
    assert_raises(&keyboard_interrupt);
    assert_false(loop_is_running(loop));
    assert_diary("");
    turns(loop, 1);
    assert_diary("rest");
    end_loop(loop);
}

static struct object *be_slow(borrowed closure, borrowed const *arguments, size_t count)
{
    uint64_t until_ns = clock_ns() + 3 * NS_PER_MS;

    (void)closure, (void)arguments, (void)count;
    while (clock_ns() < until_ns)
        ;
    return none();
}

static void test_log_slow_callbacks(void **state) /* BE test_log_slow_callbacks */
{
    struct object *loop = make_loop();

    (void)state;
    for (int debug = 0; debug < 2; debug++) {
        loop_set_debug(loop, debug);
        loop_set_slow_ns(loop, 2 * NS_PER_MS);
        soon(loop, function_new("be_slow", be_slow, 0, NULL));
        turns(loop, 1);
        assert_int_equal(heard.slow, debug);
    }
    assert_string_equal(heard.slowest, "be_slow");
    assert_true(heard.slow_ns >= 2 * NS_PER_MS);
    end_loop(loop);
}

/* Whether it was the slowest: on a busy machine another may have lost the processor for longer. */
static bool is_named_the_slowest(void)
{
    struct object *loop = make_loop();
    struct lag_figures figures;
    bool named;

    soon(loop, noter("a"));
    soon(loop, function_new("be_slow", be_slow, 0, NULL));
    soon(loop, noter("b"));
    decref(at(loop, clock_ns(), noter("c")));
    turns(loop, 2);
    loop_figures(loop, &figures);
    named = strcmp(figures.slowest, "be_slow") == 0;
    assert_true(figures.slowest_ns >= 2 * NS_PER_MS);
    assert_int_equal(figures.callbacks, 4);
    assert_int_equal(figures.turns, 2);
    assert_int_equal(figures.late_ns.count, 1);
    assert_true(figures.turn_ns.max_ns >= 3 * NS_PER_MS);
    assert_true(histogram_quantile(&figures.callback_ns, 1) >= 2 * NS_PER_MS);
    end_loop(loop);
    return named;
}

static void test_the_books_name_the_slowest(void **state)
{
    int tries = 1;

    (void)state;
    while (!is_named_the_slowest() && tries < 20)
        tries++;
    assert_true(tries < 20);
}

/* ---- the watchdog ---- */

static struct {
    int times;
    char loop[40], callback[40];
    uint64_t since_ns;
} barked;

static void bark(const char *loop, const char *callback, uint64_t since_ns)
{
    barked.times++;
    snprintf(barked.loop, sizeof barked.loop, "%s", loop);
    snprintf(barked.callback, sizeof barked.callback, "%s", callback);
    barked.since_ns = since_ns;
}

static struct object *look_at_clock(borrowed closure, borrowed const *arguments, size_t count)
{
    (void)closure, (void)arguments, (void)count;
    lag_watchdog_look(100, 50, bark);
    lag_watchdog_look(149, 50, bark);
    assert_int_equal(barked.times, 0);
    lag_watchdog_look(150, 50, bark);
    assert_int_equal(barked.times, 1);
    assert_int_equal(barked.since_ns, 50);
    lag_watchdog_look(199, 50, bark);
    assert_int_equal(barked.times, 1);
    lag_watchdog_look(200, 50, bark);
    assert_int_equal(barked.times, 2);
    return none();
}

static void test_the_watchdog_names_who_is_stuck(void **state)
{
    struct object *loop = make_loop();

    (void)state;
    memset(&barked, 0, sizeof barked);
    loop_set_name(loop, "this loop");
    soon(loop, noter("a"));
    soon(loop, function_new("stuck", look_at_clock, 0, NULL));
    turns(loop, 1);
    assert_string_equal(barked.loop, "this loop");
    assert_string_equal(barked.callback, "stuck");
    lag_watchdog_look(1000000, 50, bark); /* it does not run */
    assert_int_equal(barked.times, 2);
    end_loop(loop);
}

static _Atomic int barks;

static void count_bark(const char *loop, const char *callback, uint64_t since_ns)
{
    (void)loop, (void)since_ns;
    if (strcmp(callback, "wait_for_bark") == 0)
        atomic_fetch_add_explicit(&barks, 1, memory_order_relaxed);
}

/* It blocks the loop until the watchdog has said so: attached, and passing no safe point. */
static struct object *wait_for_bark(borrowed closure, borrowed const *arguments, size_t count)
{
    (void)closure, (void)arguments, (void)count;
    while (!atomic_load_explicit(&barks, memory_order_relaxed))
        sched_yield();
    return none();
}

static void test_the_watchdog_works_while_the_loop_is_stuck(void **state)
{
    struct object *loop = make_loop();

    (void)state;
    assert_int_equal(lag_watchdog_start(NS_PER_MS, count_bark), 0);
    soon(loop, function_new("wait_for_bark", wait_for_bark, 0, NULL));
    turns(loop, 1);
    lag_watchdog_stop();
    lag_watchdog_stop();
    assert_true(barks >= 1);
    end_loop(loop);
}

/* ---- memory ---- */

/* Held by nothing but what it would call. */
static void test_a_forgotten_loop_is_collected(void **state)
{
    struct object *loop = make_loop(), *cell = cell_new(loop),
                  *f = function_new("noter", note_closure, ARGUMENTS_ANY, cell), *handle;
    int64_t before;

    (void)state;
    handle = loop_call_later(loop, LONG_NS, f, NULL);
    assert_int_equal(loop_call_soon(loop, f, cell), 0);
    decref(f);
    decref(cell);
    decref(loop);
    before = live_blocks();
    collect(GENERATION_ALL);
    assert_true(live_blocks() < before);
    assert_true(handle_cancelled(handle));
    decref(handle);
}

static int use(struct object *loop, struct object *f)
{
    struct object *handle = NULL;
    int result = -1, pair[2];

    if (socketpair(AF_UNIX, SOCK_STREAM, 0, pair) < 0)
        abort();
    for (int i = 0; i < 5; i++) {
        xdecref(handle);
        handle = loop_call_later(loop, i, f, NULL);
        if (!handle || loop_call_soon(loop, f, f) < 0 || loop_call_soon_threadsafe(loop, f, f) < 0)
            goto out;
    }
    if (loop_add_reader(loop, pair[0], f, NULL) < 0 || loop_add_writer(loop, pair[1], f, f) < 0)
        goto out;
    for (int i = 0; i < 3; i++) {
        loop_stop(loop);
        if (loop_run_forever(loop) < 0)
            goto out;
    }
    result = 0;
out:
    xdecref(handle);
    loop_remove_reader(loop, pair[0]);
    loop_remove_writer(loop, pair[1]);
    close(pair[0]);
    close(pair[1]);
    return result;
}

static struct object *do_nothing(borrowed closure, borrowed const *arguments, size_t count)
{
    (void)closure, (void)arguments, (void)count;
    return none();
}

/* Where memory fails within a turn, what cannot be delivered comes in the next: no error then. */
static int session(void)
{
    struct object *loop = loop_new(), *f = NULL, *pending;
    int result = -1;

    if (loop)
        f = function_new("do_nothing", do_nothing, ARGUMENTS_ANY, NULL);
    if (f)
        result = use(loop, f);
    if (result == 0 && !failure_waits()) {
        exception_set_no_memory();
        result = -1;
    }
    pending = exception_take();
    if (loop)
        assert_int_equal(loop_close(loop), 0);
    exception_restore(pending);
    xdecref(f);
    xdecref(loop);
    return result;
}

static void test_no_memory_is_an_error(void **state)
{
    (void)state;
    fail_everywhere(session);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_calls_in_order_and_only_what_was_ready_at_the_start_of_the_turn),
        cmocka_unit_test(test_run_once_order),
        cmocka_unit_test(test_an_argument_is_passed),
        cmocka_unit_test(test_stop_before_it_runs_runs_one_turn),
        cmocka_unit_test(test_stop_ends_after_the_turn),
        cmocka_unit_test(test_call_later_0_comes_after_what_is_ready),
        cmocka_unit_test(test_call_later_negative_delays),
        cmocka_unit_test(test_the_same_deadline_is_first_in_first_out),
        cmocka_unit_test(test_timer_is_not_early),
        cmocka_unit_test(test_cancelled_timers_are_forgotten),
        cmocka_unit_test(test_few_cancelled_timers_stay_until_they_are_first),
        cmocka_unit_test(test_a_cancelled_handle_lets_go),
        cmocka_unit_test(test_a_handle_is_cancelled_in_the_turn_that_would_call_it),
        cmocka_unit_test(test_call_soon_threadsafe_wakes_a_blocked_loop),
        cmocka_unit_test(test_call_soon_threadsafe_by_many_threads),
#ifndef NDEBUG
        cmocka_unit_test(test_check_thread),
#endif
        cmocka_unit_test(test_letters_that_nobody_read_are_dropped),
        cmocka_unit_test(test_loops_share_nothing),
        cmocka_unit_test(test_readers_and_writers),
        cmocka_unit_test(test_a_new_reader_takes_the_place_of_the_old),
        cmocka_unit_test(test_a_removed_reader_is_not_called_even_if_it_was_ready),
        cmocka_unit_test(test_who_takes_the_place_of_one_that_was_ready_is_called_in_the_next_turn),
        cmocka_unit_test(test_a_turn_that_is_cut_off_is_gone_on_with),
        cmocka_unit_test(test_a_closed_loop_takes_nothing),
        cmocka_unit_test(test_one_loop_of_a_thread_runs_at_a_time),
        cmocka_unit_test(test_an_exception_in_a_callback_goes_to_the_hook_and_the_rest_runs),
        cmocka_unit_test(test_a_finaliser_may_use_the_loop),
        cmocka_unit_test(test_an_interrupt_leaves_the_loop_and_the_rest_stays),
        cmocka_unit_test(test_log_slow_callbacks),
        cmocka_unit_test(test_the_books_name_the_slowest),
        cmocka_unit_test(test_the_watchdog_names_who_is_stuck),
        cmocka_unit_test(test_the_watchdog_works_while_the_loop_is_stuck),
        cmocka_unit_test(test_a_forgotten_loop_is_collected),
        cmocka_unit_test(test_no_memory_is_an_error),
    };

    seed_random();
    alarm(LONG_S);
    return run_attached(tests);
}
