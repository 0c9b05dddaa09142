/* test_heap.c - every heap gives memory that it takes back; a lack of it is an error.
 *
 * With -DHEAP_TWIN=heap_x the same promises are put to that heap alone.
 */
#include "objects/heap.h"

#include "objects/int.h"
#include "objects/list.h"
#include "objects/tests/testing.h"

#include <dlfcn.h>
#include <pthread.h>
#include <string.h>
#if !SANITIZED
#include <jemalloc/jemalloc.h>
#endif

#ifdef HEAP_TWIN
extern const struct heap HEAP_TWIN;
static const struct named_heap heaps[] = { { "twin", &HEAP_TWIN }, { NULL, NULL } };
#else
static const struct named_heap *const heaps = heap_list;
#endif

enum { LARGEST_BYTES = 64 * 1024, THREADS = 4 };

static struct gil *gil;
static _Atomic int mishaps;

/* In threads, where cmocka's assertions cannot be used. */
static void expect(bool as_it_should)
{
    if (!as_it_should)
        atomic_fetch_add_explicit(&mishaps, 1, memory_order_relaxed);
}

/* Runs `body` on `threads` threads of the runtime for each heap; nothing may go amiss. */
static void for_each_heap(int threads, void *(*body)(void *index))
{
    for (const struct named_heap *h = heaps; h->name; h++) {
        const struct heap *before = heap;
        pthread_t os[THREADS];

        print_message("# %s\n", h->name);
        assert_null(h->heap->open ? h->heap->open() : NULL);
        heap = h->heap;
        atomic_store_explicit(&mishaps, 0, memory_order_relaxed);
        for (intptr_t i = 0; i < threads; i++)
            assert_int_equal(pthread_create(&os[i], NULL, body, (void *)i), 0);
        for (int i = 0; i < threads; i++)
            pthread_join(os[i], NULL);
        heap = before;
        assert_int_equal(atomic_load_explicit(&mishaps, memory_order_relaxed), 0);
    }
}

static void enter(struct thread *t)
{
    *t = (struct thread){ 0 };
    expect(thread_start(t, gil, &object_hooks) == 0);
}

/* ---- One thread ---- */

static void *take_every_size(void *unused)
{
    struct thread self;

    enter(&self);
    for (size_t size_bytes = 1; size_bytes <= LARGEST_BYTES; size_bytes += 1 + size_bytes / 64) {
        void *memory = heap_alloc(size_bytes);

        expect(memory && (size_bytes < 16 || (uintptr_t)memory % 16 == 0));
        expect(!heap->takes || heap->takes(size_bytes) >= size_bytes);
        memset(memory, 0xA5, size_bytes);
        heap_free(memory, size_bytes);
    }
    thread_stop(&self);
    return unused;
}

static void test_gives_aligned_memory(void **state)
{
    (void)state;
    for_each_heap(1, take_every_size);
}

/* So much is in use by this thread, as far as jemalloc knows. */
static int64_t in_use_bytes(void)
{
#if SANITIZED
    return 0;
#else
    uint64_t allocated, deallocated;
    size_t length = sizeof allocated;

    expect(mallctl("thread.allocated", &allocated, &length, NULL, 0) == 0);
    expect(mallctl("thread.deallocated", &deallocated, &length, NULL, 0) == 0);
    return (int64_t)(allocated - deallocated);
#endif
}

enum { BLOCKS = 4000, BLOCK_BYTES = 48 };

static void take_blocks(void **block)
{
    for (int i = 0; i < BLOCKS; i++) {
        block[i] = heap_alloc(BLOCK_BYTES);
        if (!block[i])
            abort();
    }
}

static void give_blocks(void **block)
{
    for (int i = 0; i < BLOCKS; i++)
        heap_free(block[i], BLOCK_BYTES);
}

/* As one of the runtime and, before and after that, as one that is not. */
static void *come_and_go(void *unused)
{
    void *block[BLOCKS];
    struct thread self;
    int64_t before = in_use_bytes();

    take_blocks(block);
    give_blocks(block);
    expect(in_use_bytes() == before);
    enter(&self);
    take_blocks(block);
    give_blocks(block);
    expect(in_use_bytes() - before < BLOCKS * BLOCK_BYTES / 4); /* what it keeps is bounded */
    take_blocks(block);
    thread_stop(&self);
    give_blocks(block);
    expect(in_use_bytes() == before);
    return unused;
}

static void test_keeps_little_and_nothing_for_who_has_left(void **state)
{
    (void)state;
    for_each_heap(1, come_and_go);
}

/* ---- Several ---- */

enum { ROUNDS = SANITIZED ? 20000 : 100000, SHELF = 16, OWN = 32 };

struct parcel {
    size_t size_bytes;
    unsigned char mark, content[];
};

static _Atomic(struct parcel *) shelf[SHELF]; /* whoever puts one there takes what was there */

static struct parcel *pack(uint64_t *random)
{
    size_t least = sizeof(struct parcel), range = random_of(random, 64) ? 200 : LARGEST_BYTES;
    size_t size_bytes = least + random_of(random, range);
    struct parcel *p = heap_alloc(size_bytes);

    if (!p)
        abort();
    p->size_bytes = size_bytes;
    p->mark = (unsigned char)random_of(random, 256);
    memset(p->content, p->mark, size_bytes - offsetof(struct parcel, content));
    return p;
}

static void unpack(struct parcel *p)
{
    size_t content_bytes;

    if (!p)
        return;
    content_bytes = p->size_bytes - offsetof(struct parcel, content);
    for (size_t i = 0; i < content_bytes; i++)
        if (p->content[i] != p->mark) {
            expect(false);
            break;
        }
    heap_free(p, p->size_bytes);
}

/* Some parcels stay with who made them, some are freed by another thread. */
static void *trade(void *index)
{
    uint64_t random = test_seed + 0x9E3779B97F4A7C15u * ((uint64_t)(intptr_t)index + 1);
    struct parcel *own[OWN] = { NULL };
    struct thread self;

    enter(&self);
    for (int i = 0; i < ROUNDS; i++) {
        struct parcel **place = &own[random_of(&random, OWN)], *p = *place;

        *place = pack(&random);
        if (random_of(&random, 2))
            p = atomic_exchange_explicit(&shelf[random_of(&random, SHELF)], p,
                                         memory_order_acq_rel);
        unpack(p);
    }
    for (int i = 0; i < OWN; i++)
        unpack(own[i]);
    for (int i = 0; i < SHELF; i++)
        unpack(atomic_exchange_explicit(&shelf[i], NULL, memory_order_acq_rel));
    thread_stop(&self);
    return NULL;
}

static void test_threads_free_what_others_made(void **state)
{
    (void)state;
    seed_random();
    for_each_heap(THREADS, trade);
}

#ifndef HEAP_TWIN

extern const struct heap heap_arena, heap_freelist, heap_mimalloc, heap_system;

#if !SANITIZED
static unsigned arenas(void)
{
    unsigned count = 0;
    size_t length = sizeof count;

    assert_int_equal(mallctl("arenas.narenas", &count, &length, NULL, 0), 0);
    return count;
}

static unsigned own_arena(void)
{
    unsigned arena = 0;
    size_t length = sizeof arena;

    expect(mallctl("thread.arena", &arena, &length, NULL, 0) == 0);
    return arena;
}

static pthread_barrier_t all_here;

static void *note_arena(void *place)
{
    struct thread self;
    unsigned before = own_arena();

    enter(&self);
    thread_detach(&self);
    *(unsigned *)place = own_arena();
    pthread_barrier_wait(&all_here);
    thread_attach(&self);
    thread_stop(&self);
    expect(own_arena() == before);
    return NULL;
}
#endif

/* Those that live at once have different ones; 100 000 that come and go have the same. */
static void test_an_arena_is_for_one_thread_at_a_time(void **state)
{
#if !SANITIZED
    unsigned arena[THREADS], before;
    const struct heap *chosen = heap;
    pthread_t os[THREADS];
    struct thread self;

    atomic_store_explicit(&mishaps, 0, memory_order_relaxed);
    pthread_barrier_init(&all_here, NULL, THREADS);
    heap = &heap_arena;
    for (int i = 0; i < THREADS; i++)
        assert_int_equal(pthread_create(&os[i], NULL, note_arena, &arena[i]), 0);
    for (int i = 0; i < THREADS; i++)
        pthread_join(os[i], NULL);
    pthread_barrier_destroy(&all_here);
    for (int i = 0; i < THREADS; i++)
        for (int k = 0; k < i; k++)
            assert_int_not_equal(arena[i], arena[k]);
    before = arenas();
    for (int i = 0; i < 100000; i++) {
        enter(&self);
        heap_free(heap_alloc(BLOCK_BYTES), BLOCK_BYTES);
        thread_stop(&self);
    }
    heap = chosen;
    assert_int_equal(arenas(), before);
    assert_int_equal(atomic_load_explicit(&mishaps, memory_order_relaxed), 0);
#endif
    (void)state;
}

#if !SANITIZED && !defined(NDEBUG)
static void *read_after_free(void *unused)
{
    struct thread self;
    unsigned char *memory;

    enter(&self);
    memory = heap_alloc(BLOCK_BYTES);
    memset(memory, 1, BLOCK_BYTES);
    heap_free(memory, BLOCK_BYTES);
    __asm__ volatile("" : "+r"(memory) : : "memory");
    for (size_t i = sizeof(struct heap_block); i < BLOCK_BYTES && heap->lists; i++)
        expect(memory[i] == HEAP_POISON);
    thread_stop(&self);
    return unused;
}
#endif

static void test_lists_poison_what_is_freed(void **state)
{
    (void)state;
#if !SANITIZED && !defined(NDEBUG)
    assert_true(heap_freelist.lists);
    for_each_heap(1, read_after_free);
#endif
}

/* "libjemalloc.so.2" ends the name of the file where the function stands. */
static bool stands_in(void *function, const char *library)
{
    Dl_info info;

    return dladdr(function, &info) && strstr(info.dli_fname, library);
}

/* The heap `jemalloc` calls malloc: it must be the one that sdallocx belongs to. And
 * mimalloc, which defines all these names, must have taken over none. */
static void test_malloc_belongs_to_whom_it_should(void **state)
{
    void *functions[] = { malloc, calloc, realloc, free, aligned_alloc };

    (void)state;
    assert_null(heap_mimalloc.open ? heap_mimalloc.open() : NULL);
    for (size_t i = 0; i < sizeof functions / sizeof *functions; i++)
        assert_int_equal(stands_in(functions[i], "libjemalloc.so"), !SANITIZED);
#if !SANITIZED
    extern void *__libc_malloc(size_t size_bytes);
    extern void __libc_free(void *memory);

    assert_true(stands_in(__libc_malloc, "libc.so"));
    assert_true(stands_in(__libc_free, "libc.so"));
    assert_true(stands_in(reallocarray, "libc.so"));
#endif
}

#if !SANITIZED
static uint64_t allocated_bytes(void)
{
    uint64_t allocated = 0;
    size_t length = sizeof allocated;

    assert_int_equal(mallctl("thread.allocated", &allocated, &length, NULL, 0), 0);
    return allocated;
}
#endif

/* Where the blocks come from, by the allocators' own word. */
static void test_blocks_belong_to_whom_they_should(void **state)
{
    (void)state;
#if !SANITIZED
    extern const struct heap heap_jemalloc;
    void *library = dlopen("libmimalloc.so.2", RTLD_NOW | RTLD_NOLOAD);
    bool (*is_mimallocs)(const void *memory);

    assert_null(heap_mimalloc.open());
    assert_non_null(library);
    is_mimallocs = (bool (*)(const void *))dlsym(library, "mi_is_in_heap_region");
    assert_non_null(is_mimallocs);
    for (const struct named_heap *h = heap_list; h->name; h++) {
        bool is_jemallocs = h->heap != &heap_mimalloc && h->heap != &heap_system;
        uint64_t before = allocated_bytes();
        void *memory = h->heap->alloc(BLOCK_BYTES);

        assert_int_equal(is_mimallocs(memory), h->heap == &heap_mimalloc);
        assert_int_equal(allocated_bytes() - before, is_jemallocs ? BLOCK_BYTES : 0);
        h->heap->free(memory, BLOCK_BYTES);
    }
    dlclose(library);
#endif
}

/* A sanitizer ends the program instead. */
static void test_too_much_is_refused(void **state)
{
    (void)state;
#if !SANITIZED
    for (const struct named_heap *h = heap_list; h->name; h++)
        assert_null(h->heap->alloc(PTRDIFF_MAX - 4096));
#endif
}

/* ---- Counting ---- */

static void test_counts_objects_and_what_they_take(void **state)
{
    const struct heap *chosen = heap;
    struct heap_counts before, counts;
    struct object *list, *item;

    (void)state;
    heap_count();
    heap_counted(&before);
    assert_int_equal(before.most, 0);
    list = list_new();
    item = int_new(1);
    assert_int_equal(list_append(list, item), 0);
    heap_counted(&counts);
    assert_int_equal(counts.live, 2); /* the list's table is no object */
    assert_true(counts.asked_bytes > (int64_t)(object_size(list) + object_size(item)));
    assert_true(heap->takes ? counts.taken_bytes >= counts.asked_bytes : counts.taken_bytes == -1);
    decref(item);
    decref(list);
    rc_quiesce();
    for (int i = 0; i < 10; i++)
        decref(int_new(i));
    rc_quiesce();
    before = counts;
    heap_counted(&counts);
    heap = chosen;
    assert_int_equal(counts.live, 0);
    assert_true(counts.most >= 2 && counts.asked_bytes >= before.asked_bytes);
}

static void *no_alloc(size_t size_bytes)
{
    (void)size_bytes;
    return NULL;
}

static void test_no_memory_is_an_error(void **state)
{
    static const struct heap empty = { .about = "has none", .alloc = no_alloc };
    const struct heap *chosen = heap;
    struct object *o;

    (void)state;
    heap = &empty;
    o = int_new(1);
    heap = chosen;
    assert_null(o);
    assert_true(exception_matches(&memory_error));
    exception_restore(NULL);
}

#endif

/* Each chooses its heap, so no thread of the runtime is there. */
static int run_choosing(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_gives_aligned_memory),
        cmocka_unit_test(test_keeps_little_and_nothing_for_who_has_left),
        cmocka_unit_test(test_threads_free_what_others_made),
#ifndef HEAP_TWIN
        cmocka_unit_test(test_an_arena_is_for_one_thread_at_a_time),
        cmocka_unit_test(test_lists_poison_what_is_freed),
        cmocka_unit_test(test_malloc_belongs_to_whom_it_should),
        cmocka_unit_test(test_blocks_belong_to_whom_they_should),
        cmocka_unit_test(test_too_much_is_refused),
#endif
    };
    int failed;

    gil = gil_new(&gil_none, NULL);
    failed = cmocka_run_group_tests(tests, NULL, NULL);
    gil_delete(gil);
    if (failed && test_seed)
        fprintf(stderr, "TEST_SEED=%llu\n", (unsigned long long)test_seed);
    return failed;
}

int main(void)
{
#ifdef HEAP_TWIN
    return run_choosing();
#else
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_counts_objects_and_what_they_take),
        cmocka_unit_test(test_no_memory_is_an_error),
    };
    int failed = run_choosing();

    return run_attached(tests) || failed;
#endif
}
