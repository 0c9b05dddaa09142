/* test_tuple.c - a fixed row of objects. */
#include "objects/int.h"
#include "objects/list.h"
#include "objects/none.h"
#include "objects/str.h"
#include "objects/tests/testing.h"
#include "objects/tuple.h"

static void test_holds_a_reference_to_each(void **state)
{
    struct object *a = int_new(1), *b = int_new(2);
    struct object *t = tuple_new(3, (struct object *[]){ a, b, a });

    (void)state;
    assert_int_equal(tuple_length(t), 3);
    assert_int_equal(exact_count(t), 1);
    assert_int_equal(exact_count(a), 3);
    assert_int_equal(exact_count(b), 2);
    assert_ptr_equal(tuple_get(t, 1), b);
    assert_ptr_equal(tuple_get(t, 2), a);
    assert_int_equal(exact_count(b), 2); /* it was lent */
    assert_int_equal(held_by(t), 3);
    decref(t);
    assert_int_equal(exact_count(a), 1);
    assert_int_equal(exact_count(b), 1);
    decref(a);
    decref(b);
}

static void test_the_last_reference_to_an_item_may_be_its(void **state)
{
    int64_t before = live_blocks();
    struct object *inner = int_new(1), *middle = tuple_new(1, &inner),
                  *outer = tuple_new(1, &middle);

    (void)state;
    decref(inner);
    decref(middle);
    assert_int_equal(live_blocks(), before + 3);
    assert_int_equal(int_value(tuple_get(tuple_get(outer, 0), 0)), 1);
    decref(outer);
    assert_int_equal(live_blocks(), before);
}

static void test_empty(void **state)
{
    struct object *a = tuple_new(0, NULL), *b = tuple_new(0, NULL);

    (void)state;
    assert_int_equal(tuple_length(a), 0);
    assert_true(object_equal(a, b));
    assert_true(hash_of(a) == hash_of(b));
    assert_repr(a, "()");
    decref(a);
    decref(b);
}

static struct object *pair(int64_t first, int64_t second)
{
    struct object *a = int_new(first), *b = int_new(second);
    struct object *t = tuple_new(2, (struct object *[]){ a, b });

    decref(a);
    decref(b);
    return t;
}

static void test_equal_by_items(void **state)
{
    struct object *a = pair(1, 2), *same = pair(1, 2), *swapped = pair(2, 1);
    struct object *longer = tuple_new(3, (struct object *[]){ none(), none(), none() });

    (void)state;
    assert_true(object_equal(a, same));
    assert_true(hash_of(a) == hash_of(same));
    assert_false(object_equal(a, swapped));
    assert_true(hash_of(a) != hash_of(swapped));
    assert_false(object_equal(a, longer));
    assert_int_equal(exact_count(tuple_get(a, 0)), 1);
    decref(a);
    decref(same);
    decref(swapped);
    decref(longer);
}

static void test_hash_of_what_cannot_be_hashed_is_an_error(void **state)
{
    struct object *list = list_new(), *inner = tuple_new(1, &list), *outer = tuple_new(1, &inner);
    uint64_t hash;

    (void)state;
    assert_int_equal(object_hash(outer, &hash), -1);
    assert_string_equal(exception_message(exception_pending()), "unhashable type: 'list'");
    assert_raises(&type_error);
    assert_int_equal(exact_count(list), 2);
    decref(list);
    decref(inner);
    decref(outer);
}

static void test_publishing_reaches_the_items(void **state)
{
    struct object *item = int_new(1), *inner = tuple_new(1, &item), *outer = tuple_new(1, &inner);

    (void)state;
    assert_false(published(item));
    publish(outer);
    assert_true(published(outer) && published(inner) && published(item));
    decref(outer);
    decref(inner);
    assert_int_equal(exact_count(item), 1);
    decref(item);
}

static void test_repr(void **state)
{
    struct object *text = str_new("x"), *one = tuple_new(1, &text);
    struct object *two = tuple_new(2, (struct object *[]){ one, none() });
    char small[8];

    (void)state;
    assert_repr(one, "('x',)");
    assert_repr(two, "(('x',), None)");
    object_repr(two, small, sizeof small);
    assert_string_equal(small, "(('x',)");
    decref(text);
    decref(one);
    decref(two);
}

static int session(void)
{
    int result = -1;
    struct object *item = int_new(1), *inner = NULL, *outer = NULL;

    if (item)
        inner = tuple_new(1, &item);
    if (inner)
        outer = tuple_new(2, (struct object *[]){ inner, item });
    if (outer)
        result = 0;
    else if (item)
        assert_int_equal(exact_count(item), inner ? 2 : 1);
    xdecref(item);
    xdecref(inner);
    xdecref(outer);
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
        cmocka_unit_test(test_holds_a_reference_to_each),
        cmocka_unit_test(test_the_last_reference_to_an_item_may_be_its),
        cmocka_unit_test(test_empty),
        cmocka_unit_test(test_equal_by_items),
        cmocka_unit_test(test_hash_of_what_cannot_be_hashed_is_an_error),
        cmocka_unit_test(test_publishing_reaches_the_items),
        cmocka_unit_test(test_repr),
        cmocka_unit_test(test_no_memory_is_an_error),
    };

    return run_attached(tests);
}
