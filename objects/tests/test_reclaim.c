/* test_reclaim.c - memory is freed when no thread reads it any more, and then it is. */
#include "gil/qsbr.h"
#include "objects/dict.h"
#include "objects/float.h"
#include "objects/int.h"
#include "objects/list.h"
#include "objects/reclaim.h"
#include "objects/tests/testing.h"

#include <sched.h>

enum { BLOCK_BYTES = 64, BLOCKS = 8 * RECLAIM_BATCH_BYTES / BLOCK_BYTES };
enum { TIMES = 1000000, CLEAR_EVERY = 30, PLACES = 12, STRANGERS = 64 };

/* A heap that tells whether one block has been freed; and that, when asked, makes of the
 * memory of an int at once an object of another type, which lives for a while. */

static void *watched;
static _Atomic bool watched_is_freed;
static bool reuses; /* set while there is one thread */
static _Atomic(void *) strangers[STRANGERS];
static _Atomic unsigned strangers_made;

static void replace_stranger(unsigned number, void *memory)
{
    void *old =
        atomic_exchange_explicit(&strangers[number % STRANGERS], memory, memory_order_acq_rel);

    if (old)
        checked_free(old, sizeof(struct int_object));
}

static void make_stranger(struct object *o)
{
    rc_init(&o->rc);
    o->type = &float_type;
    replace_stranger(atomic_fetch_add_explicit(&strangers_made, 1, memory_order_relaxed), o);
}

static void test_heap_free(void *memory, size_t size_bytes)
{
    if (memory == watched)
        atomic_store_explicit(&watched_is_freed, true, memory_order_relaxed);
    if (reuses && size_bytes == sizeof(struct int_object))
        make_stranger(memory);
    else
        checked_free(memory, size_bytes);
}

static const struct heap test_heap = {
    .about = "for this test",
    .alloc = checked_alloc,
    .free = test_heap_free,
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

enum order { NOTHING, PASS_SAFEPOINT, DETACH, ATTACH, GIVE_UP, READ, END };

static struct {
    struct thread self;
    struct gil *gil;
    pthread_t os;
    bool runs;
    _Atomic int order;
    _Atomic bool enough;          /* the test's thread has written as often as it should */
    struct object *(*read)(void); /* a new reference to what is shared now, or NULL */
    int64_t got, strange;         /* how often it got something; that was no int */
} other;

/* Reads again and again what the test's thread replaces all the while. */
static void read_often(void)
{
    other.got = other.strange = 0;
    for (int i = 0; i < TIMES || !atomic_load_explicit(&other.enough, memory_order_relaxed); i++) {
        struct object *item = other.read();

        other.got += item != NULL;
        other.strange += item && (type_of(item) != &int_type || int_value(item) != TIMES);
        xdecref(item);
        exception_restore(NULL); /* it may have been cleared */
        safepoint(&other.self);
    }
}

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
    case READ:
        read_often();
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

static void begin(enum order order)
{
    atomic_store_explicit(&other.order, order, memory_order_release);
}

static bool has_done(void)
{
    return atomic_load_explicit(&other.order, memory_order_acquire) == NOTHING;
}

/* Returns when it has been done. */
static void tell(enum order order)
{
    begin(order);
    while (!has_done())
        sched_yield();
}

static int start_other(void **state)
{
    (void)state;
    heap = &test_heap;
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

/* Readers against a writer who replaces what they read, so that it dies. */

static struct object *container; /* owned by the test */

static struct object *read_list(void)
{
    static size_t count;

    return list_get(container, count++ % PLACES);
}

/* It grows, until it is cleared. */
static void write_list(borrowed item)
{
    static size_t count;

    if (list_length(container) == PLACES ? list_set(container, count++ % PLACES, item)
                                         : list_append(container, item))
        abort();
}

static struct object *read_dict(void)
{
    struct object *equal = int_new(1), *value = dict_get(container, equal);

    decref(equal);
    return value;
}

/* With another key and so another entry, now and then. */
static void write_dict(borrowed item)
{
    static unsigned count;
    struct object *equal = int_new(1);

    if (++count % 2 && dict_contains(container, equal))
        dict_delete(container, equal);
    if (dict_set(container, equal, item) < 0)
        abort();
    decref(equal);
}

static void assert_reads_are_sound(struct object *(*read)(void), void (*write)(borrowed item))
{
    publish(container);
    reuses = true;
    other.read = read;
    atomic_store_explicit(&other.enough, false, memory_order_relaxed);
    begin(READ);
    for (int i = 0; !has_done(); i++) {
        struct object *item = int_new(TIMES);

        if (i % CLEAR_EVERY == 0)
            type_of(container)->clear(container);
        write(item);
        decref(item);
        if (i == TIMES)
            atomic_store_explicit(&other.enough, true, memory_order_relaxed);
        safepoint(thread_self);
    }
    reuses = false;
    for (unsigned i = 0; i < STRANGERS; i++)
        replace_stranger(i, NULL);
    decref(container);
    assert_true(other.got > 0);
    assert_int_equal(other.strange, 0);
}

static void test_list_get_while_items_are_replaced_and_freed(void **state)
{
    (void)state;
    container = list_new();
    assert_reads_are_sound(read_list, write_list);
}

static void test_dict_get_while_values_are_replaced_and_freed(void **state)
{
    (void)state;
    container = dict_new();
    assert_reads_are_sound(read_dict, write_dict);
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
        TEST(test_list_get_while_items_are_replaced_and_freed),
        TEST(test_dict_get_while_values_are_replaced_and_freed),
    };

    return run_attached_count(tests,
                              RC_NEEDS_GIL ? EVEN_UNDER_A_GIL : sizeof tests / sizeof *tests);
}
