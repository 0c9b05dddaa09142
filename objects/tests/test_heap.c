/* test_heap.c - every heap gives memory that it takes back; a lack of it is an error. */
#include "objects/heap.h"

#include "objects/int.h"
#include "objects/tests/testing.h"

#include <string.h>
#if !SANITIZED
#include <jemalloc/jemalloc.h>
#endif

enum { SIZES = 200 };

static void test_gives_aligned_memory(void **state)
{
    (void)state;
    for (const struct named_heap *h = heap_list; h->name; h++)
        for (size_t size_bytes = 1; size_bytes < SIZES; size_bytes++) {
            void *memory = h->heap->alloc(size_bytes);

            assert_non_null(memory);
            if (size_bytes >= 16)
                assert_int_equal((uintptr_t)memory % 16, 0);
            memset(memory, 0xA5, size_bytes);
            h->heap->free(memory, size_bytes);
        }
}

/* The heap calls malloc: it must be the one that sdallocx belongs to. */
static void test_jemalloc_owns_malloc(void **state)
{
    (void)state;
#if !SANITIZED
    extern const struct heap heap_jemalloc;
    uint64_t before, after;
    size_t length = sizeof before;
    void *memory;

    assert_int_equal(mallctl("thread.allocated", &before, &length, NULL, 0), 0);
    memory = heap_jemalloc.alloc(SIZES);
    assert_int_equal(mallctl("thread.allocated", &after, &length, NULL, 0), 0);
    heap_jemalloc.free(memory, SIZES);
    assert_true(after >= before + SIZES);
#endif
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

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_gives_aligned_memory),
        cmocka_unit_test(test_jemalloc_owns_malloc),
        cmocka_unit_test(test_no_memory_is_an_error),
    };

    return run_attached(tests);
}
