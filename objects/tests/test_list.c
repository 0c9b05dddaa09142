/* test_list.c - a row of objects that grows. */
#include "objects/bool.h"
#include "objects/int.h"
#include "objects/list.h"
#include "objects/none.h"
#include "objects/section.h"
#include "objects/tests/testing.h"

enum { SHARED = 8, HELD = 1000, ROUNDS = 2000, STEPS = 4000, MODEL_MAX = 64 };

static void assert_item(borrowed list, size_t index, borrowed expected)
{
    struct object *item = list_get(list, index);

    assert_ptr_equal(item, expected);
    decref(item);
}

static void test_each_operation_counts_exactly(void **state)
{
    struct object *list = list_new(), *a = int_new(1), *b = int_new(2), *item;

    (void)state;
    assert_int_equal(exact_count(list), 1);
    assert_int_equal(list_append(list, a), 0);
    assert_int_equal(list_append(list, a), 0);
    assert_int_equal(exact_count(a), 3);
    item = list_get(list, 1);
    assert_ptr_equal(item, a);
    assert_int_equal(exact_count(a), 4);
    decref(item);
    assert_int_equal(list_set(list, 0, b), 0);
    assert_int_equal(exact_count(a), 2);
    assert_int_equal(exact_count(b), 2);
    assert_int_equal(list_set(list, 0, b), 0); /* by itself */
    assert_int_equal(exact_count(b), 2);
    assert_int_equal(held_by(list), 2);
    item = list_pop(list);
    assert_ptr_equal(item, a);
    assert_int_equal(exact_count(a), 2);
    decref(item);
    assert_int_equal(list_length(list), 1);
    decref(list);
    assert_int_equal(exact_count(a), 1);
    assert_int_equal(exact_count(b), 1);
    decref(a);
    decref(b);
}

static void test_a_bad_index_is_an_error_and_changes_nothing(void **state)
{
    struct object *list = list_new(), *a = int_new(1);

    (void)state;
    assert_null(list_get(list, 0));
    assert_raises(&index_error);
    assert_null(list_pop(list));
    assert_string_equal(exception_message(exception_pending()), "pop from empty list");
    assert_raises(&index_error);
    assert_int_equal(list_set(list, 0, a), -1);
    assert_raises(&index_error);
    list_append(list, a);
    assert_null(list_get(list, 1));
    assert_raises(&index_error);
    assert_null(list_get(list, SIZE_MAX));
    assert_raises(&index_error);
    assert_int_equal(list_set(list, 1, a), -1);
    assert_raises(&index_error);
    assert_int_equal(exact_count(a), 2);
    assert_int_equal(list_length(list), 1);
    decref(list);
    decref(a);
}

static void test_holds_what_is_not_counted(void **state)
{
    struct object *list = list_new();

    (void)state;
    for (int i = 0; i < 10; i++)
        assert_int_equal(list_append(list, none()), 0);
    assert_item(list, 9, none());
    decref(list);
}

static void test_is_equal_to_itself_only_and_has_no_hash(void **state)
{
    struct object *a = list_new(), *b = list_new();
    uint64_t hash;

    (void)state;
    assert_true(object_equal(a, a));
    assert_false(object_equal(a, b));
    assert_int_equal(object_hash(a, &hash), -1);
    assert_raises(&type_error);
    assert_repr(a, "<list object>");
    decref(a);
    decref(b);
}

/* Ints from a small set go in and out at random; an array of pointers does the same. */
static void test_random_operations_agree_with_an_array(void **state)
{
    struct object *list = list_new(), *pool[SHARED], *model[MODEL_MAX];
    size_t length = 0;

    (void)state;
    seed_random();
    for (size_t i = 0; i < SHARED; i++)
        pool[i] = int_new((int64_t)i);
    for (int step = 0; step < STEPS; step++) {
        struct object *item = pool[random_below(SHARED)];
        size_t index = random_below(MODEL_MAX);
        int64_t copies = 1;

        switch (random_below(4)) {
        case 0:
            if (length < MODEL_MAX) {
                assert_int_equal(list_append(list, item), 0);
                model[length++] = item;
            }
            break;
        case 1:
            if (length > 0) {
                struct object *last = list_pop(list);

                assert_ptr_equal(last, model[--length]);
                decref(last);
            }
            break;
        case 2:
            assert_int_equal(list_set(list, index, item), index < length ? 0 : -1);
            if (index < length)
                model[index] = item;
            exception_restore(NULL);
            break;
        default:
            if (index < length)
                assert_item(list, index, model[index]);
        }
        assert_int_equal(list_length(list), length);
        for (size_t i = 0; i < length; i++)
            copies += model[i] == item;
        assert_int_equal(exact_count(item), copies);
    }
    decref(list);
    for (size_t i = 0; i < SHARED; i++) {
        assert_int_equal(exact_count(pool[i]), 1);
        decref(pool[i]);
    }
}

/* An append that fails leaves the list as it was. */
static int append_or_leave(borrowed list, borrowed item)
{
    size_t length = list_length(list);

    if (list_append(list, item) == 0)
        return 0;
    assert_int_equal(list_length(list), length);
    assert_int_equal(exact_count(item), 1 + (int64_t)length);
    for (size_t i = 0; i < length; i++)
        assert_item(list, i, item);
    return -1;
}

static int session(void)
{
    struct object *list = list_new(), *item = list ? int_new(1) : NULL, *popped = NULL;

    for (int i = 0; item && i < 20; i++)
        if (append_or_leave(list, item) < 0)
            break;
    if (item && list_length(list) == 20)
        popped = list_pop(list);
    xdecref(list);
    xdecref(item);
    xdecref(popped);
    return popped ? 0 : -1;
}

static void test_no_memory_is_an_error_and_changes_nothing(void **state)
{
    (void)state;
    fail_everywhere(session);
}

static void test_a_published_list_publishes_what_is_put_in(void **state)
{
    struct object *list = list_new(), *first = int_new(1), *second = int_new(2),
                  *third = int_new(3);

    (void)state;
    list_append(list, first);
    assert_false(published(first));
    publish(list);
    assert_true(published(first));
    list_append(list, second);
    assert_true(published(second));
    list_set(list, 0, third);
    assert_true(published(third));
    decref(list);
    decref(first);
    decref(second);
    decref(third);
}

/* Runs when the item's last reference goes: appends to the list, which must be whole,
 * and unlocked. */
static void append_none(void *list)
{
    assert_int_equal(list_append(list, none()), 0);
}

static void test_a_destructor_may_use_the_list(void **state)
{
    struct object *list = list_new(), *item = probe_new(append_none, list);

    (void)state;
    list_append(list, item);
    decref(item);
    assert_int_equal(list_set(list, 0, none()), 0);
    rc_quiesce();
    assert_int_equal(list_length(list), 2);
    decref(list);
}

/* So does one that runs because an exception replaces the pending one, which may be the
 * last reference to anything. */
static void test_errors_are_set_outside_the_section(void **state)
{
    struct object *list = list_new();

    (void)state;
    exception_restore(probe_new(append_none, list));
    assert_null(list_get(list, 7));
    rc_quiesce();
    assert_int_equal(list_length(list), 1);
    assert_raises(&index_error);
    exception_restore(probe_new(append_none, list));
    fail_allocation(1);
    while (list_append(list, none()) == 0) /* until it is full */
        ;
    assert_raises(&memory_error);
    rc_quiesce();
    assert_item(list, list_length(list) - 1, none());
    decref(list);
}

/* Even if somebody else keeps it alive, so that it could still be counted. */
static void test_a_popped_item_is_not_found(void **state)
{
    struct object *list = list_new(), *item = int_new(1), *popped;

    (void)state;
    list_append(list, item);
    publish(list);
    popped = list_pop(list);
    assert_ptr_equal(popped, item);
    assert_null(list_get(list, 0));
    assert_raises(&index_error);
    decref(popped);
    decref(item);
    decref(list);
}

static void test_a_cleared_list_is_whole_and_empty(void **state)
{
    struct object *list = list_new(), *item = int_new(1);

    (void)state;
    for (int round = 0; round < 2; round++) { /* as it was made, then published */
        type_of(list)->clear(list);
        list_append(list, item);
        type_of(list)->clear(list);
        assert_int_equal(exact_count(item), 1);
        assert_int_equal(list_length(list), 0);
        assert_int_equal(held_by(list), 0);
        assert_null(list_get(list, 0));
        assert_raises(&index_error);
        list_append(list, item);
        assert_item(list, 0, item);
        publish(list);
    }
    decref(list);
    decref(item);
}

static struct object *list, *shared[SHARED]; /* for the threads; owned by the test */

/* Appends new ints and shared ones, replaces, reads and pops, at random. */
static void use_list(struct thread *t, int index)
{
    uint64_t random = test_seed + (uint64_t)index * 2 + 1;

    for (int i = 0; i < ROUNDS; i++) {
        struct object *item = NULL;

        switch (random_of(&random, 5)) {
        case 0:
            item = int_new(i);
            list_append(list, item);
            break;
        case 1:
            list_append(list, shared[random_of(&random, SHARED)]);
            break;
        case 2:
            list_set(list, random_of(&random, 8), shared[random_of(&random, SHARED)]);
            break;
        case 3:
            item = list_get(list, random_of(&random, 8));
            if (item)
                assert(int_value(item) >= 0);
            break;
        default:
            item = list_pop(list);
        }
        xdecref(item);
        exception_restore(NULL); /* an index may have been out of range */
        safepoint(t);
    }
}

static void test_threads_share_a_list(void **state)
{
    int64_t before = live_blocks(), copies[SHARED] = { 0 };

    (void)state;
    seed_random();
    list = list_new();
    for (size_t i = 0; i < SHARED; i++) {
        shared[i] = int_new((int64_t)i);
        publish(shared[i]);
    }
    publish(list);
    run_threads(use_list);
    rc_quiesce();
    for (size_t i = 0; i < list_length(list); i++) {
        struct object *item = list_get(list, i);
        bool is_shared = int_value(item) < SHARED && shared[int_value(item)] == item;

        if (is_shared)
            copies[int_value(item)]++;
        else
            assert_int_equal(exact_count(item), 2);
        decref(item);
    }
    for (size_t i = 0; i < SHARED; i++)
        assert_int_equal(exact_count(shared[i]), 1 + copies[i]);
    decref(list);
    for (size_t i = 0; i < SHARED; i++) {
        assert_int_equal(exact_count(shared[i]), 1);
        decref(shared[i]);
    }
    assert_int_equal(live_blocks(), before);
}

/* Each appends its own: none may be lost, and each thread's stay in its order. */
static void append_own(struct thread *t, int index)
{
    for (int i = 0; i < ROUNDS; i++) {
        struct object *item = int_new((int64_t)index * ROUNDS + i);

        if (list_append(list, item) < 0)
            abort();
        decref(item);
        safepoint(t);
    }
}

static void test_threads_append_without_loss(void **state)
{
    int next[TEST_THREADS] = { 0 };

    (void)state;
    list = list_new();
    publish(list);
    run_threads(append_own);
    assert_int_equal(list_length(list), TEST_THREADS * ROUNDS);
    for (size_t i = 0; i < TEST_THREADS * ROUNDS; i++) {
        struct object *item = list_get(list, i);
        int64_t value = int_value(item);

        assert_int_equal(value % ROUNDS, next[value / ROUNDS]++);
        decref(item);
    }
    decref(list);
}

static void test_extends_by_another_list_and_by_itself(void **state)
{
    struct object *a = list_new(), *b = list_new(), *one = int_new(1), *two = int_new(2);

    (void)state;
    assert_int_equal(list_extend(a, b), 0);
    assert_int_equal(list_length(a), 0);
    assert_int_equal(list_append(a, one), 0);
    assert_int_equal(list_append(b, two), 0);
    assert_int_equal(list_append(b, none()), 0);
    publish(a);
    assert_int_equal(list_extend(a, b), 0);
    assert_true(published(two));
    assert_int_equal(list_extend(a, a), 0);
    assert_int_equal(list_length(a), 6);
    assert_int_equal(list_length(b), 2);
    for (size_t i = 0; i < 6; i++)
        assert_item(a, i, i % 3 == 0 ? one : i % 3 == 1 ? two : none());
    assert_int_equal(exact_count(one), 3);
    assert_int_equal(exact_count(two), 4);
    decref(a);
    decref(b);
    decref(one);
    decref(two);
}

/* What has been appended when the memory ends stays. */
static int extend_session(void)
{
    struct object *a = list_new(), *b = list_new();
    int result = a && b ? 0 : -1;

    for (int i = 0; result == 0 && i < 20; i++)
        result = list_append(b, none());
    if (result == 0) {
        result = list_extend(a, b);
        if (result == 0)
            assert_int_equal(list_length(a), 20);
        else
            assert_in_range(list_length(a), 0, 19);
    }
    xdecref(a);
    xdecref(b);
    return result;
}

static void test_no_memory_ends_an_extension(void **state)
{
    (void)state;
    fail_everywhere(extend_session);
}

/* Threads that extend two lists by each other, in both orders. The items stand in pairs,
 * and are taken and given in pairs: who sees half of a pair has seen half of a step. */
static struct object *pairs[2]; /* owned */

static void extend_crosswise(struct thread *t, int index)
{
    borrowed a = pairs[index % 2], b = pairs[(index + 1) % 2];

    for (int i = 0; i < ROUNDS; i++) {
        struct section s;

        if (list_extend(a, b) < 0)
            abort();
        section_begin(&s, a);
        if (list_length(a) % 2)
            abort();
        while (list_length(a) > 2)
            decref(list_pop(a));
        section_end(&s);
        safepoint(t);
    }
}

static void test_threads_extend_two_lists_by_each_other(void **state)
{
    (void)state;
    for (int i = 0; i < 2; i++) {
        pairs[i] = list_new();
        list_append(pairs[i], truth(i));
        list_append(pairs[i], truth(i));
        publish(pairs[i]);
    }
    run_threads(extend_crosswise);
    for (int i = 0; i < 2; i++) {
        assert_int_equal(list_length(pairs[i]), 2);
        decref(pairs[i]);
    }
}

static _Atomic int mishaps;

/* Whatever others do to the list, which grows meanwhile: each thread alone replaces the item
 * of its own place. */
static void keep_own_place(struct thread *t, int index)
{
    struct object *before = none();

    for (int i = 0; i < ROUNDS; i++) {
        struct object *item = int_new(i), *found = list_get(list, (size_t)index);

        if (found != before || list_set(list, (size_t)index, item) || list_append(list, item))
            atomic_fetch_add_explicit(&mishaps, 1, memory_order_relaxed);
        xdecref(found);
        decref(item); /* the list holds it */
        before = item;
        safepoint(t);
    }
}

static void test_each_thread_finds_its_own_item(void **state)
{
    int64_t before = live_blocks();

    (void)state;
    list = list_new();
    for (int i = 0; i < TEST_THREADS; i++)
        list_append(list, none());
    publish(list);
    run_threads(keep_own_place);
    assert_int_equal(mishaps, 0);
    decref(list);
    assert_int_equal(live_blocks(), before);
}

/* What two threads that nothing protects may do: replace and read slots. With `plain`
 * the items are such as nobody counts; else counts must come out right, since each old
 * item is dropped once. The test holds references, so that no count comes near zero. */
static void race_on_slots(struct thread *t, int index)
{
    uint64_t random = test_seed + (uint64_t)index * 2 + 1;

    for (int i = 0; i < ROUNDS; i++) {
        decref(list_get(list, random_of(&random, 2)));
        list_set(list, random_of(&random, 2), shared[random_of(&random, SHARED)]);
        safepoint(t);
    }
}

static void test_unprotected_threads_keep_the_table(void **state)
{
    (void)state;
    seed_random();
    list = list_new();
    for (size_t i = 0; i < SHARED; i++) {
        shared[i] = RC_NEEDS_GIL ? truth(i % 2) : int_new((int64_t)i);
        for (int held = 0; held < HELD; held++)
            incref(shared[i]);
    }
    list_append(list, shared[0]);
    list_append(list, shared[1]);
    publish(list);
    for (size_t i = 2; i < SHARED; i++)
        publish(shared[i]);
    run_threads_unprotected(race_on_slots);
    assert_int_equal(list_length(list), 2);
    for (size_t i = 0; i < 2; i++) {
        struct object *item = list_get(list, i);
        size_t number = 0;

        while (shared[number] != item) {
            number++;
            assert_in_range(number, 0, SHARED - 1);
        }
        decref(item);
    }
    decref(list);
    for (size_t i = 0; i < SHARED; i++) {
        if (!RC_NEEDS_GIL)
            assert_int_equal(exact_count(shared[i]), HELD + 1);
        for (int held = 0; held <= HELD; held++)
            decref(shared[i]);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_each_operation_counts_exactly),
        cmocka_unit_test(test_a_bad_index_is_an_error_and_changes_nothing),
        cmocka_unit_test(test_holds_what_is_not_counted),
        cmocka_unit_test(test_is_equal_to_itself_only_and_has_no_hash),
        cmocka_unit_test(test_random_operations_agree_with_an_array),
        cmocka_unit_test(test_no_memory_is_an_error_and_changes_nothing),
        cmocka_unit_test(test_a_published_list_publishes_what_is_put_in),
        cmocka_unit_test(test_a_destructor_may_use_the_list),
        cmocka_unit_test(test_errors_are_set_outside_the_section),
        cmocka_unit_test(test_a_popped_item_is_not_found),
        cmocka_unit_test(test_a_cleared_list_is_whole_and_empty),
        cmocka_unit_test(test_threads_share_a_list),
        cmocka_unit_test(test_each_thread_finds_its_own_item),
        cmocka_unit_test(test_threads_append_without_loss),
        cmocka_unit_test(test_extends_by_another_list_and_by_itself),
        cmocka_unit_test(test_no_memory_ends_an_extension),
        cmocka_unit_test(test_threads_extend_two_lists_by_each_other),
        cmocka_unit_test(test_unprotected_threads_keep_the_table),
    };

    return run_attached(tests);
}
