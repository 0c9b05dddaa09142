/* test_interpreter.c - what the threads of one lock have to themselves.
 *
 * Where the books of a policy are everybody's, so are register and collector, and only what
 * holds there too is asked.
 */
#include "objects/interpreter.h"

#include "objects/collector.h"
#include "objects/list.h"
#include "objects/tests/testing.h"

enum { CYCLES = 10, ROUNDS = SANITIZED ? 300 : 3000, OWN = !RC_HAS_QUIESCE };

static struct gil *new_interpreter(void)
{
    struct gil *gil = gil_new(RC_NEEDS_GIL ? &gil_mutex : &gil_none, NULL);

    assert_non_null(gil);
    assert_int_equal(interpreter_begin(gil), 0);
    return gil;
}

static void end_interpreter(struct gil *gil /* steals */)
{
    interpreter_end(gil);
    gil_delete(gil);
}

/* On a thread of that lock, from its beginning to its end. */
static void within(struct gil *gil, void (*body)(struct thread *t, int index))
{
    struct test_thread thread = { .gil = gil, .locks_containers = !RC_NEEDS_GIL, .body = body };

    thread_detach(thread_self);
    assert_int_equal(pthread_create(&thread.os, NULL, test_thread_main, &thread), 0);
    pthread_join(thread.os, NULL);
    thread_attach(thread_self);
}

static void make_cycle(void)
{
    struct object *list = list_new();

    if (!list || list_append(list, list) < 0)
        abort();
    decref(list);
}

static uint64_t found;

static void make_garbage(struct thread *t, int index)
{
    (void)t;
    (void)index;
    for (int i = 0; i < CYCLES; i++)
        make_cycle();
}

static void collect_all(struct thread *t, int index)
{
    (void)t;
    (void)index;
    found = collect(GENERATION_ALL);
}

static uint64_t collections(void)
{
    struct pauses pauses[GENERATIONS];

    collector_pauses(pauses);
    return pauses[GENERATION_YOUNG].collections + pauses[GENERATION_ALL].collections;
}

static void test_an_interpreter_collects_its_own_garbage_only(void **state)
{
    struct gil *one = new_interpreter(), *other = new_interpreter();

    (void)state;
    collect(GENERATION_ALL);
    within(one, make_garbage);
    within(other, collect_all);
    assert_int_equal(found, OWN ? 0 : CYCLES);
    assert_int_equal(collect(GENERATION_ALL), 0);
    within(one, collect_all);
    assert_int_equal(found, OWN ? CYCLES : 0);
    end_interpreter(one);
    end_interpreter(other);
}

static void test_what_is_left_is_the_main_ones(void **state)
{
    struct gil *gil = new_interpreter();
    uint64_t before = collections();

    (void)state;
    within(gil, make_garbage);
    within(gil, collect_all);
    assert_int_equal(found, CYCLES);
    within(gil, make_garbage);
    assert_int_equal(collections(), before + 1);
    end_interpreter(gil);
    assert_int_equal(collections(), before + 1);
    assert_int_equal(collect(GENERATION_ALL), CYCLES);
}

/* A part of the register that a thread of one leaves with what lives in it is no other's. */
static void test_threads_that_come_later_take_no_others_part(void **state)
{
    struct gil *one = new_interpreter(), *other = new_interpreter();

    (void)state;
    for (int i = 0; i < 5; i++) {
        within(one, make_garbage);
        within(other, make_garbage);
    }
    within(one, collect_all);
    assert_int_equal(found, OWN ? 5 * CYCLES : 10 * CYCLES);
    within(other, collect_all);
    assert_int_equal(found, OWN ? 5 * CYCLES : 0);
    end_interpreter(one);
    end_interpreter(other);
}

static void test_the_register_does_not_grow_with_interpreters(void **state)
{
    size_t bytes = 0;

    (void)state;
    for (int i = 0; i < 20; i++) {
        struct gil *gil = new_interpreter();

        within(gil, make_garbage);
        within(gil, collect_all);
        end_interpreter(gil);
        if (i == 1)
            bytes = container_bytes();
    }
    assert_int_equal(container_bytes(), bytes);
}

static void test_ending_what_never_began(void **state)
{
    struct gil *gil = gil_new(&gil_none, NULL);

    (void)state;
    interpreter_end(gil);
    gil_delete(gil);
}

/* ---- at once ---- */

static void make_and_collect(struct thread *t, int index)
{
    struct object *kept = list_new();

    if (!kept)
        abort();
    for (int i = 0; i < ROUNDS; i++) {
        struct object *item = list_new();

        make_cycle();
        if (!item || list_append(kept, item) < 0)
            abort();
        decref(item);
        if ((i + index) % 16 == 0)
            collect(GENERATION_YOUNG);
        safepoint(t);
    }
    if (list_length(kept) != ROUNDS)
        abort();
    decref(kept);
}

/* Two threads of each of two, that all make containers and collect. Each has a lock, and no two
 * have the same: a collector that looked at another's would count what that counts. */
static void test_interpreters_collect_at_the_same_time(void **state)
{
    struct gil *gil[2] = { new_interpreter(), new_interpreter() };
    struct test_thread threads[TEST_THREADS];

    (void)state;
    thread_detach(thread_self);
    for (int i = 0; i < TEST_THREADS; i++) {
        threads[i] = (struct test_thread){ .gil = gil[i % 2], .locks_containers = !RC_NEEDS_GIL,
                                           .body = make_and_collect, .index = i };
        assert_int_equal(pthread_create(&threads[i].os, NULL, test_thread_main, &threads[i]), 0);
    }
    for (int i = 0; i < TEST_THREADS; i++)
        pthread_join(threads[i].os, NULL);
    thread_attach(thread_self);
    for (int i = 0; i < 2; i++) {
        within(gil[i], collect_all);
        end_interpreter(gil[i]);
    }
    collect(GENERATION_ALL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_an_interpreter_collects_its_own_garbage_only),
        cmocka_unit_test(test_what_is_left_is_the_main_ones),
        cmocka_unit_test(test_threads_that_come_later_take_no_others_part),
        cmocka_unit_test(test_the_register_does_not_grow_with_interpreters),
        cmocka_unit_test(test_ending_what_never_began),
        cmocka_unit_test(test_interpreters_collect_at_the_same_time),
    };

    return run_attached(tests);
}
