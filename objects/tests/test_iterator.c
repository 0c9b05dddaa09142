/* test_iterator.c - one item after the other; what is expected is what CPython 3.11 does. */
#include "objects/bytes.h"
#include "objects/dict.h"
#include "objects/int.h"
#include "objects/iterator.h"
#include "objects/list.h"
#include "objects/none.h"
#include "objects/range.h"
#include "objects/str.h"
#include "objects/tests/testing.h"
#include "objects/tuple.h"

#include <sched.h>
#include <string.h>

enum { MANY = 2000, ROUNDS = 20 };

/* The list of 0, 1 ... length - 1. */
static struct object *list_of(int64_t length)
{
    struct object *range = range_new(0, length), *list = list_from(range);

    decref(range);
    return list;
}

static void append_int(borrowed list, int64_t value)
{
    struct object *item = int_new(value);

    assert_int_equal(list_append(list, item), 0);
    decref(item);
}

static void set_int(borrowed dict, int64_t key, int64_t value)
{
    struct object *k = int_new(key), *v = int_new(value);

    assert_int_equal(dict_set(dict, k, v), 0);
    decref(k);
    decref(v);
}

static void delete_int(borrowed dict, int64_t key)
{
    struct object *k = int_new(key);

    assert_int_equal(dict_delete(dict, k), 0);
    decref(k);
}

static void assert_next_int(borrowed iterator, int64_t expected)
{
    struct object *item;

    assert_int_equal(iterator_step(iterator, &item), STEP_NEXT);
    assert_int_equal(int_value(item), expected);
    decref(item);
}

/* More than once, for it must stay so. */
static void assert_exhausted(borrowed iterator)
{
    struct object *result;

    for (int i = 0; i < 3; i++) {
        assert_int_equal(iterator_step(iterator, &result), STEP_RETURN);
        assert_ptr_equal(result, none());
        assert_null(exception_pending());
    }
}

static void assert_error(borrowed iterator, const struct type *kind, const char *message)
{
    struct object *result;

    assert_int_equal(iterator_step(iterator, &result), STEP_ERROR);
    assert_string_equal(exception_message(exception_pending()), message);
    assert_raises(kind);
}

static void test_a_list_gives_its_items_and_counts_exactly(void **state)
{
    struct object *list = list_of(2), *it = iterate(list), *first = list_get(list, 0), *item;

    (void)state;
    assert_int_equal(exact_count(list), 2);
    assert_int_equal(held_by(it), 1);
    assert_int_equal(iterator_step(it, &item), STEP_NEXT);
    assert_ptr_equal(item, first);
    assert_int_equal(exact_count(first), 3);
    decref(item);
    assert_next_int(it, 1);
    assert_exhausted(it);
    decref(it);
    assert_int_equal(exact_count(list), 1);
    assert_int_equal(exact_count(first), 2);
    decref(first);
    decref(list);
}

static void test_a_list_shows_what_is_appended_until_it_is_exhausted(void **state)
{
    struct object *list = list_of(1), *it = iterate(list);

    (void)state;
    assert_next_int(it, 0);
    append_int(list, 1);
    append_int(list, 2);
    assert_next_int(it, 1);
    decref(list_pop(list));
    assert_exhausted(it);
    append_int(list, 2);
    append_int(list, 3);
    assert_exhausted(it);
    decref(it);
    decref(list);
}

static void test_iterators_are_independent_and_give_themselves(void **state)
{
    struct object *list = list_of(3), *one = iterate(list), *other = iterate(list);
    struct object *same = iterate(one);

    (void)state;
    assert_ptr_equal(same, one);
    assert_int_equal(exact_count(one), 2);
    assert_ptr_not_equal(one, other);
    assert_next_int(one, 0);
    assert_next_int(same, 1);
    assert_next_int(other, 0);
    assert_next_int(one, 2);
    assert_exhausted(same);
    assert_next_int(other, 1);
    decref(one);
    decref(same);
    decref(other);
    decref(list);
}

static void assert_range(int64_t start, int64_t stop, int64_t first, int count)
{
    struct object *range = range_new(start, stop), *it = iterate(range);

    decref(range);
    for (int i = 0; i < count; i++)
        assert_next_int(it, first + i);
    if (count < 5)
        assert_exhausted(it);
    decref(it);
}

static void test_a_range_goes_from_start_to_before_stop(void **state)
{
    struct object *range = range_new(-1, 2);

    (void)state;
    assert_repr(range, "range(-1, 2)");
    assert_error(range, &type_error, "'range' object is not an iterator");
    assert_null(iterator_next(range));
    assert_raises(&type_error);
    decref(range);
    assert_range(-1, 2, -1, 3);
    assert_range(0, 0, 0, 0);
    assert_range(5, -5, 0, 0);
    assert_range(INT64_MAX, INT64_MIN, 0, 0);
    assert_range(INT64_MAX - 2, INT64_MAX, INT64_MAX - 2, 2);
    assert_range(INT64_MIN, INT64_MAX, INT64_MIN, 5);
}

static void test_a_tuple_gives_its_items(void **state)
{
    struct object *list = list_of(3), *tuple = list_to_tuple(list), *it = iterate(tuple);

    (void)state;
    for (int i = 0; i < 3; i++)
        assert_next_int(it, i);
    assert_exhausted(it);
    decref(it);
    decref(tuple);
    decref(list);
}

static void test_bytes_give_ints(void **state)
{
    struct object *bytes = bytes_new("\0a\xFF", 3), *it = iterate(bytes);

    (void)state;
    assert_next_int(it, 0);
    assert_next_int(it, 'a');
    assert_next_int(it, 255);
    assert_exhausted(it);
    decref(it);
    decref(bytes);
}

static void test_a_str_gives_characters(void **state)
{
    static const char *const characters[] = { "a", "\xC3\xBC", "\xE2\x82\xAC", "\xF0\x9F\x90\x8D" };
    struct object *s = str_new("a\xC3\xBC\xE2\x82\xAC\xF0\x9F\x90\x8D"), *it = iterate(s);

    (void)state;
    for (int i = 0; i < 4; i++) {
        struct object *character = iterator_next(it);

        assert_string_equal(str_text(character), characters[i]);
        assert_int_equal(str_length(character), strlen(characters[i]));
        decref(character);
    }
    assert_exhausted(it);
    decref(it);
    decref(s);
}

static void test_a_dict_gives_its_keys_in_order(void **state)
{
    struct object *dict = dict_new(), *it;

    (void)state;
    for (int key = 3; key >= 0; key--)
        set_int(dict, key, key);
    delete_int(dict, 2);
    it = iterate(dict);
    assert_next_int(it, 3);
    set_int(dict, 1, 7); /* a new value is no change of the dict */
    assert_next_int(it, 1);
    assert_next_int(it, 0);
    assert_exhausted(it);
    set_int(dict, 9, 9);
    assert_exhausted(it);
    decref(it);
    decref(dict);
}

static void test_a_dict_of_another_size_is_an_error_for_ever(void **state)
{
    struct object *dict = dict_new(), *it;

    (void)state;
    set_int(dict, 1, 1);
    set_int(dict, 2, 2);
    it = iterate(dict);
    assert_next_int(it, 1);
    set_int(dict, 3, 3);
    assert_error(it, &runtime_error, "dictionary changed size during iteration");
    delete_int(dict, 3);
    assert_error(it, &runtime_error, "dictionary changed size during iteration");
    decref(it);
    decref(dict);
}

static void test_a_dict_of_other_keys_is_an_error_and_then_the_end(void **state)
{
    struct object *dict = dict_new(), *it;

    (void)state;
    set_int(dict, 1, 1);
    set_int(dict, 2, 2);
    it = iterate(dict);
    assert_next_int(it, 1);
    assert_next_int(it, 2);
    delete_int(dict, 1);
    delete_int(dict, 2);
    set_int(dict, 5, 5);
    set_int(dict, 6, 6);
    assert_error(it, &runtime_error, "dictionary keys changed during iteration");
    assert_exhausted(it);
    decref(it);
    decref(dict);
}

static void test_what_is_neither_is_a_type_error(void **state)
{
    struct object *number = int_new(3), *list = list_new();

    (void)state;
    assert_null(iterate(number));
    assert_string_equal(exception_message(exception_pending()), "'int' object is not iterable");
    assert_raises(&type_error);
    assert_null(iterate(none()));
    assert_string_equal(exception_message(exception_pending()),
                        "'NoneType' object is not iterable");
    assert_raises(&type_error);
    assert_error(list, &type_error, "'list' object is not an iterator");
    decref(number);
    decref(list);
}

/* ---- iterators of other types ---- */

/* Gives two ints, and then ends as it was told to. */
struct ending {
    struct object head;
    enum step end;
    int64_t given;
};

static enum step ending_next(struct object *o, struct object **result)
{
    struct ending *e = (struct ending *)o;

    if (e->given < 2) {
        *result = int_new(e->given++);
        return *result ? STEP_NEXT : STEP_ERROR;
    }
    if (e->end == STEP_ERROR) {
        exception_set(&value_error, "it broke");
        return STEP_ERROR;
    }
    *result = str_new("returned");
    return *result ? STEP_RETURN : STEP_ERROR;
}

static const struct type ending_type = {
    .name = "ending",
    .size_bytes = sizeof(struct ending),
    .iterate = incref,
    .next = ending_next,
};

static struct object *ending_new(enum step end)
{
    struct ending *e = (struct ending *)object_new(&ending_type, sizeof *e);

    if (!e)
        return NULL;
    e->end = end;
    e->given = 0;
    return &e->head;
}

static void test_next_raises_stop_iteration_with_what_was_returned(void **state)
{
    struct object *list = list_of(1), *it = iterate(list), *generator = ending_new(STEP_RETURN);
    struct object *e;

    (void)state;
    decref(iterator_next(it));
    assert_null(iterator_next(it));
    assert_ptr_equal(exception_value(exception_pending()), none());
    assert_raises(&stop_iteration);
    decref(iterator_next(generator));
    decref(iterator_next(generator));
    assert_null(iterator_next(generator));
    assert_true(exception_matches(&stop_iteration));
    e = exception_take();
    assert_string_equal(str_text(exception_value(e)), "returned");
    assert_int_equal(exact_count(exception_value(e)), 1);
    decref(e);
    decref(generator);
    decref(it);
    decref(list);
}

static void test_next_passes_errors_on(void **state)
{
    struct object *it = ending_new(STEP_ERROR);

    (void)state;
    decref(iterator_next(it));
    decref(iterator_next(it));
    assert_null(iterator_next(it));
    assert_raises(&value_error);
    decref(it);
}

/* ---- what is made of iterables ---- */

static void test_a_list_from_an_iterable(void **state)
{
    struct object *generator = ending_new(STEP_RETURN), *list = list_from(generator), *item;

    (void)state;
    assert_int_equal(list_length(list), 2);
    item = list_get(list, 1);
    assert_int_equal(int_value(item), 1);
    assert_int_equal(exact_count(item), 2);
    decref(item);
    decref(list);
    assert_null(list_from(none()));
    assert_raises(&type_error);
    decref(generator);
}

static void test_what_fails_on_the_way_leaves_nothing(void **state)
{
    int64_t before = live_blocks();
    struct object *broken = ending_new(STEP_ERROR);

    (void)state;
    assert_null(list_from(broken));
    assert_raises(&value_error);
    decref(broken);
    broken = ending_new(STEP_ERROR);
    assert_null(tuple_from(broken));
    assert_raises(&value_error);
    decref(broken);
    assert_int_equal(live_blocks(), before);
}

static void test_a_tuple_from_an_iterable(void **state)
{
    struct object *range = range_new(5, 7), *tuple = tuple_from(range), *same, *list, *copy;

    (void)state;
    assert_repr(tuple, "(5, 6)");
    same = tuple_from(tuple);
    assert_ptr_equal(same, tuple);
    assert_int_equal(exact_count(tuple), 2);
    list = list_from(tuple);
    copy = tuple_from(list);
    append_int(list, 7);
    assert_repr(copy, "(5, 6)");
    assert_int_equal(exact_count(tuple_get(copy, 0)), 3);
    decref(copy);
    assert_int_equal(exact_count(tuple_get(tuple, 0)), 2);
    decref(list);
    decref(same);
    decref(tuple);
    decref(range);
}

static int session(void)
{
    struct object *range = range_new(0, 6), *tuple = range ? tuple_from(range) : NULL;
    struct object *it = tuple ? iterate(tuple) : NULL, *last = it ? list_from(it) : NULL;
    struct object *stop = last ? iterator_next(it) : NULL;
    bool stopped = last && !stop && exception_matches(&stop_iteration);

    xdecref(range);
    xdecref(tuple);
    xdecref(it);
    xdecref(last);
    if (stopped)
        exception_restore(NULL);
    return stopped ? 0 : -1;
}

static void test_no_memory_is_an_error(void **state)
{
    (void)state;
    fail_everywhere(session);
}

/* ---- threads ---- */

static void test_a_published_iterator_publishes_what_it_goes_over(void **state)
{
    struct object *list = list_of(1), *it = iterate(list);

    (void)state;
    publish(it);
    assert_true(published(list));
    decref(it);
    decref(list);
}

static struct object *shared; /* owned: an iterator over 0 .. MANY - 1 */
static _Atomic int times_given[MANY];
static _Atomic int ended_well;

static void take_what_comes(struct thread *t, int index)
{
    struct object *item;
    enum step step;

    (void)index;
    while ((step = iterator_step(shared, &item)) == STEP_NEXT) {
        atomic_fetch_add_explicit(&times_given[int_value(item)], 1, memory_order_relaxed);
        decref(item);
        safepoint(t);
    }
    if (step == STEP_RETURN)
        atomic_fetch_add_explicit(&ended_well, 1, memory_order_relaxed);
}

static void share_among_threads(struct object *iterator /* steals */)
{
    shared = iterator;
    publish(shared);
    atomic_store_explicit(&ended_well, 0, memory_order_relaxed);
    for (int i = 0; i < MANY; i++)
        atomic_store_explicit(&times_given[i], 0, memory_order_relaxed);
    run_threads(take_what_comes);
    assert_int_equal(atomic_load_explicit(&ended_well, memory_order_relaxed), TEST_THREADS);
    for (int i = 0; i < MANY; i++)
        assert_int_equal(atomic_load_explicit(&times_given[i], memory_order_relaxed), 1);
    decref(shared);
}

/* The ints of 0 .. MANY - 1, each found so slowly that others come in between. */
static enum step slowly_at(borrowed iterable, struct place *place, struct object **item)
{
    (void)iterable;
    if (place->position == MANY)
        return STEP_RETURN;
    *item = int_new((int64_t)place->position++);
    sched_yield();
    return STEP_NEXT;
}

static void test_threads_get_each_item_once(void **state)
{
    struct object *range = range_new(0, MANY), *list = list_of(MANY), *dict = dict_new();

    (void)state;
    for (int i = 0; i < MANY; i++)
        set_int(dict, i, i);
    for (int i = 0; i < ROUNDS; i++) {
        share_among_threads(iterate(range));
        share_among_threads(iterate(list));
        share_among_threads(iterate(dict));
        share_among_threads(iterator_new(none(), slowly_at, (struct place){ 0 }));
    }
    decref(range);
    decref(list);
    decref(dict);
}

/* Ints from 0 on; but in the midst of the first look somebody else steps the iterator, as
 * may happen where a section waits for another one. */
static struct object *overtaken; /* owned */
static enum step ends_with;
static bool looked;

static enum step overtaken_at(borrowed iterable, struct place *place, struct object **item)
{
    bool first = !looked;

    (void)iterable;
    looked = true;
    if (first)
        assert_next_int(overtaken, 0);
    if (first && ends_with != STEP_NEXT) {
        if (ends_with == STEP_ERROR)
            exception_set(&value_error, "not for us");
        return ends_with;
    }
    *item = int_new((int64_t)place->position++);
    return STEP_NEXT;
}

static void test_a_step_that_was_overtaken_is_made_anew(void **state)
{
    bool before = thread_self->locks_containers;
    int64_t blocks = live_blocks();

    (void)state;
    thread_self->locks_containers = false; /* we are the other thread, too */
    for (ends_with = STEP_NEXT; ends_with <= STEP_ERROR; ends_with++) {
        looked = false;
        overtaken = iterator_new(none(), overtaken_at, (struct place){ 0 });
        assert_next_int(overtaken, 1);
        assert_null(exception_pending());
        assert_next_int(overtaken, 2);
        decref(overtaken);
    }
    thread_self->locks_containers = before;
    assert_int_equal(live_blocks(), blocks);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_a_list_gives_its_items_and_counts_exactly),
        cmocka_unit_test(test_a_list_shows_what_is_appended_until_it_is_exhausted),
        cmocka_unit_test(test_iterators_are_independent_and_give_themselves),
        cmocka_unit_test(test_a_range_goes_from_start_to_before_stop),
        cmocka_unit_test(test_a_tuple_gives_its_items),
        cmocka_unit_test(test_bytes_give_ints),
        cmocka_unit_test(test_a_str_gives_characters),
        cmocka_unit_test(test_a_dict_gives_its_keys_in_order),
        cmocka_unit_test(test_a_dict_of_another_size_is_an_error_for_ever),
        cmocka_unit_test(test_a_dict_of_other_keys_is_an_error_and_then_the_end),
        cmocka_unit_test(test_what_is_neither_is_a_type_error),
        cmocka_unit_test(test_next_raises_stop_iteration_with_what_was_returned),
        cmocka_unit_test(test_next_passes_errors_on),
        cmocka_unit_test(test_a_list_from_an_iterable),
        cmocka_unit_test(test_what_fails_on_the_way_leaves_nothing),
        cmocka_unit_test(test_a_tuple_from_an_iterable),
        cmocka_unit_test(test_no_memory_is_an_error),
        cmocka_unit_test(test_a_published_iterator_publishes_what_it_goes_over),
        cmocka_unit_test(test_threads_get_each_item_once),
        cmocka_unit_test(test_a_step_that_was_overtaken_is_made_anew),
    };

    return run_attached(tests);
}
