/* test_dict.c - from keys to values. */
#include "objects/bool.h"
#include "objects/dict.h"
#include "objects/float.h"
#include "objects/int.h"
#include "objects/list.h"
#include "objects/none.h"
#include "objects/str.h"
#include "objects/tests/testing.h"
#include "objects/tuple.h"

enum { SHARED = 8, HELD = 1000, KEYS = 24, ROUNDS = 2000, STEPS = 6000, OWN_KEYS = 300 };

static void assert_value(borrowed dict, borrowed key, borrowed expected)
{
    struct object *value = dict_get(dict, key);

    assert_ptr_equal(value, expected);
    decref(value);
}

static void test_each_operation_counts_exactly(void **state)
{
    struct object *dict = dict_new(), *a = int_new(1), *b = int_new(2), *key = str_new("k");
    struct object *same = str_new("k"), *value;

    (void)state;
    assert_int_equal(dict_set(dict, key, a), 0);
    assert_int_equal(exact_count(key), 2);
    assert_int_equal(exact_count(a), 2);
    value = dict_get(dict, same);
    assert_ptr_equal(value, a);
    assert_int_equal(exact_count(a), 3);
    decref(value);
    assert_int_equal(dict_set(dict, same, b), 0); /* the first key stays */
    assert_int_equal(exact_count(a), 1);
    assert_int_equal(exact_count(b), 2);
    assert_int_equal(exact_count(key), 2);
    assert_int_equal(exact_count(same), 1);
    assert_int_equal(dict_set(dict, key, b), 0); /* by itself */
    assert_int_equal(exact_count(b), 2);
    assert_int_equal(dict_contains(dict, same), 1);
    assert_int_equal(dict_length(dict), 1);
    assert_int_equal(held_by(dict), 2);
    assert_int_equal(dict_delete(dict, same), 0);
    assert_int_equal(dict_length(dict), 0);
    assert_int_equal(exact_count(key), 1);
    assert_int_equal(exact_count(b), 1);
    assert_int_equal(held_by(dict), 0);
    dict_set(dict, key, key);
    assert_int_equal(exact_count(key), 3);
    decref(dict);
    assert_int_equal(exact_count(key), 1);
    decref(key);
    decref(same);
    decref(a);
    decref(b);
}

static void test_a_missing_key_is_an_error_and_changes_nothing(void **state)
{
    struct object *dict = dict_new(), *key = int_new(7), *other = int_new(8);

    (void)state;
    for (int round = 0; round < 2; round++) { /* empty, then with another key */
        assert_null(dict_get(dict, key));
        assert_string_equal(exception_message(exception_pending()), "7");
        assert_raises(&key_error);
        assert_int_equal(dict_delete(dict, key), -1);
        assert_raises(&key_error);
        assert_int_equal(dict_contains(dict, key), 0);
        assert_null(exception_pending());
        assert_int_equal(exact_count(key), 1);
        dict_set(dict, other, other);
    }
    assert_int_equal(dict_length(dict), 1);
    decref(dict);
    decref(key);
    decref(other);
}

static void test_find_raises_nothing_if_there_is_no_such_key(void **state)
{
    struct object *dict = dict_new(), *key = int_new(7), *value = NULL;

    (void)state;
    assert_int_equal(dict_find(dict, key, &value), 0);
    assert_null(exception_pending());
    assert_int_equal(dict_find(dict, dict, &value), -1);
    assert_raises(&type_error);
    dict_set(dict, key, key);
    assert_int_equal(dict_find(dict, key, &value), 1);
    assert_ptr_equal(value, key);
    assert_int_equal(exact_count(key), 4);
    decref(value);
    decref(dict);
    decref(key);
}

static void test_a_key_without_hash_is_an_error(void **state)
{
    struct object *dict = dict_new(), *list = list_new(), *tuple = tuple_new(1, &list), *value;

    (void)state;
    value = int_new(1);
    assert_int_equal(dict_set(dict, list, value), -1);
    assert_raises(&type_error);
    assert_int_equal(dict_set(dict, tuple, value), -1);
    assert_raises(&type_error);
    assert_null(dict_get(dict, list));
    assert_raises(&type_error);
    assert_int_equal(dict_contains(dict, dict), -1);
    assert_raises(&type_error);
    assert_int_equal(dict_delete(dict, tuple), -1);
    assert_raises(&type_error);
    assert_int_equal(exact_count(value), 1);
    assert_int_equal(exact_count(list), 2);
    assert_int_equal(dict_length(dict), 0);
    decref(value);
    decref(tuple);
    decref(list);
    decref(dict);
}

static void test_keys_of_all_types(void **state)
{
    struct object *keys[] = { none(),
                              truth(true),
                              truth(false),
                              int_new(1),
                              float_new(1),
                              str_new("1"),
                              tuple_new(1, (struct object *[]){ none() }) };
    struct object *dict = dict_new();

    (void)state;
    for (size_t i = 0; i < sizeof keys / sizeof *keys; i++)
        assert_int_equal(dict_set(dict, keys[i], keys[i]), 0);
    assert_int_equal(dict_length(dict), sizeof keys / sizeof *keys);
    for (size_t i = 0; i < sizeof keys / sizeof *keys; i++) {
        assert_value(dict, keys[i], keys[i]);
        decref(keys[i]);
    }
    decref(dict);
}

/* A key whose hash is what the test wants, in a table of which it then fills one run of
 * slots; equal only to itself. */
struct colliding {
    struct object head;
    uint64_t hash;
};

static int colliding_hash(borrowed o, uint64_t *hash)
{
    *hash = ((const struct colliding *)o)->hash;
    return 0;
}

static const struct type colliding_type = {
    .name = "colliding",
    .size_bytes = sizeof(struct colliding),
    .hash = colliding_hash,
};

static struct object *colliding_new(uint64_t hash)
{
    struct object *o = object_new(&colliding_type, sizeof(struct colliding));

    assert_non_null(o);
    ((struct colliding *)o)->hash = hash;
    return o;
}

static void test_colliding_keys_are_told_apart(void **state)
{
    struct object *dict = dict_new(), *keys[KEYS];

    (void)state;
    for (size_t i = 0; i < KEYS; i++) { /* the last slot, so that searches go round the end */
        keys[i] = colliding_new(i % 2 ? UINT64_MAX : UINT64_MAX >> 1);
        dict_set(dict, keys[i], keys[i]);
    }
    for (size_t i = 0; i < KEYS; i += 3)
        assert_int_equal(dict_delete(dict, keys[i]), 0);
    for (size_t i = 0; i < KEYS; i++) {
        assert_int_equal(dict_contains(dict, keys[i]), i % 3 != 0);
        if (i % 3)
            assert_value(dict, keys[i], keys[i]);
    }
    decref(dict);
    for (size_t i = 0; i < KEYS; i++) {
        assert_int_equal(exact_count(keys[i]), 1);
        decref(keys[i]);
    }
}

static void test_iterates_in_the_order_in_which_keys_came(void **state)
{
    static const int64_t order[] = { 30, 10, 20, 40, 5, 7, 8, 9, 50 };
    static const int64_t after[] = { 30, 20, 40, 5, 7, 8, 9, 50, 10 };
    struct object *dict = dict_new(), *key, *value;
    size_t cursor = 0, seen = 0;

    (void)state;
    for (size_t i = 0; i < sizeof order / sizeof *order; i++) {
        key = int_new(order[i]);
        dict_set(dict, key, none());
        decref(key);
    }
    key = int_new(10);
    dict_delete(dict, key);
    dict_set(dict, key, none()); /* comes last now */
    decref(key);
    key = int_new(20);
    dict_set(dict, key, truth(true)); /* keeps its place */
    decref(key);
    while (dict_next(dict, &cursor, &key, &value)) {
        assert_int_equal(exact_count(key), 2);
        assert_int_equal(int_value(key), after[seen++]);
        assert_ptr_equal(value, int_value(key) == 20 ? truth(true) : none());
        decref(key);
        decref(value);
    }
    assert_int_equal(seen, sizeof after / sizeof *after);
    decref(dict);
}

/* Keys come and go, ten times as many as are ever there at once: the table must forget
 * the deleted ones, and once there is room for all it grows no more. */
static void test_deleted_keys_do_not_fill_the_table(void **state)
{
    struct object *dict = dict_new();
    int64_t enough = 0;

    (void)state;
    for (int64_t i = 0; i < 10 * KEYS; i++) {
        struct object *key = int_new(i), *old = int_new(i - KEYS);

        assert_int_equal(dict_set(dict, key, key), 0);
        if (i >= KEYS) {
            assert_int_equal(dict_delete(dict, old), 0);
            assert_int_equal(dict_length(dict), KEYS);
            assert_int_equal(dict_contains(dict, old), 0);
        }
        decref(key);
        decref(old);
        if (i == 2 * KEYS)
            enough = live_bytes();
    }
    assert_int_equal(live_bytes(), enough);
    decref(dict);
}

/* One of a few equal keys, made anew, as a program would. */
static struct object *key_of(size_t number)
{
    char text[16];

    if (number % 2)
        return int_new((int64_t)number);
    snprintf(text, sizeof text, "key%d", (int)number);
    return str_new(text);
}

static void assert_agrees(borrowed dict, struct object *const *model, size_t number, borrowed item)
{
    struct object *key = key_of(number);
    int64_t copies = 1;
    size_t length = 0;

    for (size_t i = 0; i < KEYS; i++) {
        copies += model[i] == item;
        length += model[i] != NULL;
    }
    assert_int_equal(dict_length(dict), length);
    assert_int_equal(exact_count(item), copies);
    assert_int_equal(dict_contains(dict, key), model[number] != NULL);
    if (model[number])
        assert_value(dict, key, model[number]);
    decref(key);
}

/* An array that a number indexes does what the dict does. */
static void test_random_operations_agree_with_an_array(void **state)
{
    struct object *dict = dict_new(), *pool[SHARED], *model[KEYS] = { NULL };

    (void)state;
    seed_random();
    for (size_t i = 0; i < SHARED; i++)
        pool[i] = int_new((int64_t)i);
    for (int step = 0; step < STEPS; step++) {
        struct object *item = pool[random_below(SHARED)];
        size_t number = random_below(KEYS);
        struct object *key = key_of(number);

        if (random_below(5) < (uint64_t)(step / 500 % 2 ? 1 : 3)) { /* it grows, it shrinks ... */
            assert_int_equal(dict_set(dict, key, item), 0);
            model[number] = item;
        } else {
            assert_int_equal(dict_delete(dict, key), model[number] ? 0 : -1);
            model[number] = NULL;
            exception_restore(NULL);
        }
        decref(key);
        assert_agrees(dict, model, random_below(KEYS), item);
    }
    decref(dict);
    for (size_t i = 0; i < SHARED; i++) {
        assert_int_equal(exact_count(pool[i]), 1);
        decref(pool[i]);
    }
}

static int set_or_leave(borrowed dict, int64_t number, borrowed value)
{
    struct object *key = int_new(number);
    size_t length = dict_length(dict);
    int result;

    if (!key)
        return -1;
    result = dict_set(dict, key, value);
    if (result < 0) {
        assert_int_equal(exact_count(key), 1);
        assert_int_equal(exact_count(value), 1 + (int64_t)length);
        assert_int_equal(dict_length(dict), length);
        assert_int_equal(dict_contains(dict, key), 0);
        assert_int_equal(held_by(dict), 2 * length);
    }
    decref(key);
    return result;
}

static int session(void)
{
    struct object *dict = dict_new(), *value = dict ? int_new(1) : NULL;
    int result = value ? 0 : -1;

    for (int64_t i = 0; result == 0 && i < KEYS; i++)
        result = set_or_leave(dict, i, value);
    xdecref(dict);
    xdecref(value);
    return result;
}

static void test_no_memory_is_an_error_and_changes_nothing(void **state)
{
    (void)state;
    fail_everywhere(session);
}

static void test_a_published_dict_publishes_what_is_put_in(void **state)
{
    struct object *dict = dict_new(), *key = int_new(1), *value = int_new(2);
    struct object *new_key = int_new(3), *new_value = int_new(4);

    (void)state;
    dict_set(dict, key, value);
    publish(dict);
    assert_true(published(key) && published(value));
    dict_set(dict, new_key, new_value);
    assert_true(published(new_key) && published(new_value));
    decref(dict);
    decref(key);
    decref(value);
    decref(new_key);
    decref(new_value);
}

/* Runs when a value's last reference goes: adds to the dict, which must be whole, and
 * unlocked. */
static void add_none(void *dict)
{
    assert_int_equal(dict_set(dict, none(), none()), 0);
}

static void test_a_destructor_may_use_the_dict(void **state)
{
    struct object *dict = dict_new(), *key = int_new(1);

    (void)state;
    for (int round = 0; round < 2; round++) { /* replaced, then deleted */
        struct object *value = probe_new(add_none, dict);

        assert_int_equal(dict_set(dict, key, value), 0);
        decref(value);
        assert_int_equal(round ? dict_delete(dict, key) : dict_set(dict, key, none()), 0);
        rc_quiesce();
        assert_int_equal(dict_contains(dict, none()), 1);
        assert_int_equal(dict_delete(dict, none()), 0);
    }
    decref(key);
    decref(dict);
}

/* An exception replaces the pending one, which may be the last reference to anything. */
static void test_errors_are_set_outside_the_section(void **state)
{
    struct object *dict = dict_new(), *key = int_new(1);

    (void)state;
    exception_restore(probe_new(add_none, dict));
    assert_null(dict_get(dict, key));
    rc_quiesce();
    assert_int_equal(dict_length(dict), 1);
    assert_raises(&key_error);
    decref(key);
    decref(dict);
}

static void test_a_cleared_dict_is_whole_and_empty(void **state)
{
    struct object *dict = dict_new(), *key = int_new(1), *value = int_new(2);

    (void)state;
    for (int round = 0; round < 2; round++) { /* as it was made, then published */
        type_of(dict)->clear(dict);
        dict_set(dict, key, value);
        type_of(dict)->clear(dict);
        assert_int_equal(exact_count(key), 1);
        assert_int_equal(exact_count(value), 1);
        assert_int_equal(dict_length(dict), 0);
        assert_int_equal(dict_contains(dict, key), 0);
        assert_int_equal(held_by(dict), 0);
        dict_set(dict, key, value);
        assert_value(dict, key, value);
        publish(dict);
    }
    decref(dict);
    decref(key);
    decref(value);
}

static struct object *dict, *shared[SHARED]; /* for the threads; owned by the test */

/* Sets, reads, deletes and iterates, at random, by keys of its own making. */
static void use_dict(struct thread *t, int index)
{
    uint64_t random = test_seed + (uint64_t)index * 2 + 1;

    for (int i = 0; i < ROUNDS; i++) {
        struct object *key = key_of(random_of(&random, KEYS)), *value = NULL, *found;
        size_t cursor = random_of(&random, KEYS);

        switch (random_of(&random, 5)) {
        case 0:
        case 1:
            dict_set(dict, key, shared[random_of(&random, SHARED)]);
            break;
        case 2:
            value = dict_get(dict, key);
            break;
        case 3:
            dict_delete(dict, key);
            break;
        default:
            if (dict_next(dict, &cursor, &found, &value))
                decref(found);
        }
        if (value)
            assert(int_value(value) < SHARED);
        xdecref(value);
        decref(key);
        exception_restore(NULL); /* a key may have been missing */
        safepoint(t);
    }
}

static void test_threads_share_a_dict(void **state)
{
    int64_t before = live_blocks(), copies[SHARED] = { 0 };
    struct object *key, *value;
    size_t cursor = 0;

    (void)state;
    seed_random();
    dict = dict_new();
    for (size_t i = 0; i < SHARED; i++) {
        shared[i] = int_new((int64_t)i);
        publish(shared[i]);
    }
    publish(dict);
    run_threads(use_dict);
    while (dict_next(dict, &cursor, &key, &value)) {
        assert_int_equal(exact_count(key), 2);
        copies[int_value(value)]++;
        decref(key);
        decref(value);
    }
    for (size_t i = 0; i < SHARED; i++)
        assert_int_equal(exact_count(shared[i]), 1 + copies[i]);
    decref(dict);
    for (size_t i = 0; i < SHARED; i++) {
        assert_int_equal(exact_count(shared[i]), 1);
        decref(shared[i]);
    }
    assert_int_equal(live_blocks(), before);
}

static _Atomic int mishaps;

/* Whatever others do to the dict: of its own keys each thread knows the values. */
static void keep_own_keys(struct thread *t, int index)
{
    int64_t model[OWN_KEYS] = { 0 }; /* 0: it is not there */
    uint64_t random = test_seed + (uint64_t)index * 2 + 1;

    for (int i = 1; i <= ROUNDS; i++) {
        size_t number = random_of(&random, OWN_KEYS);
        struct object *key = key_of(number * TEST_THREADS + (size_t)index), *new = int_new(i);
        struct object *value = dict_get(dict, key);
        bool sets = random_of(&random, 2);

        exception_restore(NULL);
        if ((value ? int_value(value) : 0) != model[number] ||
            (sets ? dict_set(dict, key, new) : dict_delete(dict, key)) != (sets || value ? 0 : -1))
            atomic_fetch_add_explicit(&mishaps, 1, memory_order_relaxed);
        exception_restore(NULL);
        model[number] = sets ? i : 0;
        xdecref(value);
        decref(new);
        decref(key);
        safepoint(t);
    }
}

static void test_each_thread_finds_its_own_keys(void **state)
{
    int64_t before = live_blocks();

    (void)state;
    seed_random();
    dict = dict_new();
    publish(dict);
    run_threads(keep_own_keys);
    assert_int_equal(mishaps, 0);
    decref(dict);
    assert_int_equal(live_blocks(), before);
}

/* What threads that nothing protects may do: replace and read the values of keys that are
 * there. As for lists. */
static void race_on_values(struct thread *t, int index)
{
    uint64_t random = test_seed + (uint64_t)index * 2 + 1;

    for (int i = 0; i < ROUNDS; i++) {
        struct object *key = key_of(random_of(&random, 2));

        decref(dict_get(dict, key));
        dict_set(dict, key, shared[random_of(&random, SHARED)]);
        decref(key);
        safepoint(t);
    }
}

static void set_number(size_t number, borrowed value)
{
    struct object *key = key_of(number);

    assert_int_equal(dict_set(dict, key, value), 0);
    decref(key);
}

static void test_unprotected_threads_keep_the_table(void **state)
{
    (void)state;
    seed_random();
    dict = dict_new();
    for (size_t i = 0; i < SHARED; i++) {
        shared[i] = RC_NEEDS_GIL ? truth(i % 2) : int_new((int64_t)i);
        for (int held = 0; held < HELD; held++)
            incref(shared[i]);
        publish(shared[i]);
    }
    set_number(0, shared[0]);
    set_number(1, shared[1]);
    publish(dict);
    run_threads_unprotected(race_on_values);
    assert_int_equal(dict_length(dict), 2);
    for (size_t number = 0; number < 2; number++) {
        struct object *key = key_of(number), *value = dict_get(dict, key);

        assert_non_null(value);
        assert_ptr_equal(type_of(value), type_of(shared[0]));
        decref(key);
        decref(value);
    }
    decref(dict);
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
        cmocka_unit_test(test_a_missing_key_is_an_error_and_changes_nothing),
        cmocka_unit_test(test_find_raises_nothing_if_there_is_no_such_key),
        cmocka_unit_test(test_a_key_without_hash_is_an_error),
        cmocka_unit_test(test_keys_of_all_types),
        cmocka_unit_test(test_colliding_keys_are_told_apart),
        cmocka_unit_test(test_iterates_in_the_order_in_which_keys_came),
        cmocka_unit_test(test_deleted_keys_do_not_fill_the_table),
        cmocka_unit_test(test_random_operations_agree_with_an_array),
        cmocka_unit_test(test_no_memory_is_an_error_and_changes_nothing),
        cmocka_unit_test(test_a_published_dict_publishes_what_is_put_in),
        cmocka_unit_test(test_a_destructor_may_use_the_dict),
        cmocka_unit_test(test_errors_are_set_outside_the_section),
        cmocka_unit_test(test_a_cleared_dict_is_whole_and_empty),
        cmocka_unit_test(test_threads_share_a_dict),
        cmocka_unit_test(test_each_thread_finds_its_own_keys),
        cmocka_unit_test(test_unprotected_threads_keep_the_table),
    };

    return run_attached(tests);
}
