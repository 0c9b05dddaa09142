/* test_set.c - keys, each once. */
#include "objects/int.h"
#include "objects/list.h"
#include "objects/none.h"
#include "objects/set.h"
#include "objects/str.h"
#include "objects/tests/testing.h"

enum { KEYS = 24, STEPS = 6000, ROUNDS = 2000, OWN_KEYS = 300, MANY = 50000 };

/* One of a few equal keys, made anew, as a program would. */
static struct object *key_of(size_t number)
{
    char text[16];

    if (number % 2)
        return int_new((int64_t)number);
    snprintf(text, sizeof text, "key%d", (int)number);
    return str_new(text);
}

static void test_each_operation_counts_exactly(void **state)
{
    struct object *set = set_new(), *key = str_new("k"), *same = str_new("k"), *found;
    size_t cursor = 0;

    (void)state;
    assert_int_equal(set_contains(set, key), 0);
    assert_int_equal(set_discard(set, key), 0);
    assert_int_equal(set_add(set, key), 0);
    assert_int_equal(set_add(set, same), 0); /* the first key stays */
    assert_int_equal(exact_count(key), 2);
    assert_int_equal(exact_count(same), 1);
    assert_int_equal(set_length(set), 1);
    assert_int_equal(set_contains(set, same), 1);
    found = set_next(set, &cursor);
    assert_ptr_equal(found, key);
    assert_int_equal(exact_count(key), 3);
    decref(found);
    assert_null(set_next(set, &cursor));
    assert_int_equal(set_discard(set, same), 1);
    assert_int_equal(set_length(set), 0);
    assert_int_equal(exact_count(key), 1);
    set_add(set, key);
    decref(set);
    assert_int_equal(exact_count(key), 1);
    decref(key);
    decref(same);
}

static void test_a_key_without_hash_is_an_error(void **state)
{
    struct object *set = set_new(), *list = list_new();

    (void)state;
    assert_int_equal(set_add(set, list), -1);
    assert_raises(&type_error);
    assert_int_equal(set_contains(set, list), -1);
    assert_raises(&type_error);
    assert_int_equal(set_discard(set, set), -1);
    assert_raises(&type_error);
    assert_int_equal(set_length(set), 0);
    decref(list);
    decref(set);
}

static void test_random_operations_agree_with_an_array(void **state)
{
    struct object *set = set_new(), *found;
    bool model[KEYS] = { false };
    size_t length = 0, cursor = 0;

    (void)state;
    seed_random();
    for (int step = 0; step < STEPS; step++) {
        size_t number = random_below(KEYS);
        struct object *key = key_of(number);
        bool adds = random_below(5) < (uint64_t)(step / 500 % 2 ? 1 : 3);

        assert_int_equal(set_contains(set, key), model[number]);
        assert_int_equal(adds ? set_add(set, key) : set_discard(set, key), !adds && model[number]);
        length += (size_t)adds - (size_t)model[number];
        model[number] = adds;
        assert_int_equal(set_length(set), length);
        decref(key);
    }
    while ((found = set_next(set, &cursor))) {
        length--;
        decref(found);
    }
    assert_int_equal(length, 0);
    decref(set);
}

/* So many that slots of the index have 1, 2 and then 4 bytes. */
static void test_many_keys(void **state)
{
    struct object *set = set_new();

    (void)state;
    for (int64_t i = 0; i < MANY; i++) {
        struct object *key = int_new(i);

        assert_int_equal(set_add(set, key), 0);
        decref(key);
    }
    assert_int_equal(set_length(set), MANY);
    for (int64_t i = 0; i < 2 * MANY; i++) {
        struct object *key = int_new(i);

        assert_int_equal(set_contains(set, key), i < MANY);
        decref(key);
    }
    decref(set);
}

static void test_a_cleared_set_is_whole_and_empty(void **state)
{
    struct object *set = set_new(), *key = int_new(1);

    (void)state;
    for (int round = 0; round < 2; round++) { /* as it was made, then published */
        type_of(set)->clear(set);
        set_add(set, key);
        type_of(set)->clear(set);
        assert_int_equal(exact_count(key), 1);
        assert_int_equal(set_length(set), 0);
        assert_int_equal(held_by(set), 0);
        set_add(set, key);
        assert_int_equal(set_contains(set, key), 1);
        publish(set);
    }
    decref(set);
    decref(key);
}

static int session(void)
{
    struct object *set = set_new();
    int result = set ? 0 : -1;

    for (int64_t i = 0; result == 0 && i < KEYS; i++) {
        struct object *key = int_new(i);

        result = key ? set_add(set, key) : -1;
        if (result < 0)
            assert_int_equal(set_length(set), i);
        xdecref(key);
    }
    xdecref(set);
    return result;
}

static void test_no_memory_is_an_error_and_changes_nothing(void **state)
{
    (void)state;
    fail_everywhere(session);
}

static struct object *set; /* for the threads; owned by the test */
static _Atomic int mishaps;

/* Whatever others do to the set: of its own keys each thread knows which are there. */
static void keep_own_keys(struct thread *t, int index)
{
    bool model[OWN_KEYS] = { false };
    uint64_t random = test_seed + (uint64_t)index * 2 + 1;

    for (int i = 0; i < ROUNDS; i++) {
        size_t number = random_of(&random, OWN_KEYS);
        struct object *key = key_of(number * TEST_THREADS + (size_t)index);
        bool adds = random_of(&random, 2);

        if (set_contains(set, key) != model[number] ||
            (adds ? set_add(set, key) != 0 : set_discard(set, key) != model[number]))
            atomic_fetch_add_explicit(&mishaps, 1, memory_order_relaxed);
        model[number] = adds;
        decref(key);
        safepoint(t);
    }
}

static void test_each_thread_finds_its_own_keys(void **state)
{
    int64_t before = live_blocks();

    (void)state;
    seed_random();
    set = set_new();
    publish(set);
    run_threads(keep_own_keys);
    assert_int_equal(mishaps, 0);
    decref(set);
    assert_int_equal(live_blocks(), before);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_each_operation_counts_exactly),
        cmocka_unit_test(test_a_key_without_hash_is_an_error),
        cmocka_unit_test(test_random_operations_agree_with_an_array),
        cmocka_unit_test(test_many_keys),
        cmocka_unit_test(test_a_cleared_set_is_whole_and_empty),
        cmocka_unit_test(test_no_memory_is_an_error_and_changes_nothing),
        cmocka_unit_test(test_each_thread_finds_its_own_keys),
    };

    return run_attached(tests);
}
