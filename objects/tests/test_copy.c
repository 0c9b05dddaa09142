/* test_copy.c - deep copies. */
#include "objects/cell.h"
#include "objects/class.h"
#include "objects/copy.h"
#include "objects/dict.h"
#include "objects/float.h"
#include "objects/function.h"
#include "objects/int.h"
#include "objects/list.h"
#include "objects/none.h"
#include "objects/str.h"
#include "objects/tests/testing.h"
#include "objects/tuple.h"
#include "objects/weakref.h"

/* A list of one item. */
static struct object *list_of(struct object *item /* steals */)
{
    struct object *list = list_new();

    assert_int_equal(list_append(list, item), 0);
    decref(item);
    return list;
}

/* The item, which the list keeps alive. */
static borrowed peek(borrowed list, size_t index)
{
    struct object *item = list_get(list, index);

    assert_non_null(item);
    decref(item);
    return item;
}

static struct object *nothing(borrowed closure, borrowed const *arguments, size_t count)
{
    (void)closure;
    (void)arguments;
    (void)count;
    return none();
}

static void test_what_need_not_be_copied_is_not(void **state)
{
    struct object *class = class_new("Point", NULL);
    struct object *same[] = {
        int_new(1), float_new(0.5),           str_new("a"),
        none(),     tuple_new(0, NULL),       function_new("nothing", nothing, 0, class),
        class,      weakref_new(class, NULL), tuple_new(1, &class),
    };

    (void)state;
    for (size_t i = 0; i < sizeof same / sizeof *same; i++) {
        struct object *copy = deep_copy(same[i]);

        assert_ptr_equal(copy, same[i]);
        decref(copy);
    }
    for (size_t i = 0; i < sizeof same / sizeof *same; i++)
        decref(same[i]);
}

static void test_what_cannot_be_copied_is_an_error(void **state)
{
    struct object *list = list_of(cell_new(NULL));

    (void)state;
    assert_null(deep_copy(list));
    assert_string_equal(exception_message(exception_pending()), "cannot copy 'cell' object");
    assert_raises(&type_error);
    decref(list);
}

static void test_containers_are_new_all_the_way(void **state)
{
    struct object *number = int_new(1), *inner = list_of(incref(number)), *dict = dict_new();
    struct object *tuple = tuple_new(1, &inner), *key = str_new("k"), *copy, *value;
    int64_t before;

    (void)state;
    dict_set(dict, key, tuple);
    before = live_blocks();
    copy = deep_copy(dict);
    assert_ptr_not_equal(copy, dict);
    value = dict_get(copy, key);
    assert_ptr_equal(type_of(value), &tuple_type);
    assert_ptr_not_equal(value, tuple);
    assert_ptr_not_equal(tuple_get(value, 0), inner);
    assert_ptr_equal(peek(tuple_get(value, 0), 0), number);
    assert_int_equal(list_append(inner, key), 0);
    assert_int_equal(list_length(tuple_get(value, 0)), 1);
    decref(value);
    decref(copy);
    assert_int_equal(live_blocks(), before);
    decref(number);
    decref(inner);
    decref(tuple);
    decref(key);
    decref(dict);
}

static void test_what_was_shared_is_shared_in_the_copy(void **state)
{
    struct object *inner = list_new(), *outer = list_of(incref(inner)), *copy;

    (void)state;
    list_append(outer, inner);
    list_append(outer, inner);
    copy = deep_copy(outer);
    assert_int_equal(list_length(copy), 3);
    assert_ptr_not_equal(peek(copy, 0), inner);
    assert_ptr_equal(peek(copy, 0), peek(copy, 1));
    assert_ptr_equal(peek(copy, 0), peek(copy, 2));
    assert_int_equal(exact_count(peek(copy, 0)), 3);
    assert_int_equal(exact_count(inner), 4);
    decref(copy);
    decref(outer);
    decref(inner);
}

static void test_a_list_in_itself(void **state)
{
    struct object *list = list_new(), *copy;

    (void)state;
    list_append(list, list);
    copy = deep_copy(list);
    assert_ptr_not_equal(copy, list);
    assert_ptr_equal(peek(copy, 0), copy);
    assert_int_equal(exact_count(copy), 2);
    decref(list_pop(list));
    decref(list_pop(copy));
    decref(list);
    decref(copy);
}

/* t = ([t],): the tuple cannot be entered in the memo before its item is copied. */
static void test_a_tuple_in_itself(void **state)
{
    struct object *list = list_new(), *tuple = tuple_new(1, &list), *copy, *copied_list;

    (void)state;
    list_append(list, tuple);
    copy = deep_copy(tuple);
    assert_ptr_not_equal(copy, tuple);
    copied_list = incref(tuple_get(copy, 0));
    assert_ptr_equal(peek(copied_list, 0), copy);
    assert_int_equal(exact_count(copy), 2);
    decref(list_pop(copied_list));
    decref(copied_list);
    decref(copy);
    decref(list_pop(list));
    decref(list);
    decref(tuple);
}

static void test_an_instance_keeps_its_class(void **state)
{
    struct object *class = class_new("Point", NULL), *o = instance_new(class), *copy, *value;
    struct object *items = str_new("items"), *self = str_new("self"), *list = list_new();

    (void)state;
    copy = deep_copy(o);
    assert_null(instance_dict(copy));
    decref(copy);
    attribute_set(o, items, list);
    attribute_set(o, self, o);
    copy = deep_copy(o);
    assert_ptr_equal(instance_class(copy), class);
    value = attribute_get(copy, items);
    assert_ptr_equal(type_of(value), &list_type);
    assert_ptr_not_equal(value, list);
    decref(value);
    value = attribute_get(copy, self);
    assert_ptr_equal(value, copy);
    decref(value);
    attribute_delete(copy, self);
    attribute_delete(o, self);
    decref(copy);
    decref(o);
    decref(class);
    decref(items);
    decref(self);
    decref(list);
}

static struct object *nested(int depth)
{
    struct object *list = list_new();

    for (int i = 1; i < depth; i++)
        list = list_of(list);
    return list;
}

static void test_too_deep_is_an_error(void **state)
{
    struct object *most = nested(COPY_DEPTH_MOST), *more = nested(COPY_DEPTH_MOST + 1), *copy;

    (void)state;
    copy = deep_copy(most);
    assert_non_null(copy);
    decref(copy);
    assert_null(deep_copy(more));
    assert_string_equal(exception_message(exception_pending()), "maximum recursion depth exceeded");
    assert_raises(&runtime_error);
    decref(most);
    decref(more);
}

static void test_wide_is_not_deep(void **state)
{
    struct object *list = list_new(), *copy;

    (void)state;
    for (int i = 0; i < 2 * COPY_DEPTH_MOST; i++) {
        struct object *inner = list_new();

        list_append(list, inner);
        decref(inner);
    }
    copy = deep_copy(list);
    assert_non_null(copy);
    assert_int_equal(list_length(copy), 2 * COPY_DEPTH_MOST);
    decref(copy);
    decref(list);
}

/* ---- threads: one copies a list whose items the others replace, each by a new one ---- */

enum { ITEMS = 64, COPIES = 100 };

static struct object *shared;
static _Atomic bool copied;

static bool replace(uint64_t *chance)
{
    struct object *item = list_new();
    int result = item ? list_set(shared, random_of(chance, ITEMS), item) : -1;

    xdecref(item);
    return result == 0;
}

/* No item stood in two places, so none may in the copy: not even if one was made where
 * another had just died. */
static bool all_different(borrowed list)
{
    for (size_t i = 0; i < ITEMS; i++)
        for (size_t k = 0; k < i; k++)
            if (peek(list, i) == peek(list, k))
                return false;
    return true;
}

static void copy_or_replace(struct thread *t, int index)
{
    uint64_t chance = (uint64_t)index;

    for (int i = 0; index == 0 && i < COPIES; i++) {
        struct object *copy = deep_copy(shared);

        if (!copy || !all_different(copy))
            abort();
        decref(copy);
        safepoint(t);
    }
    if (index == 0)
        atomic_store_explicit(&copied, true, memory_order_relaxed);
    while (!atomic_load_explicit(&copied, memory_order_relaxed)) {
        if (!replace(&chance))
            abort();
        safepoint(t);
    }
}

static void test_what_is_replaced_meanwhile_is_not_confused(void **state)
{
    int64_t before = live_blocks();

    (void)state;
    shared = list_new();
    publish(shared);
    for (int i = 0; i < ITEMS; i++) {
        struct object *item = list_new();

        list_append(shared, item);
        decref(item);
    }
    run_threads(copy_or_replace);
    decref(shared);
    assert_int_equal(live_blocks(), before);
}

static struct object *source; /* of the session: something of everything */

static int session(void)
{
    struct object *copy = deep_copy(source);

    xdecref(copy);
    return copy ? 0 : -1;
}

static void test_no_memory_is_an_error(void **state)
{
    struct object *list = list_new(), *class = class_new("Point", NULL), *o = instance_new(class);
    struct object *key = str_new("k"), *dict = dict_new();

    (void)state;
    attribute_set(o, key, list);
    dict_set(dict, key, o);
    source = tuple_new(3, (struct object *[]){ list, o, dict });
    fail_everywhere(session);
    decref(source);
    decref(list);
    decref(class);
    decref(o);
    decref(key);
    decref(dict);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_what_need_not_be_copied_is_not),
        cmocka_unit_test(test_what_cannot_be_copied_is_an_error),
        cmocka_unit_test(test_containers_are_new_all_the_way),
        cmocka_unit_test(test_what_was_shared_is_shared_in_the_copy),
        cmocka_unit_test(test_a_list_in_itself),
        cmocka_unit_test(test_a_tuple_in_itself),
        cmocka_unit_test(test_an_instance_keeps_its_class),
        cmocka_unit_test(test_too_deep_is_an_error),
        cmocka_unit_test(test_wide_is_not_deep),
        cmocka_unit_test(test_what_is_replaced_meanwhile_is_not_confused),
        cmocka_unit_test(test_no_memory_is_an_error),
    };

    return run_attached(tests);
}
