/* test_gather.c - many results in one.
 *
 * Names in brackets are those of CPython's Lib/test/test_asyncio/test_tasks.py, FutureGatherTests
 * and CoroutineGatherTests.
 */
#include "coroutines/gather.h"
#include "coroutines/tests/plays.h"
#include "objects/list.h"

enum { MANY = 3 };

static struct object *child[MANY], *outer;

static struct object *begin(bool exceptions)
{
    struct object *loop = make_loop();

    for (int i = 0; i < MANY; i++)
        assert_non_null(child[i] = future_new(loop));
    outer = gather(loop, (borrowed const *)child, MANY, exceptions);
    assert_non_null(outer);
    return loop;
}

/* A child that is not done and the outer one hold each other. */
static void end(struct object *loop)
{
    for (int i = 0; i < MANY; i++) {
        future_cancel(child[i], NULL);
        decref(child[i]);
    }
    turns(loop, 2);
    decref(outer);
    end_loop(loop);
}

/* Of the list, in the diary. */
static void note_outcomes(borrowed future)
{
    struct object *row = future_result(future);

    assert_non_null(row);
    for (size_t i = 0; i < list_length(row); i++) {
        struct object *item = list_get(row, i);
        char text[60];

        if (exception_is(item, &base_exception))
            snprintf(text, sizeof text, "%s(%s)", type_of(item)->name, exception_message(item));
        else
            object_repr(item, text, sizeof text);
        note(text);
        decref(item);
    }
    decref(row);
}

static void test_success(void **state) /* test_success: in the order of the arguments */
{
    struct object *loop = begin(false);

    (void)state;
    finish(child[1], 1);
    finish(child[0], 0);
    turns(loop, 1);
    assert_false(future_done(outer));
    finish(child[2], 2);
    assert_false(future_done(outer));
    turns(loop, 1);
    note_outcomes(outer);
    assert_diary("0 1 2");
    end(loop);
}

static void test_of_nothing(void **state) /* test_constructor_empty_sequence_* */
{
    struct object *loop = make_loop(), *empty = gather(loop, NULL, 0, false);

    (void)state;
    assert_true(future_done(empty));
    note_outcomes(empty);
    assert_diary("");
    decref(empty);
    end_loop(loop);
}

/* test_one_exception: the first error wins, and the siblings go on. */
static void test_one_exception(void **state)
{
    struct object *loop = begin(false);

    (void)state;
    finish(child[0], 0);
    fail_with(child[1], "first");
    turns(loop, 1);
    assert_fails(outer, &value_error, "first");
    assert_false(future_done(child[2]));
    fail_with(child[2], "second"); /* does nothing, and counts as retrieved */
    turns(loop, 1);
    end(loop);
    live_blocks();
    assert_int_equal(heard.told, 0);
}

static void test_return_exceptions(void **state)
{
    struct object *loop = begin(true);

    (void)state;
    fail_with(child[1], "bad");
    assert_int_equal(future_cancel(child[2], NULL), 1);
    turns(loop, 1);
    assert_false(future_done(outer));
    finish(child[0], 0);
    turns(loop, 1);
    note_outcomes(outer);
    assert_diary("0 ValueError(bad) CancelledError()");
    end(loop);
    live_blocks();
    assert_int_equal(heard.told, 0);
}

/* test_one_cancellation: a child that is cancelled is one that raises CancelledError. */
static void test_one_cancellation(void **state)
{
    struct object *loop = begin(false);

    (void)state;
    assert_int_equal(future_cancel(child[1], NULL), 1);
    turns(loop, 1);
    assert_true(future_done(outer));
    assert_false(future_cancelled(outer));
    assert_fails(outer, &cancelled_error, "");
    assert_false(future_done(child[0]));
    end(loop);
}

static void test_cancellation_broadcast(void **state)
{
    struct object *loop = begin(false);

    (void)state;
    finish(child[0], 0);
    assert_int_equal(future_cancel(outer, NULL), 1);
    assert_false(future_done(outer));
    assert_true(future_cancelled(child[1]) && future_cancelled(child[2]));
    assert_int_equal(future_cancel(outer, NULL), 0); /* nothing is left to be cancelled */
    turns(loop, 1);
    assert_fails(outer, &cancelled_error, "");
    end(loop);
}

/* test_issue46672, test_cancellation with return_exceptions: the whole is cancelled all the same.
 */
static void test_cancelled_with_return_exceptions(void **state)
{
    struct object *loop = begin(true);

    (void)state;
    finish(child[0], 0);
    assert_int_equal(future_cancel(outer, NULL), 1);
    turns(loop, 2);
    assert_fails(outer, &cancelled_error, "");
    end(loop);
}

static void test_the_same_one_twice(void **state) /* test_duplicate_coroutines */
{
    static const struct act acts[] = { { SAY, "once" }, { RETURN, .number = 5 } };
    struct object *loop = make_loop(), *f = future_new(loop), *coroutine;
    struct play p = { acts };

    (void)state;
    coroutine = perform_play(&p);
    outer = gather(loop, (borrowed[]){ coroutine, f, coroutine, f }, 4, false);
    finish(f, 1);
    run_ready(loop);
    note_outcomes(outer);
    assert_diary("once 5 1 5 1");
    decref(coroutine);
    decref(outer);
    decref(f);
    end_loop(loop);
}

/* test_exception_marking: those that fail later do not tell. */
static void test_exception_marking(void **state)
{
    static const struct act fails[] = { { PASS }, { RAISE, "x", .kind = &value_error } };
    static const struct act late[] = { { PASS }, { PASS }, { RAISE, "y", .kind = &value_error } };
    struct object *loop = make_loop(), *a, *b;
    struct play p = { fails }, q = { late };

    (void)state;
    a = perform_play(&p);
    b = perform_play(&q);
    outer = gather(loop, (borrowed[]){ a, b }, 2, false);
    decref(a);
    decref(b);
    run_ready(loop);
    assert_fails(outer, &value_error, "x");
    decref(outer);
    end_loop(loop);
    live_blocks();
    assert_int_equal(heard.told, 0);
}

static struct object *gather_two(struct play *p)
{
    return gather(loop_running(), (borrowed[]){ child[0], child[1] }, 2, p->number);
}

/* A task that awaits it is cancelled: so are the children, and then it is. */
static void test_a_task_that_gathers_is_cancelled(void **state)
{
    static const struct act acts[] = {
        { AWAIT, .made = gather_two, .except = 2 }, { END }, { SAY_RAISED }, { AGAIN }
    };
    struct object *loop = begin(false), *task;
    struct play p = { acts };

    (void)state;
    task = start(loop, &p);
    turns(loop, 1);
    assert_int_equal(future_cancel(task, NULL), 1);
    run_ready(loop);
    assert_diary("CancelledError()");
    assert_cancelled(task);
    assert_true(future_cancelled(child[0]) && future_cancelled(child[1]));
    play_end(&p);
    decref(task);
    end(loop);
}

static void test_gather_shield(void **state) /* T test_gather_shield */
{
    struct object *loop = make_loop(), *inner[2], *shields[2];

    (void)state;
    for (int i = 0; i < 2; i++) {
        inner[i] = future_new(loop);
        shields[i] = shield(loop, inner[i]);
    }
    outer = gather(loop, (borrowed const *)shields, 2, false);
    assert_int_equal(future_cancel(outer, NULL), 1);
    turns(loop, 3);
    assert_fails(outer, &cancelled_error, "");
    for (int i = 0; i < 2; i++) {
        assert_false(future_done(inner[i]));
        finish(inner[i], i);
        decref(inner[i]);
        decref(shields[i]);
    }
    turns(loop, 2);
    decref(outer);
    end_loop(loop);
}

static void test_what_cannot_be_awaited_is_refused(void **state)
{
    struct object *loop = make_loop(), *f = future_new(loop);

    (void)state;
    assert_error(!gather(loop, (borrowed[]){ f, loop }, 2, false), &type_error,
                 "An asyncio.Future, a coroutine or an awaitable is required");
    assert_int_equal(exact_count(f), 1);
    decref(f);
    end_loop(loop);
}

/* An awaitable that is asked for its hash, and at one of these times cannot give it. */
static int hash_fails_at;

static int hash_at_times(borrowed o, uint64_t *hash)
{
    (void)o;
    *hash = 1;
    if (--hash_fails_at)
        return 0;
    exception_set(&type_error, "unhashable");
    return -1;
}

static struct object *note_await(borrowed o)
{
    (void)o;
    note("awaited");
    return NULL;
}

static const struct type hard_to_hash_type = {
    .name = "hard to hash",
    .size_bytes = sizeof(struct object),
    .hash = hash_at_times,
    .await = note_await,
};

/* First it is looked for, then added: what was begun for it by then is not awaited. */
static void test_what_cannot_be_hashed_is_refused(void **state)
{
    struct object *o = object_new(&hard_to_hash_type, sizeof(struct object));

    (void)state;
    for (int i = 1; i <= 2; i++) {
        struct object *loop = make_loop();

        hash_fails_at = i;
        assert_error(!gather(loop, &(borrowed){ o }, 1, false), &type_error, "unhashable");
        assert_null(exception_pending());
        turns(loop, 2);
        assert_diary("");
        end_loop(loop);
    }
    assert_int_equal(exact_count(o), 1);
    decref(o);
    assert_int_equal(heard.told, 0);
}

static int session(void)
{
    struct object *loop = loop_new(), *a = NULL, *b = NULL, *all = NULL, *result = NULL, *pending;

    if (loop && (a = future_new(loop)) && (b = future_new(loop)))
        all = gather(loop, (borrowed[]){ a, b, a }, 3, true);
    if (all && future_set_result(a, none()) == 0 && future_cancel(b, NULL) == 1) {
        loop_stop(loop);
        if (loop_run_forever(loop) == 0)
            result = future_result(all);
    }
    pending = exception_take();
    if (loop)
        assert_int_equal(loop_close(loop), 0);
    xdecref(a);
    xdecref(b);
    xdecref(all);
    xdecref(loop);
    exception_restore(pending);
    xdecref(result);
    return result ? 0 : -1;
}

static void test_no_memory_is_an_error(void **state)
{
    (void)state;
    fail_everywhere(session);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_success),
        cmocka_unit_test(test_of_nothing),
        cmocka_unit_test(test_one_exception),
        cmocka_unit_test(test_return_exceptions),
        cmocka_unit_test(test_one_cancellation),
        cmocka_unit_test(test_cancellation_broadcast),
        cmocka_unit_test(test_cancelled_with_return_exceptions),
        cmocka_unit_test(test_the_same_one_twice),
        cmocka_unit_test(test_exception_marking),
        cmocka_unit_test(test_a_task_that_gathers_is_cancelled),
        cmocka_unit_test(test_gather_shield),
        cmocka_unit_test(test_what_cannot_be_awaited_is_refused),
        cmocka_unit_test(test_what_cannot_be_hashed_is_refused),
        cmocka_unit_test(test_no_memory_is_an_error),
    };

    alarm(LONG_S);
    return run_attached(tests);
}
