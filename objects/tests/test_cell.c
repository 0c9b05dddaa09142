/* test_cell.c - holds one reference, or none. */
#include "objects/cell.h"
#include "objects/int.h"
#include "objects/tests/testing.h"
#include "objects/tuple.h"

static void test_holds_what_it_was_given_last(void **state)
{
    struct object *a = int_new(1), *b = int_new(2), *cell = cell_new(a), *got;

    (void)state;
    got = cell_get(cell);
    assert_ptr_equal(got, a);
    assert_int_equal(exact_count(a), 3);
    decref(got);
    cell_set(cell, b);
    assert_int_equal(exact_count(a), 1);
    assert_int_equal(exact_count(b), 2);
    decref(cell);
    assert_int_equal(exact_count(b), 1);
    decref(a);
    decref(b);
}

static void assert_empty(borrowed cell)
{
    assert_null(cell_get(cell));
    assert_string_equal(exception_message(exception_pending()), "cell is empty");
    assert_raises(&value_error);
    assert_int_equal(held_by(cell), 0);
}

static void test_may_be_empty(void **state)
{
    struct object *item = int_new(1), *cell = cell_new(NULL);

    (void)state;
    assert_empty(cell);
    cell_set(cell, item);
    assert_int_equal(held_by(cell), 1);
    cell_set(cell, NULL);
    assert_empty(cell);
    assert_int_equal(exact_count(item), 1);
    decref(cell);
    decref(item);
}

static void test_is_whole_when_it_has_been_cleared(void **state)
{
    struct object *cell = cell_new(NULL), *around = tuple_new(1, &cell);
    int64_t before = live_blocks();

    (void)state;
    cell_set(cell, around);
    decref(around); /* the cycle holds itself now */
    assert_int_equal(live_blocks(), before);
    cell_type.clear(cell);
    assert_int_equal(live_blocks(), before - 1);
    assert_empty(cell);
    decref(cell);
}

static void test_publishes_what_it_holds(void **state)
{
    struct object *a = int_new(1), *b = int_new(2), *cell = cell_new(a);

    (void)state;
    publish(cell);
    assert_true(published(a));
    assert_false(published(b));
    cell_set(cell, b);
    assert_true(published(b));
    decref(a);
    decref(b);
    decref(cell);
}

/* ---- threads: each puts its own there and takes what it finds ---- */

enum { TURNS = 2000 };

static struct object *shared;

static void put_and_take(struct thread *t, int index)
{
    for (int i = 0; i < TURNS; i++) {
        struct object *mine = int_new(index), *found;

        cell_set(shared, mine);
        decref(mine);
        found = cell_get(shared);
        if (int_value(found) < 0 || int_value(found) >= TEST_THREADS)
            abort();
        decref(found);
        safepoint(t);
    }
}

static void test_threads_share_one(void **state)
{
    int64_t before = live_blocks();
    struct object *first = int_new(0);

    (void)state;
    shared = cell_new(first);
    publish(shared);
    decref(first);
    run_threads(put_and_take);
    assert_int_equal(live_blocks(), before + 2);
    decref(shared);
    assert_int_equal(live_blocks(), before);
}

static int session(void)
{
    struct object *item = int_new(1), *cell = item ? cell_new(item) : NULL;

    xdecref(cell);
    xdecref(item);
    return cell ? 0 : -1;
}

static void test_no_memory_is_an_error(void **state)
{
    (void)state;
    fail_everywhere(session);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_holds_what_it_was_given_last),
        cmocka_unit_test(test_may_be_empty),
        cmocka_unit_test(test_is_whole_when_it_has_been_cleared),
        cmocka_unit_test(test_publishes_what_it_holds),
        cmocka_unit_test(test_threads_share_one),
        cmocka_unit_test(test_no_memory_is_an_error),
    };

    return run_attached(tests);
}
