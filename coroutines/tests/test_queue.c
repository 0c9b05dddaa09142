/* test_queue.c - items from tasks to tasks.
 *
 * Names in brackets are those of CPython's Lib/test/test_asyncio/test_queues.py.
 */
#include "coroutines/queue.h"
#include "coroutines/run.h"
#include "coroutines/tests/plays.h"
#include "coroutines/wait.h"

enum { LEAST = 1, SOME = 3, MANY = 100 };

static struct object *queue;

static struct object *begin(int64_t maxsize)
{
    struct object *loop = make_loop();

    queue = queue_new(maxsize);
    assert_non_null(queue);
    return loop;
}

static void end(struct object *loop)
{
    decref(queue);
    turns(loop, 2);
    end_loop(loop);
    assert_int_equal(heard.told, 0);
}

static void put_now(int64_t value)
{
    struct object *item = int_new(value);

    assert_int_equal(queue_put_nowait(queue, item), 0);
    decref(item);
}

static void assert_gets(int64_t value)
{
    struct object *item = queue_get_nowait(queue);

    assert_non_null(item);
    assert_int_equal(int_value(item), value);
    decref(item);
}

/* A task of a coroutine that the caller gives away. */
static struct object *task_of(struct object *loop, struct object *coroutine /* steals */)
{
    struct object *task = task_new(loop, coroutine, NULL);

    assert_non_null(coroutine);
    decref(coroutine);
    assert_non_null(task);
    return task;
}

static struct object *getter(struct object *loop)
{
    return task_of(loop, queue_get(queue));
}

static struct object *putter(struct object *loop, int64_t value)
{
    struct object *item = int_new(value), *task = task_of(loop, queue_put(queue, item));

    decref(item);
    return task;
}

static void assert_got(struct object *task /* steals */, int64_t value)
{
    assert_true(future_done(task));
    assert_result(task, value);
    decref(task);
}

/* It has put what it was to put. */
static void assert_put(struct object *task /* steals */)
{
    struct object *result = future_result(task);

    assert_ptr_equal(result, none());
    decref(task);
}

static void assert_ends_cancelled(struct object *loop, struct object *task /* steals */)
{
    assert_int_equal(future_cancel(task, NULL), 1);
    turns(loop, 2);
    assert_cancelled(task);
    decref(task);
}

static void assert_says(const char *expected)
{
    char text[200], *state;

    object_repr(queue, text, sizeof text);
    assert_memory_equal(text, "<Queue at 0x", 12);
    state = strstr(text, "maxsize");
    assert_non_null(state);
    assert_string_equal(state, expected);
}

/* ---- what it is ---- */

static void test_empty_and_full(void **state) /* test_empty, test_full */
{
    struct object *loop = begin(2);

    (void)state;
    assert_true(queue_empty(queue) && !queue_full(queue));
    put_now(1);
    assert_false(queue_empty(queue) || queue_full(queue));
    put_now(2);
    assert_true(queue_full(queue));
    assert_int_equal(queue_size(queue), 2);
    assert_int_equal(queue_maxsize(queue), 2);
    assert_gets(1);
    assert_gets(2);
    assert_true(queue_empty(queue));
    end(loop);
}

static void test_one_without_a_limit_is_never_full(void **state) /* test_full */
{
    (void)state;
    for (int64_t maxsize = -1; maxsize <= 0; maxsize++) {
        struct object *loop = begin(maxsize);

        for (int i = 0; i < MANY; i++)
            put_now(i);
        assert_false(queue_full(queue));
        for (int i = 0; i < MANY; i++)
            assert_gets(i);
        end(loop);
    }
}

static void test_order(void **state) /* test_order */
{
    static const int order[SOME] = { 1, 3, 2 };
    struct object *loop = begin(0), *task[2 * SOME];

    (void)state;
    for (int i = 0; i < SOME; i++)
        task[i] = putter(loop, order[i]);
    for (int i = 0; i < SOME; i++)
        task[SOME + i] = getter(loop);
    turns(loop, 2);
    for (int i = 0; i < SOME; i++) {
        assert_put(task[i]);
        assert_got(task[SOME + i], order[i]);
    }
    end(loop);
}

static void test_at_once(void **state) /* test_nonblocking_get_exception, _put_exception */
{
    struct object *loop = begin(LEAST), *item = int_new(2);

    (void)state;
    assert_error(!queue_get_nowait(queue), &queue_empty_error, "");
    put_now(1);
    assert_error(queue_put_nowait(queue, item) < 0, &queue_full_error, "");
    assert_int_equal(queue_size(queue), 1);
    assert_gets(1);
    decref(item);
    end(loop);
}

static void test_repr(void **state) /* test_repr, test_format */
{
    struct object *loop = begin(LEAST), *task;

    (void)state;
    assert_says("maxsize=1>");
    task = getter(loop);
    turns(loop, 1);
    assert_says("maxsize=1 _getters[1]>");
    put_now(7);
    assert_says("maxsize=1 _queue=[7] tasks=1>");
    turns(loop, 2);
    assert_got(task, 7);
    put_now(8);
    task = putter(loop, 9);
    turns(loop, 1);
    assert_says("maxsize=1 _queue=[8] _putters[1] tasks=2>");
    assert_gets(8);
    turns(loop, 2);
    assert_put(task);
    end(loop);
}

/* ---- who waits ---- */

static void test_get_waits(void **state) /* test_blocking_get_wait, test_put_with_waiting_getters */
{
    struct object *loop = begin(0), *task = getter(loop);

    (void)state;
    turns(loop, 3);
    assert_false(future_done(task));
    put_now(1);
    turns(loop, 2);
    assert_got(task, 1);
    end(loop);
}

static void test_put_waits(void **state) /* test_maxsize, test_blocking_put_wait */
{
    struct object *loop = begin(2), *task[SOME];

    (void)state;
    for (int i = 0; i < SOME; i++)
        task[i] = putter(loop, i);
    turns(loop, 3);
    assert_true(future_done(task[0]) && future_done(task[1]) && !future_done(task[2]));
    assert_gets(0);
    turns(loop, 2);
    for (int i = 0; i < SOME; i++)
        assert_put(task[i]);
    assert_gets(1);
    assert_gets(2);
    end(loop);
}

static void test_get_with_waiting_putters(void **state) /* of this name */
{
    struct object *loop = begin(LEAST), *task[] = { putter(loop, 1), putter(loop, 2),
                                                    getter(loop), getter(loop) };

    (void)state;
    turns(loop, 4);
    assert_put(task[0]);
    assert_put(task[1]);
    assert_got(task[2], 1);
    assert_got(task[3], 2);
    end(loop);
}

/* They are woken in the order in which they came, one for each item. */
static void test_one_getter_for_each_item(void **state)
{
    struct object *loop = begin(0), *task[SOME];

    (void)state;
    for (int i = 0; i < SOME; i++)
        task[i] = getter(loop);
    turns(loop, 1);
    put_now(10);
    turns(loop, 2);
    assert_got(task[0], 10);
    assert_false(future_done(task[1]) || future_done(task[2]));
    put_now(11);
    put_now(12);
    turns(loop, 2);
    assert_got(task[1], 11);
    assert_got(task[2], 12);
    end(loop);
}

/* Somebody is faster than the one that was woken: that waits again. */
static void test_one_that_was_woken_in_vain_waits_again(void **state)
{
    struct object *loop = begin(0), *task = getter(loop);

    (void)state;
    turns(loop, 1);
    put_now(1);
    assert_gets(1);
    turns(loop, 2);
    assert_false(future_done(task));
    assert_says("maxsize=0 _getters[1] tasks=1>");
    put_now(2);
    turns(loop, 2);
    assert_got(task, 2);
    end(loop);
}

/* ---- cancellation loses nothing ---- */

static void test_get_cancelled_race(void **state) /* of this name */
{
    struct object *loop = begin(0), *first = getter(loop), *second = getter(loop);

    (void)state;
    turns(loop, 1);
    assert_ends_cancelled(loop, first);
    put_now(1);
    turns(loop, 2);
    assert_got(second, 1);
    end(loop);
}

/* test_get_cancel_drop_one_pending_reader: woken, and then cancelled before it could go on. */
static void test_a_cancelled_getter_leaves_its_item(void **state)
{
    struct object *loop = begin(0), *task = getter(loop);

    (void)state;
    turns(loop, 1);
    put_now(1);
    put_now(2);
    assert_ends_cancelled(loop, task);
    assert_gets(1);
    assert_gets(2);
    end(loop);
}

/* test_get_cancel_drop_many_pending_readers: the item of the one goes to the next. */
static void test_a_cancelled_getter_wakes_the_next(void **state)
{
    struct object *loop = begin(0), *task[SOME];

    (void)state;
    for (int i = 0; i < SOME; i++)
        task[i] = getter(loop);
    turns(loop, 1);
    put_now(1);
    put_now(2);
    assert_ends_cancelled(loop, task[0]);
    turns(loop, 2);
    assert_got(task[1], 1);
    assert_got(task[2], 2);
    end(loop);
}

static void test_a_cancelled_putter_leaves_its_place(void **state) /* test_put_cancel_drop */
{
    struct object *loop = begin(LEAST), *task;

    (void)state;
    put_now(1);
    task = putter(loop, 2);
    turns(loop, 1);
    assert_gets(1);
    assert_ends_cancelled(loop, task);
    assert_int_equal(queue_size(queue), 0);
    put_now(3);
    assert_gets(3);
    end(loop);
}

static void test_a_cancelled_putter_wakes_the_next(void **state)
{
    struct object *loop = begin(LEAST), *task[2];

    (void)state;
    put_now(1);
    task[0] = putter(loop, 2);
    task[1] = putter(loop, 3);
    turns(loop, 1);
    assert_gets(1); /* wakes the first */
    assert_ends_cancelled(loop, task[0]);
    turns(loop, 2);
    assert_put(task[1]);
    assert_gets(3);
    end(loop);
}

static void test_put_cancelled_race(void **state) /* of this name */
{
    struct object *loop = begin(LEAST);
    struct object *task[] = { putter(loop, 1), putter(loop, 2), putter(loop, 3) };

    (void)state;
    turns(loop, 1);
    assert_ends_cancelled(loop, task[2]);
    assert_gets(1);
    turns(loop, 2);
    assert_gets(2);
    assert_put(task[0]);
    assert_put(task[1]);
    end(loop);
}

/* test_cancelled_getters_not_being_held_in_self_getters, and of putters. */
static void test_who_is_cancelled_stands_in_no_line(void **state)
{
    struct object *loop = begin(LEAST);

    (void)state;
    for (int i = 0; i < 2; i++) {
        struct object *task = i ? putter(loop, 2) : getter(loop);

        turns(loop, 1);
        assert_says(i ? "maxsize=1 _queue=[1] _putters[1] tasks=1>" : "maxsize=1 _getters[1]>");
        assert_ends_cancelled(loop, task);
        assert_says(i ? "maxsize=1 _queue=[1] tasks=1>" : "maxsize=1>");
        if (i == 0)
            put_now(1);
    }
    end(loop);
}

/* Dropped in the middle of it, by whoever drove it. */
static void test_a_getter_that_is_closed_stands_in_no_line(void **state)
{
    struct object *loop = begin(0), *task = getter(loop);

    (void)state;
    turns(loop, 1);
    assert_int_equal(generator_close((struct object *)(uintptr_t)task_coroutine(task), NULL), 0);
    assert_says("maxsize=0>");
    put_now(1);
    assert_gets(1);
    assert_int_equal(future_cancel(task, NULL), 1);
    turns(loop, 2);
    decref(task);
    settle_heap();
    memset(&heard, 0, sizeof heard); /* what the task makes of it is not the queue's business */
    end(loop);
}

static void test_it_is_bound_to_the_loop_of_who_waits(void **state)
{
    struct object *loop = begin(0), *other = make_loop(), *task = getter(loop), *second;
    char message[300];

    (void)state;
    turns(loop, 1);
    second = getter(other);
    turns(other, 1);
    object_repr(queue, message, sizeof message);
    strcat(message, " is bound to a different event loop");
    assert_fails(second, &runtime_error, message);
    decref(second);
    put_now(1);
    turns(loop, 2);
    assert_got(task, 1);
    end_loop(other);
    end(loop);
}

/* ---- join ---- */

static void test_task_done_underflow(void **state) /* of this name */
{
    struct object *loop = begin(0);

    (void)state;
    assert_error(queue_task_done(queue) < 0, &value_error, "task_done() called too many times");
    put_now(1);
    assert_gets(1);
    assert_int_equal(queue_task_done(queue), 0);
    assert_error(queue_task_done(queue) < 0, &value_error, "task_done() called too many times");
    end(loop);
}

static void test_join_an_empty_queue(void **state) /* test_join_empty_queue */
{
    struct object *loop = begin(0);

    (void)state;
    for (int i = 0; i < 2; i++) {
        struct object *task = task_of(loop, queue_join(queue));

        turns(loop, 1);
        assert_put(task);
    }
    end(loop);
}

static struct object *get_one(struct play *p)
{
    (void)p;
    return queue_get(queue);
}

static int add_and_be_done(struct play *p)
{
    p->number += int_value(p->value);
    return queue_task_done(queue);
}

static void test_join_waits_until_all_is_done(void **state) /* test_task_done */
{
    static const struct act works[] = {
        { AWAIT, .made = get_one }, { DO, .done = add_and_be_done }, { GO, .number = 0 },
    };
    struct object *loop = begin(0), *worker[2], *joiner[2], *result;
    struct play plays[2] = { { works }, { works } };

    (void)state;
    for (int i = 0; i < MANY; i++)
        put_now(i);
    for (int i = 0; i < 2; i++) {
        joiner[i] = task_of(loop, queue_join(queue));
        worker[i] = start(loop, &plays[i]);
    }
    result = run_until_complete(loop, joiner[0]);
    assert_ptr_equal(result, none());
    assert_int_equal(plays[0].number + plays[1].number, MANY * (MANY - 1) / 2);
    assert_put(joiner[0]);
    turns(loop, 2);
    assert_put(joiner[1]);
    for (int i = 0; i < 2; i++) {
        assert_ends_cancelled(loop, worker[i]);
        play_end(&plays[i]);
    }
    end(loop);
}

static void test_join_waits_for_what_was_got_and_is_not_done(void **state)
{
    struct object *loop = begin(0), *task;

    (void)state;
    put_now(1);
    assert_gets(1);
    task = task_of(loop, queue_join(queue));
    turns(loop, 3);
    assert_false(future_done(task));
    assert_int_equal(queue_task_done(queue), 0);
    put_now(2); /* too late to be waited for */
    turns(loop, 2);
    assert_put(task);
    end(loop);
}

static void test_a_cancelled_join_stands_in_no_line(void **state)
{
    struct object *loop = begin(0), *task = task_of(loop, queue_join(queue)), *second;

    (void)state;
    turns(loop, 1);
    assert_put(task);
    put_now(1);
    task = task_of(loop, queue_join(queue));
    second = task_of(loop, queue_join(queue));
    turns(loop, 1);
    assert_ends_cancelled(loop, task);
    assert_int_equal(queue_task_done(queue), 0);
    turns(loop, 2);
    assert_put(second);
    end(loop);
}

/* ---- the end ---- */

/* A cycle: the queue holds who waits, by way of its future and that one's task. */
static void test_it_is_collected_with_who_waits(void **state)
{
    int64_t before = live_blocks();
    struct object *loop, *task;

    (void)state;
    if (!collector_works())
        skip();
    loop = make_loop();
    queue = queue_new(0);
    task = getter(loop);
    turns(loop, 1);
    put_now(1);
    decref(queue);
    decref(task);
    assert_int_equal(loop_close(loop), 0);
    decref(loop);
    rc_quiesce();
    collect(GENERATION_ALL);
    assert_int_equal(live_blocks(), before);
}

static void test_on_a_closed_loop_nobody_is_woken(void **state)
{
    struct object *loop = make_loop(), *task, *item = int_new(1);

    (void)state;
    queue = queue_new(0);
    task = getter(loop);
    turns(loop, 1);
    assert_int_equal(loop_close(loop), 0);
    assert_error(queue_put_nowait(queue, item) < 0, &runtime_error, "Event loop is closed");
    assert_int_equal(queue_size(queue), 0);
    assert_error(queue_task_done(queue) < 0, &value_error, "task_done() called too many times");
    decref(item);
    decref(task);
    decref(queue);
    decref(loop);
    rc_quiesce();
    if (collector_works())
        collect(GENERATION_ALL);
    memset(&heard, 0, sizeof heard);
}

/* ---- no memory ---- */

static int put_all(struct object *loop)
{
    struct object *item = int_new(1), *task[2] = { NULL, NULL }, *coroutine;
    int result = item ? 0 : -1;

    for (int i = 0; i < 2 && result == 0; i++) { /* one item, and one that waits */
        coroutine = queue_put(queue, item);
        task[i] = coroutine ? task_new(loop, coroutine, NULL) : NULL;
        xdecref(coroutine);
        result = task[i] ? 0 : -1;
    }
    if (result == 0) {
        loop_stop(loop);
        result = loop_run_forever(loop);
    }
    for (int i = 0; i < 2; i++) {
        struct object *done = NULL;

        if (result == 0 && (i == 0 || future_done(task[i])))
            result = (done = future_result(task[i])) ? 0 : -1;
        xdecref(done);
        xdecref(task[i]);
    }
    xdecref(item);
    return result;
}

static int session(void)
{
    struct object *loop = loop_new(), *pending;
    int result = -1;

    queue = loop ? queue_new(LEAST) : NULL;
    if (queue)
        result = put_all(loop);
    pending = exception_take();
    if (loop)
        assert_int_equal(loop_close(loop), 0);
    xdecref(queue);
    xdecref(loop);
    rc_quiesce();
    collect(GENERATION_ALL);
    exception_restore(pending);
    if (result == 0 && !failure_waits())
        exception_set_no_memory(); /* it was told to nobody: of what was dropped at the end */
    return exception_pending() ? -1 : 0;
}

static void test_no_memory_is_an_error(void **state)
{
    (void)state;
    if (!collector_works())
        skip();
    fail_everywhere(session);
}

/* Nothing is put without memory, and nobody woken. */
static void test_no_memory_to_put(void **state)
{
    struct object *loop = begin(0), *task = getter(loop), *item = int_new(1);

    (void)state;
    turns(loop, 1);
    fail_allocation(1);
    assert_error(queue_put_nowait(queue, item) < 0, &memory_error, "out of memory");
    fail_allocation(0);
    assert_says("maxsize=0 _getters[1]>");
    turns(loop, 2);
    assert_false(future_done(task));
    assert_int_equal(queue_put_nowait(queue, item), 0);
    turns(loop, 2);
    assert_got(task, 1);
    decref(item);
    end(loop);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_empty_and_full),
        cmocka_unit_test(test_one_without_a_limit_is_never_full),
        cmocka_unit_test(test_order),
        cmocka_unit_test(test_at_once),
        cmocka_unit_test(test_repr),
        cmocka_unit_test(test_get_waits),
        cmocka_unit_test(test_put_waits),
        cmocka_unit_test(test_get_with_waiting_putters),
        cmocka_unit_test(test_one_getter_for_each_item),
        cmocka_unit_test(test_one_that_was_woken_in_vain_waits_again),
        cmocka_unit_test(test_get_cancelled_race),
        cmocka_unit_test(test_a_cancelled_getter_leaves_its_item),
        cmocka_unit_test(test_a_cancelled_getter_wakes_the_next),
        cmocka_unit_test(test_a_cancelled_putter_leaves_its_place),
        cmocka_unit_test(test_a_cancelled_putter_wakes_the_next),
        cmocka_unit_test(test_put_cancelled_race),
        cmocka_unit_test(test_who_is_cancelled_stands_in_no_line),
        cmocka_unit_test(test_a_getter_that_is_closed_stands_in_no_line),
        cmocka_unit_test(test_it_is_bound_to_the_loop_of_who_waits),
        cmocka_unit_test(test_task_done_underflow),
        cmocka_unit_test(test_join_an_empty_queue),
        cmocka_unit_test(test_join_waits_until_all_is_done),
        cmocka_unit_test(test_join_waits_for_what_was_got_and_is_not_done),
        cmocka_unit_test(test_a_cancelled_join_stands_in_no_line),
        cmocka_unit_test(test_it_is_collected_with_who_waits),
        cmocka_unit_test(test_on_a_closed_loop_nobody_is_woken),
        cmocka_unit_test(test_no_memory_is_an_error),
        cmocka_unit_test(test_no_memory_to_put),
    };

    alarm(LONG_S);
    return run_attached(tests);
}
