/* testing.h - what the tests of counted objects share.
 *
 * `run_attached` runs a table of tests on a thread of the runtime that is attached
 * under the lock `none`, as a program of its own policy. Its heap counts what lives,
 * fails when told to, and checks that each block is freed with its own size; a block
 * that is left over at the end fails the program.
 */
#ifndef OBJECTS_TESTS_TESTING_H
#define OBJECTS_TESTS_TESTING_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "gil/gil.h"
#include "gil/mutex.h"
#include "gil/thread.h"
#include "objects/exception.h"
#include "objects/heap.h"
#include "objects/object.h"
#include "objects/reclaim.h"

#include <stdio.h>
#include <stdlib.h>

extern const struct gil_class gil_none, gil_mutex;
extern const struct heap heap_jemalloc;

/* ---- a heap that counts and fails ---- */

struct prefix { /* before each block; keeps the alignment */
    size_t size_bytes;
    _Atomic bool *freed; /* becomes true with the block's end; NULL: nobody asked */
};

enum { PREFIX_BYTES = sizeof(struct prefix) };

static struct {
    _Atomic int64_t blocks;  /* that live */
    _Atomic int64_t tables;  /* of them: those that are no objects */
    _Atomic int64_t bytes;   /* of them, without the prefixes */
    _Atomic int64_t failing; /* the how-manieth allocation from now on fails; 0: none */
} heap_state;

static inline void *checked_alloc(size_t size_bytes)
{
    char *block;

    if (atomic_load_explicit(&heap_state.failing, memory_order_relaxed) > 0 &&
        atomic_fetch_sub_explicit(&heap_state.failing, 1, memory_order_relaxed) == 1)
        return NULL;
    block = heap_jemalloc.alloc(size_bytes + PREFIX_BYTES);
    *(struct prefix *)block = (struct prefix){ .size_bytes = size_bytes };
    atomic_fetch_add_explicit(&heap_state.blocks, 1, memory_order_relaxed);
    atomic_fetch_add_explicit(&heap_state.bytes, (int64_t)size_bytes, memory_order_relaxed);
    return block + PREFIX_BYTES;
}

static inline void checked_free(void *memory, size_t size_bytes)
{
    char *block = (char *)memory - PREFIX_BYTES;
    struct prefix *prefix = (struct prefix *)block;

    if (prefix->size_bytes != size_bytes) {
        fprintf(stderr, "a block of %zu bytes is freed as %zu\n", prefix->size_bytes, size_bytes);
        abort();
    }
    if (prefix->freed)
        atomic_store_explicit(prefix->freed, true, memory_order_relaxed);
    atomic_fetch_sub_explicit(&heap_state.blocks, 1, memory_order_relaxed);
    atomic_fetch_sub_explicit(&heap_state.bytes, (int64_t)size_bytes, memory_order_relaxed);
    memset(memory, HEAP_POISON, size_bytes); /* who reads it now reads rubbish */
    heap_jemalloc.free(block, size_bytes + PREFIX_BYTES);
}

static inline void checked_tables(int change)
{
    atomic_fetch_add_explicit(&heap_state.tables, change, memory_order_relaxed);
}

static const struct heap heap_checked = {
    .about = "counts, fails, checks sizes", .alloc = checked_alloc, .free = checked_free,
    .tables = checked_tables,
};

/* *freed becomes true when the object's memory is freed. */
static inline void tell_freed(borrowed o, _Atomic bool *freed)
{
    ((struct prefix *)((uintptr_t)o - PREFIX_BYTES))->freed = freed;
}

/* The n-th allocation from now on fails, and only that one; 0: none does. */
static inline void fail_allocation(int64_t n)
{
    atomic_store_explicit(&heap_state.failing, n, memory_order_relaxed);
}

/* Whether the failure that was asked for is still to come. */
static inline bool failure_waits(void)
{
    return atomic_load_explicit(&heap_state.failing, memory_order_relaxed) > 0;
}

/* Destroys what is to be destroyed late, and frees what is to be freed late. No other
 * thread runs. */
static inline void settle_heap(void)
{
    rc_quiesce();
    reclaim_all();
}

/* How many blocks live: objects and tables. No other thread runs. */
static inline int64_t live_blocks(void)
{
    settle_heap();
    return atomic_load_explicit(&heap_state.blocks, memory_order_relaxed);
}

static inline int64_t live_bytes(void)
{
    settle_heap();
    return atomic_load_explicit(&heap_state.bytes, memory_order_relaxed);
}

/* refcount, once the policy has caught up. No other thread runs. */
static inline int64_t exact_count(borrowed o)
{
    rc_quiesce();
    return refcount(o);
}

/* Runs `session` again and again, failing its first allocation, its second ..., until
 * one runs through. Each must end in 0, or in -1 with MemoryError, and leave no block. */
static inline void fail_everywhere(int (*session)(void))
{
    int64_t before = live_blocks();

    for (int64_t n = 1;; n++) {
        int result;

        fail_allocation(n);
        result = session();
        if (failure_waits()) {
            fail_allocation(0);
            assert_int_equal(result, 0);
            assert_true(n > 1 && "the session allocates");
            return;
        }
        assert_int_equal(result, -1);
        assert_true(exception_matches(&memory_error));
        exception_restore(NULL);
        assert_int_equal(live_blocks(), before);
    }
}

/* ---- chance ---- */

static uint64_t test_seed, test_random_state;

/* $TEST_SEED, or another one each time; a failed program names it. */
static inline void seed_random(void)
{
    const char *given = getenv("TEST_SEED");

    if (!test_seed)
        test_seed = given ? strtoull(given, NULL, 10) : clock_ns();
    test_random_state = test_seed | 1;
}

/* 0 .. below - 1. (xorshift64; G. Marsaglia, Xorshift RNGs, 2003) */
static inline uint64_t random_of(uint64_t *state, uint64_t below)
{
    *state ^= *state << 13;
    *state ^= *state >> 7;
    *state ^= *state << 17;
    return (*state >> 11) % below;
}

static inline uint64_t random_below(uint64_t below)
{
    return random_of(&test_random_state, below);
}

/* ---- an object that tells of its end ---- */

struct probe {
    struct object head;
    void (*ended)(void *argument);
    void *argument;
};

static inline void probe_destroy(struct object *o)
{
    ((struct probe *)o)->ended(((struct probe *)o)->argument);
}

static const struct type probe_type = {
    .name = "probe", .size_bytes = sizeof(struct probe), .destroy = probe_destroy,
};

static inline struct object *probe_new(void (*ended)(void *argument), void *argument)
{
    struct object *o = object_new(&probe_type, sizeof(struct probe));

    assert_non_null(o);
    ((struct probe *)o)->ended = ended;
    ((struct probe *)o)->argument = argument;
    return o;
}

/* ---- what all objects do ---- */

/* Expects TypeError, or whatever kind it is, and takes it away. */
#define assert_raises(kind) \
    do { \
        assert_true(exception_matches(kind)); \
        exception_restore(NULL); \
    } while (0)

static inline void assert_repr(borrowed o, const char *expected)
{
    char text[120];

    object_repr(o, text, sizeof text);
    assert_string_equal(text, expected);
}

static inline uint64_t hash_of(borrowed o)
{
    uint64_t hash;

    assert_int_equal(object_hash(o, &hash), 0);
    return hash;
}

static inline void count_visit(borrowed held, void *argument)
{
    (void)held;
    ++*(int *)argument;
}

/* How many objects the traverse slot of `o` visits. */
static inline int held_by(borrowed o)
{
    int count = 0;

    type_of(o)->traverse(o, count_visit, &count);
    return count;
}

/* ---- threads ---- */

struct test_thread {
    pthread_t os;
    struct gil *gil;
    bool locks_containers;
    void (*body)(struct thread *t, int index);
    int index;
};

static inline void *test_thread_main(void *argument)
{
    struct test_thread *test = argument;
    struct thread self = { .locks_containers = test->locks_containers };

    if (thread_start(&self, test->gil, &object_hooks) < 0)
        abort();
    test->body(&self, test->index);
    thread_stop(&self);
    return NULL;
}

enum { TEST_THREADS = 4 };

/* Four threads run `body` at once and end. The caller is detached meanwhile. */
static inline void run_threads_under(struct gil *gil /* steals */, bool locks_containers,
                                     void (*body)(struct thread *t, int index))
{
    struct test_thread threads[TEST_THREADS];

    assert_non_null(gil);
    thread_detach(thread_self);
    for (int i = 0; i < TEST_THREADS; i++) {
        threads[i] = (struct test_thread){ .gil = gil, .locks_containers = locks_containers,
                                           .body = body, .index = i };
        if (pthread_create(&threads[i].os, NULL, test_thread_main, &threads[i]) != 0)
            abort();
    }
    for (int i = 0; i < TEST_THREADS; i++)
        pthread_join(threads[i].os, NULL);
    thread_attach(thread_self);
    gil_delete(gil);
}

/* Without a GIL if the policy allows that, else with one that is let go of at every safe
 * point. */
static inline void run_threads(void (*body)(struct thread *t, int index))
{
    if (RC_NEEDS_GIL)
        run_threads_under(gil_new(&gil_mutex, (const int64_t[PARAM_MAX]){ 1 }), false, body);
    else
        run_threads_under(gil_new(&gil_none, NULL), true, body);
}

/* Neither a GIL nor locked containers: what races then must be atomic words, or counts. */
static inline void run_threads_unprotected(void (*body)(struct thread *t, int index))
{
    run_threads_under(gil_new(&gil_none, NULL), false, body);
}

/* ---- the program ---- */

#define run_attached(tests) run_attached_count(tests, sizeof(tests) / sizeof *(tests))

static inline int run_attached_count(const struct CMUnitTest *tests, size_t count)
{
    struct gil *gil = gil_new(&gil_none, NULL);
    struct thread self = { .locks_containers = !RC_NEEDS_GIL };
    int64_t left;
    int failed;

    heap = &heap_checked;
    if (!gil || thread_start(&self, gil, &object_hooks) < 0)
        return 1;
    failed = _cmocka_run_group_tests("objects", tests, count, NULL, NULL);
    rc_quiesce();
    rc_finish();
    thread_stop(&self);
    gil_delete(gil);
    left = atomic_load_explicit(&heap_state.blocks, memory_order_relaxed);
    if (left)
        fprintf(stderr, "%lld blocks are left over\n", (long long)left);
    if (failed && test_seed)
        fprintf(stderr, "TEST_SEED=%llu\n", (unsigned long long)test_seed);
    return failed || left;
}

#endif
