/* test_collector.c - what only counts would keep is freed, and nothing else. */
#include "objects/collector.h"

#include "objects/dict.h"
#include "objects/int.h"
#include "objects/list.h"
#include "objects/tests/crowd.h"
#include "objects/tuple.h"
#include "objects/weakref.h"

enum {
    DEEP = SANITIZED ? 100000 : 1000000,
    THREADS_IN_TURN = SANITIZED ? 500 : 10000,
    ROUNDS = SANITIZED ? 500 : 5000,
};

/* ---- structures ---- */

static struct object *list_of(struct object *item /* steals */)
{
    struct object *list = list_new();

    assert_non_null(list);
    assert_int_equal(list_append(list, item), 0);
    decref(item);
    return list;
}

static struct object *tuple_of(struct object *item /* steals */)
{
    struct object *tuple = tuple_new(1, &item);

    assert_non_null(tuple);
    decref(item);
    return tuple;
}

static struct object *dict_of(struct object *item /* steals */)
{
    struct object *dict = dict_new(), *key = int_new(1);

    assert_int_equal(dict_set(dict, key, item), 0);
    decref(key);
    decref(item);
    return dict;
}

/* `around` puts the inner one into a container: a cycle of it and of the list that is
 * returned. */
static struct object *cycle_of(struct object *(*around)(struct object *item))
{
    struct object *list = list_new(), *outer;

    assert_non_null(list);
    outer = around(incref(list));
    assert_int_equal(list_append(list, outer), 0);
    decref(outer);
    return list;
}

static struct object *self_cycle(void)
{
    struct object *list = list_new();

    assert_non_null(list);
    assert_int_equal(list_append(list, list), 0);
    return list;
}

static struct object *deep(struct object *(*around)(struct object *item), int levels)
{
    struct object *o = list_new();

    assert_non_null(o);
    while (levels--)
        o = around(o);
    return o;
}

/* Begins with no garbage and nothing young; the test collects when it says so. */
static int begin(void **state)
{
    collector_enable(false);
    collect(GENERATION_ALL);
    return witnesses_reset(state);
}

/* ---- what is garbage ---- */

static void test_a_list_in_itself_is_freed(void **state)
{
    int64_t before = live_blocks();

    (void)state;
    decref(self_cycle());
    assert_true(live_blocks() > before);
    assert_int_equal(collect(GENERATION_YOUNG), 1);
    assert_int_equal(live_blocks(), before);
    assert_int_equal(collect(GENERATION_ALL), 0);
}

static void test_cycles_of_all_containers_are_freed(void **state)
{
    struct object *(*const around[])(struct object *item) = { list_of, tuple_of, dict_of };
    int64_t before = live_blocks();

    (void)state;
    for (size_t i = 0; i < sizeof around / sizeof *around; i++) {
        decref(cycle_of(around[i]));
        assert_int_equal(collect(GENERATION_YOUNG), 2);
        assert_int_equal(live_blocks(), before);
    }
}

static void test_a_dict_that_is_its_own_value_is_freed(void **state)
{
    int64_t before = live_blocks();
    struct object *dict = dict_new(), *key = int_new(1);

    (void)state;
    assert_int_equal(dict_set(dict, key, dict), 0);
    decref(key);
    decref(dict);
    assert_int_equal(collect(GENERATION_YOUNG), 1);
    assert_int_equal(live_blocks(), before);
}

static void test_what_only_garbage_holds_is_freed(void **state)
{
    int64_t before = live_blocks();
    struct object *list = self_cycle(), *held = list_of(list_of(witness_new(NULL)));

    (void)state;
    assert_int_equal(list_append(list, held), 0);
    decref(held);
    decref(list);
    assert_int_equal(collect(GENERATION_YOUNG), 3);
    assert_int_equal(live_blocks(), before);
    assert_int_equal(witnesses_wrong(), 0);
}

/* ---- what is not ---- */

static void test_a_cycle_that_a_thread_holds_survives(void **state)
{
    struct object *list = cycle_of(tuple_of), *tuple;

    (void)state;
    assert_int_equal(collect(GENERATION_YOUNG), 0);
    assert_int_equal(collect(GENERATION_ALL), 0);
    tuple = list_get(list, 0);
    assert_ptr_equal(tuple_get(tuple, 0), list);
    decref(list);
    assert_int_equal(collect(GENERATION_ALL), 0); /* the tuple is held still */
    decref(tuple);
    assert_int_equal(collect(GENERATION_ALL), 2);
}

/* The witness is in no register: what it holds is held from outside. */
static void test_what_an_unregistered_object_holds_survives(void **state)
{
    struct object *holder = witness_new(cycle_of(list_of));

    (void)state;
    assert_int_equal(collect(GENERATION_ALL), 0);
    decref(holder);
    assert_int_equal(collect(GENERATION_ALL), 2);
}

static void test_what_garbage_held_and_another_holds_survives(void **state)
{
    struct object *list = self_cycle(), *alive = list_new();

    (void)state;
    assert_int_equal(list_append(list, alive), 0);
    decref(list);
    assert_int_equal(collect(GENERATION_YOUNG), 1);
    assert_int_equal(exact_count(alive), 1);
    assert_int_equal(list_length(alive), 0);
    decref(alive);
}

static void test_uncounted_objects_in_a_cycle_are_left_alone(void **state)
{
    struct object *list = self_cycle();

    (void)state;
    exception_set_no_memory();
    assert_int_equal(list_append(list, exception_pending()), 0);
    exception_restore(NULL);
    decref(list);
    assert_int_equal(collect(GENERATION_YOUNG), 1);
}

static struct object *weak; /* owned */

static void look_through_weak(struct witness *w)
{
    (void)w;
    expect(weakref_get(weak) == NULL);
}

/* The witness goes before the referent, which comes later in the list of garbage or earlier:
 * there is one on either side. */
static void test_no_destructor_finds_garbage_by_a_weak_reference(void **state)
{
    struct object *list = cycle_of(list_of), *w[2];

    (void)state;
    for (int i = 0; i < 2; i++) {
        struct object *item = i ? list_get(list, 0) : incref(list);

        w[i] = witness_new(NULL);
        ((struct witness *)w[i])->last = look_through_weak;
        assert_int_equal(list_append(item, w[i]), 0);
        decref(w[i]);
        decref(item);
    }
    weak = weakref_new(list, NULL);
    assert_non_null(weak);
    decref(list);
    assert_int_equal(collect(GENERATION_ALL), 2);
    rc_quiesce();
    assert_int_equal(atomic_load(&mishaps), 0);
    assert_int_equal(witnesses_wrong(), 0);
    assert_null(weakref_get(weak));
    decref(weak);
}

/* ---- generations ---- */

static void test_what_survives_grows_old(void **state)
{
    struct object *list = cycle_of(list_of);

    (void)state;
    assert_int_equal(collect(GENERATION_YOUNG), 0);
    decref(list);
    assert_int_equal(collect(GENERATION_YOUNG), 0);
    assert_int_equal(collect(GENERATION_ALL), 2);
}

static void test_what_old_ones_hold_survives(void **state)
{
    struct object *old = list_new(), *list;

    (void)state;
    assert_int_equal(collect(GENERATION_YOUNG), 0);
    list = cycle_of(dict_of);
    assert_int_equal(list_append(old, list), 0);
    decref(list);
    assert_int_equal(collect(GENERATION_YOUNG), 0);
    list = list_get(old, 0);
    assert_int_equal(list_length(list), 1);
    decref(list);
    decref(old);
    assert_int_equal(collect(GENERATION_ALL), 2);
}

/* A slot that is used again holds a young container, whatever it held before. */
static void test_a_slot_used_again_is_young(void **state)
{
    struct object *list = list_new();

    (void)state;
    collect(GENERATION_ALL);
    decref(list);
    decref(self_cycle());
    assert_int_equal(collect(GENERATION_YOUNG), 1);
}

/* ---- while it collects ---- */

static struct object *made_meanwhile; /* owned */

static void make_more(struct witness *w)
{
    (void)w;
    decref(self_cycle());
    assert_int_equal(list_append(made_meanwhile, made_meanwhile), 0);
}

/* Under policies that destroy late, it runs in the quiescing of the second collection, while
 * the world is stopped. */
static void test_destructors_make_containers(void **state)
{
    int64_t before = live_blocks();
    struct object *list = self_cycle(), *w = witness_new(NULL);

    (void)state;
    made_meanwhile = list_new();
    ((struct witness *)w)->last = make_more;
    assert_int_equal(list_append(list, w), 0);
    decref(w);
    decref(list);
    assert_int_equal(collect(GENERATION_YOUNG), 1);
    assert_int_equal(collect(GENERATION_YOUNG), 1);
    assert_int_equal(list_length(made_meanwhile), 1);
    decref(made_meanwhile);
    assert_int_equal(collect(GENERATION_ALL), 1);
    assert_int_equal(live_blocks(), before);
}

static void test_pauses_are_noted(void **state)
{
    struct pauses before[GENERATIONS], after[GENERATIONS], *young = &after[GENERATION_YOUNG];

    (void)state;
    collector_pauses(before);
    decref(cycle_of(list_of));
    decref(list_new());
    collect(GENERATION_YOUNG);
    collector_pauses(after);
    assert_int_equal(young->collections, before[GENERATION_YOUNG].collections + 1);
    assert_int_equal(young->examined, before[GENERATION_YOUNG].examined + 2);
    assert_int_equal(young->found, before[GENERATION_YOUNG].found + 2);
    assert_true(young->pause_total_ns > before[GENERATION_YOUNG].pause_total_ns);
    assert_int_equal(young->pauses_ns.count, young->collections);
    assert_true(young->pauses_ns.max_ns > 0);
    assert_true(young->stop_total_ns <= young->pause_total_ns);
    assert_int_equal(after[GENERATION_ALL].collections, before[GENERATION_ALL].collections);
}

/* ---- by themselves ---- */

enum { THRESHOLD = 100, CYCLES = 20 * THRESHOLD };

static int64_t most_blocks_of_cycles(void)
{
    int64_t most = 0;

    for (int i = 0; i < CYCLES; i++) {
        int64_t blocks = atomic_load_explicit(&heap_state.blocks, memory_order_relaxed);

        most = blocks > most ? blocks : most;
        decref(self_cycle());
        safepoint(thread_self);
    }
    return most;
}

static void test_threads_collect_by_themselves(void **state)
{
    int64_t before = live_blocks();

    (void)state;
    collector_threshold(THRESHOLD);
    collector_enable(true);
    assert_true(most_blocks_of_cycles() < before + CYCLES / 2);
    collector_enable(false);
    collect(GENERATION_ALL);
    assert_true(most_blocks_of_cycles() > before + CYCLES);
    collector_threshold(COLLECTOR_THRESHOLD);
    collect(GENERATION_ALL);
    assert_int_equal(live_blocks(), before);
}

static void test_what_is_made_and_dropped_asks_for_nothing(void **state)
{
    struct pauses before[GENERATIONS], after[GENERATIONS];

    (void)state;
    if (RC_LATE_HERE)
        skip(); /* what waits for its end has not been dropped yet */
    collector_pauses(before);
    collector_threshold(THRESHOLD);
    collector_enable(true);
    for (int i = 0; i < CYCLES; i++) {
        decref(list_new());
        safepoint(thread_self);
    }
    collector_enable(false);
    collector_threshold(COLLECTOR_THRESHOLD);
    collector_pauses(after);
    assert_memory_equal(before, after, sizeof before);
}

/* All are looked at when a quarter has been added, so how often grows as the logarithm. */
static void test_all_are_looked_at_seldom(void **state)
{
    struct pauses before[GENERATIONS], after[GENERATIONS];
    struct object *list = list_new();
    uint64_t young, all;

    (void)state;
    collector_pauses(before);
    collector_threshold(THRESHOLD);
    collector_enable(true);
    for (int i = 0; i < 100 * THRESHOLD; i++) {
        struct object *item = list_new();

        assert_int_equal(list_append(list, item), 0);
        decref(item);
        safepoint(thread_self);
    }
    collector_enable(false);
    collector_threshold(COLLECTOR_THRESHOLD);
    collector_pauses(after);
    young = after[GENERATION_YOUNG].collections - before[GENERATION_YOUNG].collections;
    all = after[GENERATION_ALL].collections - before[GENERATION_ALL].collections;
    assert_in_range(young, 40, 100);
    assert_in_range(all, 5, 30);
    decref(list);
}

/* ---- threads ---- */

static struct object *shared; /* owned */

static void drop_shared(struct thread *t, int index)
{
    (void)t;
    if (index == 0)
        decref(shared);
}

/* Their counts say nothing yet when this thread collects: it has passed no safe point. */
static void test_what_another_thread_dropped_is_found(void **state)
{
    int64_t before = live_blocks();

    (void)state;
    shared = cycle_of(list_of);
    publish(shared);
    run_threads(drop_shared);
    assert_int_equal(collect(GENERATION_YOUNG), 2);
    assert_int_equal(live_blocks(), before);
}

static void leave_cycles(struct thread *t, int index)
{
    struct object *kept = list_new(), *item;

    (void)index;
    for (int i = 0; i < ROUNDS; i++) {
        struct object *cycle = cycle_of(i % 2 ? list_of : dict_of);

        expect(list_append(cycle, kept) == 0 && list_append(cycle, shared) == 0);
        decref(cycle);
        item = list_of(witness_new(NULL));
        expect(list_append(kept, item) == 0);
        decref(item);
        safepoint(t);
        if (i % 8 == 0)
            decref(list_pop(kept));
    }
    expect(list_length(kept) == (size_t)(ROUNDS - (ROUNDS + 7) / 8));
    while (list_length(kept)) {
        struct object *one = list_pop(kept), *w = list_get(one, 0);

        expect(destroyed(witness_number(w)) == 0);
        decref(w);
        decref(one);
    }
    decref(kept);
}

/* The garbage of one thread holds what another one counts as its own, and what all count. */
static void test_threads_leave_cycles_and_collect_those_of_others(void **state)
{
    int64_t before = live_blocks();
    struct pauses pauses[GENERATIONS];

    (void)state;
    shared = list_new();
    publish(shared);
    collector_threshold(THRESHOLD);
    collector_enable(true);
    run_threads(leave_cycles);
    collector_enable(false);
    collector_threshold(COLLECTOR_THRESHOLD);
    collect(GENERATION_ALL);
    collector_pauses(pauses);
    assert_true(pauses[GENERATION_YOUNG].found > ROUNDS);
    assert_int_equal(exact_count(shared), 1);
    decref(shared);
    assert_int_equal(live_blocks(), before);
    assert_int_equal(witnesses_wrong(), 0);
    assert_int_equal(atomic_load(&mishaps), 0);
}

static void come_and_go(struct thread *t, int index)
{
    struct object *lists[16];

    (void)t;
    (void)index;
    for (int i = 0; i < 16; i++)
        lists[i] = list_new();
    for (int i = 0; i < 16; i++)
        decref(lists[i]);
    decref(self_cycle());
}

static void run_in_turn(int threads)
{
    for (int i = 0; i < threads; i += TEST_THREADS) {
        run_threads(come_and_go);
        collect(GENERATION_YOUNG);
    }
}

static void test_threads_leave_no_more_than_their_part(void **state)
{
    size_t after_some;

    (void)state;
    run_in_turn(40);
    after_some = container_bytes();
    run_in_turn(THREADS_IN_TURN);
    assert_true(container_bytes() < 2 * after_some);
}

/* ---- no memory ---- */

static void test_a_register_without_memory_is_an_error(void **state)
{
    int64_t before = live_blocks();
    struct object *list = list_new(), *item;

    (void)state;
    container_bound(container_bytes());
    while ((item = list_new())) {
        list_append(list, item);
        decref(item);
    }
    container_bound(SIZE_MAX);
    assert_raises(&memory_error);
    item = list_new();
    assert_non_null(item);
    decref(item);
    decref(list);
    assert_int_equal(live_blocks(), before);
}

static int make_a_cycle(void)
{
    struct object *list = list_new(), *tuple = list ? tuple_new(1, &list) : NULL;
    int result = tuple ? list_append(list, tuple) : -1;

    if (tuple)
        decref(tuple);
    if (list)
        decref(list);
    collect(GENERATION_YOUNG);
    return result;
}

static void test_no_memory_is_an_error(void **state)
{
    (void)state;
    fail_everywhere(make_a_cycle);
}

/* ---- deep structures ---- */

static void test_deep_structures_are_freed(void **state)
{
    struct object *(*const around[])(struct object *item) = { list_of, tuple_of, dict_of };
    int64_t before = live_blocks();

    (void)state;
    for (size_t i = 0; i < sizeof around / sizeof *around; i++) {
        decref(deep(around[i], around[i] == dict_of ? DEEP / 10 : DEEP));
        assert_int_equal(live_blocks(), before);
    }
}

static void test_a_deep_structure_is_published_and_freed_elsewhere(void **state)
{
    int64_t before = live_blocks();
    struct object *bottom = witness_new(NULL), *o = incref(bottom);

    (void)state;
    for (int i = 0; i < DEEP; i++)
        o = i % 2 ? list_of(o) : tuple_of(o);
    publish(o);
    assert_true(published(bottom));
    decref(bottom);
    shared = o;
    run_threads(drop_shared);
    assert_int_equal(live_blocks(), before);
    assert_int_equal(witnesses_wrong(), 0);
}

static void test_a_deep_cycle_is_collected(void **state)
{
    int64_t before = live_blocks();
    struct object *list = list_new(), *o = incref(list);

    (void)state;
    for (int i = 0; i < DEEP; i++)
        o = i % 2 ? list_of(o) : tuple_of(o);
    assert_int_equal(list_append(list, o), 0);
    decref(o);
    assert_int_equal(collect(GENERATION_ALL), 0);
    decref(list);
    assert_int_equal(collect(GENERATION_ALL), DEEP + 1);
    assert_int_equal(live_blocks(), before);
}

static void look_for_garbage(struct witness *w)
{
    (void)w;
    collect(GENERATION_YOUNG);
}

/* In each list a witness, and a next list, which waits or not: every one is destroyed once,
 * and no collection in between takes what waits for garbage, or for alive. */
static void test_what_waits_is_destroyed_once(void **state)
{
    struct object *o = list_new();

    (void)state;
    for (int i = 0; i < 1000; i++) {
        struct object *w = witness_new(NULL);

        if (!RC_HAS_LATE) /* else it would be in the midst of another's quiescing */
            ((struct witness *)w)->last = look_for_garbage;
        o = list_of(o);
        assert_int_equal(list_append(o, w), 0);
        decref(w);
    }
    decref(o);
    rc_quiesce(); /* a policy may take its time for each level */
    assert_int_equal(witnesses_wrong(), 0);
}

static void test_deep_tuples_are_no_keys(void **state)
{
    struct object *o = tuple_new(0, NULL);
    uint64_t hash;
    char text[8];

    (void)state;
    for (int i = 0; i < DEEP; i++)
        o = tuple_of(o);
    assert_int_equal(object_hash(o, &hash), -1);
    assert_raises(&runtime_error);
    object_repr(o, text, sizeof text);
    assert_string_equal(text, "(((((((");
    decref(o);
}

/* ---- where counts go wrong ---- */

static void test_nothing_is_collected_while_parking(void **state)
{
    struct damage damage;
    struct object *kept = self_cycle();

    (void)state;
    parking_begin(PARKING_BOUND_BYTES);
    decref(self_cycle());
    publish(kept);
    decref(kept);
    assert_int_equal(collect(GENERATION_ALL), 0);
    parking_end(&damage); /* frees what was published, and takes it out of the register */
    assert_int_equal(collect(GENERATION_ALL), 1);
}

static _Atomic uint64_t found_unprotected;

static void leave_a_cycle_and_collect(struct thread *t, int index)
{
    (void)t;
    (void)index;
    decref(self_cycle());
    atomic_fetch_add_explicit(&found_unprotected, collect(GENERATION_ALL), memory_order_relaxed);
}

static void test_nothing_is_collected_where_counts_race(void **state)
{
    (void)state;
    atomic_store(&found_unprotected, 0);
    run_threads_unprotected(leave_a_cycle_and_collect);
    assert_int_equal(atomic_load(&found_unprotected) + collect(GENERATION_ALL), TEST_THREADS);
    assert_true(!RC_NEEDS_GIL || atomic_load(&found_unprotected) == 0);
}

#define TEST(name) cmocka_unit_test_setup(name, begin)

/* It holds the hot one, too, so neither can be freed before the other lets go. */
static void test_a_cycle_that_only_a_hot_object_holds_ends_with_it(void **state)
{
    int64_t before = live_blocks();
    struct object *hot = list_new(), *ring = list_of(incref(hot));

    (void)state;
    assert_int_equal(list_append(ring, ring), 0);
    assert_int_equal(list_append(hot, ring), 0);
    publish(hot);
    mark_hot(hot);
    decref(ring);
    decref(hot);
    collect(GENERATION_ALL);
    rc_finish();
    assert_int_equal(live_blocks(), before);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_a_list_in_itself_is_freed),
        TEST(test_a_cycle_that_only_a_hot_object_holds_ends_with_it),
        TEST(test_cycles_of_all_containers_are_freed),
        TEST(test_a_dict_that_is_its_own_value_is_freed),
        TEST(test_what_only_garbage_holds_is_freed),
        TEST(test_a_cycle_that_a_thread_holds_survives),
        TEST(test_what_an_unregistered_object_holds_survives),
        TEST(test_what_garbage_held_and_another_holds_survives),
        TEST(test_uncounted_objects_in_a_cycle_are_left_alone),
        TEST(test_no_destructor_finds_garbage_by_a_weak_reference),
        TEST(test_what_survives_grows_old),
        TEST(test_what_old_ones_hold_survives),
        TEST(test_a_slot_used_again_is_young),
        TEST(test_destructors_make_containers),
        TEST(test_pauses_are_noted),
        TEST(test_threads_collect_by_themselves),
        TEST(test_what_is_made_and_dropped_asks_for_nothing),
        TEST(test_all_are_looked_at_seldom),
        TEST(test_what_another_thread_dropped_is_found),
        TEST(test_threads_leave_cycles_and_collect_those_of_others),
        TEST(test_threads_leave_no_more_than_their_part),
        TEST(test_a_register_without_memory_is_an_error),
        TEST(test_no_memory_is_an_error),
        TEST(test_deep_structures_are_freed),
        TEST(test_a_deep_structure_is_published_and_freed_elsewhere),
        TEST(test_a_deep_cycle_is_collected),
        TEST(test_what_waits_is_destroyed_once),
        TEST(test_deep_tuples_are_no_keys),
        TEST(test_nothing_is_collected_while_parking),
        TEST(test_nothing_is_collected_where_counts_race),
    };

    return run_attached(tests);
}
