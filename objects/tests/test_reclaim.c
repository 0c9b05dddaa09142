/* test_reclaim.c - memory is freed when no thread reads it any more, and then it is. */
#include "gil/qsbr.h"
#include "objects/reclaim.h"
#include "objects/tests/testing.h"

#include <sched.h>

enum { BLOCK_BYTES = 64, BLOCKS = 8 * RECLAIM_BATCH_BYTES / BLOCK_BYTES };

/* A heap that tells whether one block has been freed. */

static void *watched;
static _Atomic bool watched_is_freed;

static void watching_free(void *memory, size_t size_bytes)
{
    if (memory == watched)
        atomic_store_explicit(&watched_is_freed, true, memory_order_relaxed);
    heap_free(memory, size_bytes);
}

static const struct heap heap_watching = {
    .about = "tells of one block",
    .alloc = heap_alloc,
    .free = watching_free,
};

static bool is_freed(void)
{
    return atomic_load_explicit(&watched_is_freed, memory_order_relaxed);
}

static void give_up_watched(void)
{
    watched = heap->alloc(BLOCK_BYTES);
    atomic_store_explicit(&watched_is_freed, false, memory_order_relaxed);
    free_later(watched, BLOCK_BYTES);
}

/* Gives up many batches, and is quiet whenever it is asked. */
static void give_up_many(void)
{
    for (int i = 0; i < BLOCKS; i++) {
        free_later(heap->alloc(BLOCK_BYTES), BLOCK_BYTES);
        safepoint(thread_self);
    }
}

/* A second thread, which does what it is told and between that nothing: no safe point. */

enum order { NOTHING, PASS_SAFEPOINT, DETACH, ATTACH, GIVE_UP, END };

static struct {
    struct thread self;
    struct gil *gil;
    pthread_t os;
    bool runs;
    _Atomic int order;
} other;

static void obey(enum order order)
{
    switch (order) {
    case PASS_SAFEPOINT:
        safepoint(&other.self);
        break;
    case DETACH:
        thread_detach(&other.self);
        break;
    case ATTACH:
        thread_attach(&other.self);
        break;
    case GIVE_UP:
        give_up_watched();
        break;
    default:
        break;
    }
}

static void *other_main(void *argument)
{
    int order;

    (void)argument;
    if (thread_start(&other.self, other.gil, &object_hooks) < 0)
        abort();
    do {
        while ((order = atomic_load_explicit(&other.order, memory_order_acquire)) == NOTHING)
            sched_yield();
        obey(order);
        if (order == END)
            thread_stop(&other.self);
        atomic_store_explicit(&other.order, NOTHING, memory_order_release);
    } while (order != END);
    return NULL;
}

/* Returns when it has been done. */
static void tell(enum order order)
{
    atomic_store_explicit(&other.order, order, memory_order_release);
    while (atomic_load_explicit(&other.order, memory_order_acquire) != NOTHING)
        sched_yield();
}

static int start_other(void **state)
{
    (void)state;
    heap = &heap_watching;
    other.gil = gil_new(&gil_none, NULL);
    other.self = (struct thread){ .locks_containers = !RC_NEEDS_GIL, .name = "other" };
    if (pthread_create(&other.os, NULL, other_main, NULL) != 0)
        abort();
    other.runs = true;
    tell(PASS_SAFEPOINT); /* so it has started */
    return 0;
}

static void end_other(void)
{
    tell(END);
    pthread_join(other.os, NULL);
    gil_delete(other.gil);
    other.runs = false;
}

static int end_other_if_it_runs(void **state)
{
    (void)state;
    if (other.runs)
        end_other();
    return 0;
}

static void test_under_a_gil_memory_is_freed_at_once(void **state)
{
    (void)state;
    thread_self->locks_containers = false;
    give_up_watched();
    thread_self->locks_containers = !RC_NEEDS_GIL;
    assert_true(is_freed());
}

static void test_an_attached_thread_holds_memory_back_and_is_named(void **state)
{
    (void)state;
    give_up_watched();
    give_up_many();
    assert_false(is_freed());
    assert_ptr_equal(qsbr_late(), &other.self);
    assert_string_equal(qsbr_late()->name, "other");
    tell(PASS_SAFEPOINT);
    assert_ptr_not_equal(qsbr_late(), &other.self);
    give_up_many();
    assert_true(is_freed());
}

static void test_a_detached_reader_never_delays_frees(void **state)
{
    (void)state;
    tell(DETACH);
    give_up_watched();
    give_up_many();
    assert_true(is_freed());
    assert_ptr_not_equal(qsbr_late(), &other.self);
    tell(ATTACH);
}

/* What it might read from then on is there until it is quiet. */
static void test_a_thread_that_attaches_is_seen_before_its_first_read(void **state)
{
    (void)state;
    for (int round = 0; round < 2; round++) { /* it has started; it has attached again */
        give_up_watched();
        give_up_many();
        assert_false(is_freed());
        tell(DETACH);
        tell(ATTACH);
    }
}

static void test_what_a_detached_thread_gave_up_is_freed_by_others(void **state)
{
    (void)state;
    tell(GIVE_UP);
    tell(DETACH);
    assert_false(is_freed()); /* this thread may be reading it */
    give_up_many();
    assert_true(is_freed());
    tell(ATTACH);
}

static void test_leftovers_of_a_thread_that_leaves_are_inherited(void **state)
{
    (void)state;
    tell(GIVE_UP);
    end_other();
    assert_false(is_freed());
    thread_detach(thread_self); /* nobody is left who might read it */
    assert_true(is_freed());
    thread_attach(thread_self);
}

static void test_what_is_held_back_is_bounded(void **state)
{
    int64_t before;

    (void)state;
    tell(DETACH);
    before = live_bytes();
    for (int i = 0; i < BLOCKS; i++) {
        free_later(heap->alloc(BLOCK_BYTES), BLOCK_BYTES);
        safepoint(thread_self);
        assert_in_range(atomic_load_explicit(&heap_state.bytes, memory_order_relaxed) - before, 0,
                        2 * RECLAIM_BATCH_BYTES + BLOCK_BYTES);
    }
    tell(ATTACH);
}

/* Sizes that are no multiple of anything, and the least there are. */
static void test_blocks_of_any_size(void **state)
{
    int64_t before = live_blocks();

    (void)state;
    for (size_t size = sizeof(struct object); size < sizeof(struct object) + 40; size++)
        free_later(heap->alloc(size), size);
    end_other();
    assert_int_equal(live_blocks(), before);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, start_other, end_other_if_it_runs)

int main(void)
{
    enum { EVEN_UNDER_A_GIL = 2 };
    const struct CMUnitTest tests[] = {
        TEST(test_under_a_gil_memory_is_freed_at_once),
        TEST(test_blocks_of_any_size),
        TEST(test_an_attached_thread_holds_memory_back_and_is_named),
        TEST(test_a_detached_reader_never_delays_frees),
        TEST(test_a_thread_that_attaches_is_seen_before_its_first_read),
        TEST(test_what_a_detached_thread_gave_up_is_freed_by_others),
        TEST(test_leftovers_of_a_thread_that_leaves_are_inherited),
        TEST(test_what_is_held_back_is_bounded),
    };

    return run_attached_count(tests,
                              RC_NEEDS_GIL ? EVEN_UNDER_A_GIL : sizeof tests / sizeof *tests);
}
