/* test_stack.c - stacks: guards, pools, marks, limits. */
#include "coroutines/switch/tests/testing.h"

#include "coroutines/switch/stack.h"

#include <fcntl.h>
#include <stdlib.h>
#include <sys/mman.h>

static struct stack_pool pool;

static int begin(void **state)
{
    (void)state;
    alarm(WATCHDOG_S);
    stack_pool_init(&pool);
    return 0;
}

static int end(void **state)
{
    (void)state;
    stack_pool_fini(&pool);
    return 0;
}

static struct stack *take(size_t size_bytes)
{
    struct stack *stack = stack_take(&pool, size_bytes);

    assert_non_null(stack);
    return stack;
}

/* Whether the kernel itself can read there: a fault that kills nobody. */
static bool is_readable(const char *address)
{
    int ends[2];
    bool readable;

    assert_int_equal(pipe2(ends, O_CLOEXEC), 0);
    readable = write(ends[1], address, 1) == 1;
    close(ends[0]);
    close(ends[1]);
    return readable;
}

/* ---- Sizes and guards. */

static void test_sizes_are_rounded_up(void **state)
{
    const size_t asked[][2] = {
        { 0, STACK_STANDARD_BYTES }, { 1, STACK_LEAST_BYTES },
        { STACK_LEAST_BYTES, STACK_LEAST_BYTES }, { STACK_LEAST_BYTES + 1, 2 * STACK_LEAST_BYTES },
        { 100 * KIB, 128 * KIB }, { STACK_MOST_BYTES, STACK_MOST_BYTES },
    };

    (void)state;
    for (size_t i = 0; i < sizeof asked / sizeof *asked; i++) {
        struct stack *stack = take(asked[i][0]);

        assert_int_equal(stack->size_bytes, asked[i][1]);
        memset(stack->low, 1, stack->size_bytes);
        stack_give(&pool, stack);
    }
}

static void check_guard(const struct stack *stack)
{
    assert_true(is_readable(stack->low));
    assert_true(is_readable(stack_high(stack) - 1));
    assert_false(is_readable(stack->low - 1));
    assert_false(is_readable(stack->low - 4 * 4096));
    assert_true(stack_guards(stack, stack->low - 1));
    assert_true(stack_guards(stack, stack->low - 4 * 4096));
    assert_false(stack_guards(stack, stack->low));
    assert_false(stack_guards(stack, stack_high(stack)));
    assert_false(stack_guards(stack, NULL));
}

enum { SOME = 10 };

static void check_guards(void)
{
    struct stack *stacks[SOME];

    for (int i = 0; i < SOME; i++)
        check_guard(stacks[i] = take(32 * KIB));
    for (int i = 0; i < SOME; i++)
        stack_give(&pool, stacks[i]);
    for (int i = 0; i < SOME; i++)
        check_guard(stacks[i] = take(32 * KIB));
    for (int i = 0; i < SOME; i++)
        stack_give(&pool, stacks[i]);
}

static void test_each_stack_has_a_guard(void **state)
{
    (void)state;
    check_guards();
}

/* Those of the test above stay guarded as they were: these are of another size. */
static void test_and_where_the_kernel_has_no_advice(void **state)
{
    enum stack_guard usual = stack_guard();
    struct stack *stack;

    (void)state;
    stack_use_guard(STACK_GUARD_PROTECT);
    check_guard(stack = take(STACK_LEAST_BYTES));
    stack_give(&pool, stack);
    stack_use_guard(usual);
}

static void test_too_large_a_stack_is_refused(void **state)
{
    (void)state;
    assert_null(stack_take(&pool, (size_t)STACK_MOST_BYTES + 1));
    assert_int_equal(errno, EINVAL);
    assert_non_null(strstr(pool.why, "at most 16384"));
    assert_null(stack_take(&pool, SIZE_MAX));
    assert_int_equal(errno, EINVAL);
}

static void test_stacks_begin_at_different_lines(void **state)
{
    bool seen[64] = { false };
    struct stack *stacks[SOME];
    int lines = 0;

    (void)state;
    for (int i = 0; i < SOME; i++) {
        uintptr_t top = (uintptr_t)stack_top(stacks[i] = take(0));

        assert_int_equal(top % 64, 0);
        assert_true(stacks[i]->colour_bytes < 2048);
        lines += !seen[top % 4096 / 64];
        seen[top % 4096 / 64] = true;
    }
    assert_in_range(lines, 3, SOME); /* a test build's slab has four */
    for (int i = 0; i < SOME; i++)
        stack_give(&pool, stacks[i]);
}

/* ---- The pool. */

static void test_the_last_one_given_is_the_first_taken(void **state)
{
    struct stack *a = take(0), *b = take(0);

    (void)state;
    assert_ptr_not_equal(a, b);
    stack_give(&pool, a);
    stack_give(&pool, b);
    assert_ptr_equal(take(0), b);
    assert_ptr_equal(take(0), a);
    stack_give(&pool, a);
    stack_give(&pool, b);
}

static void test_sizes_do_not_mix(void **state)
{
    struct stack *small = take(STACK_LEAST_BYTES), *large;

    (void)state;
    stack_give(&pool, small);
    large = take(2 * STACK_LEAST_BYTES);
    assert_ptr_not_equal(large, small);
    assert_ptr_equal(take(STACK_LEAST_BYTES), small);
    stack_give(&pool, small);
    stack_give(&pool, large);
}

static void test_above_the_watermark_memory_goes_back(void **state)
{
    struct stack *a = take(0), *b = take(0), *c = take(0);

    (void)state;
    pool.warm_most = 2;
    memset(a->low, 1, a->size_bytes);
    memset(b->low, 1, b->size_bytes);
    memset(c->low, 1, c->size_bytes);
    stack_give(&pool, a);
    stack_give(&pool, b);
    stack_give(&pool, c);
    assert_int_equal(a->low[0], 1);
    assert_int_equal(b->low[0], 1);
    assert_int_equal(stack_high_water(c), 0);
    assert_ptr_equal(take(0), b);
    assert_ptr_equal(take(0), a);
    assert_ptr_equal(take(0), c);
    assert_int_equal(c->low[0], 0);
    check_guard(c);
    stack_give(&pool, a);
    stack_give(&pool, b);
    stack_give(&pool, c);
}

static void *take_and_leave(void *argument)
{
    struct stack_pool own;
    struct stack *stack;

    stack_pool_init(&own);
    stack = stack_take(&own, STACK_MOST_BYTES / 2);
    stack->low[0] = 1;
    *(struct stack **)argument = stack;
    stack_give(&own, stack);
    stack_pool_fini(&own);
    return NULL;
}

static void test_a_thread_that_ends_leaves_its_stacks(void **state)
{
    struct stack *left = NULL;
    pthread_t id;

    (void)state;
    assert_int_equal(pthread_create(&id, NULL, take_and_leave, &left), 0);
    assert_int_equal(pthread_join(id, NULL), 0);
    assert_ptr_equal(take(STACK_MOST_BYTES / 2), left);
    assert_int_equal(left->low[0], 0);
    check_guard(left);
    stack_give(&pool, left);
}

/* ---- High-water marks. */

static void test_the_high_water_mark_is_the_lowest_page_touched(void **state)
{
    struct stack *stack = take(512 * KIB);

    (void)state;
    assert_int_equal(stack_high_water(stack), 0);
    stack_high(stack)[-1] = 1;
    assert_int_equal(stack_high_water(stack), 4096);
    stack_high(stack)[-300 * KIB] = 1;
    assert_int_equal(stack_high_water(stack), 300 * KIB);
    stack->low[0] = 1;
    assert_int_equal(stack_high_water(stack), 512 * KIB);
    pool.warm_most = 0;
    stack_give(&pool, stack);
    assert_ptr_equal(take(512 * KIB), stack);
    assert_int_equal(stack_high_water(stack), 0);
    stack_give(&pool, stack);
}

static void *yield_self(void *self)
{
    return fiber_yield(self, NULL);
}

static void *go_deep(struct fiber *self, void *first)
{
    return call_deep((size_t)number(first), yield_self, self);
}

/* With a sanitizer's fake stack the frames stand elsewhere. */
static void test_a_fiber_has_a_mark(void **state)
{
    struct fiber *shallow, *deep;

    (void)state;
    carrier_open(&here);
    shallow = fiber_new_with(&here, "shallow", go_deep, NULL, 1024 * KIB);
    deep = fiber_new_with(&here, "deep", go_deep, NULL, 1024 * KIB);
    fiber_resume(&here, shallow, pointer(1));
    fiber_resume(&here, deep, pointer(200 * KIB));
    assert_in_range(fiber_high_water(shallow), 4096, 64 * KIB);
    if (!SANITIZED)
        assert_in_range(fiber_high_water(deep), 200 * KIB, 400 * KIB);
    destroy(shallow);
    destroy(deep);
    carrier_close(&here);
}

/* ---- Limits, in children. */

static int maps(void)
{
    FILE *file = fopen("/proc/self/maps", "re");
    int lines = 0;

    for (int c; file && (c = fgetc(file)) != EOF;)
        lines += c == '\n';
    if (file)
        fclose(file);
    return lines;
}

static size_t resident_bytes(void)
{
    FILE *file = fopen("/proc/self/statm", "re");
    size_t pages = 0;

    if (file && fscanf(file, "%*u %zu", &pages) != 1)
        pages = 0;
    if (file)
        fclose(file);
    return pages * (size_t)sysconf(_SC_PAGESIZE);
}

static void *yield_once(struct fiber *self, void *first)
{
    return fiber_yield(self, first);
}

enum { LIVE = 100000, MAPS_MOST = 1000, EACH_BYTES_MOST = 4608 };

/* What ucontext keeps takes half a page, so with some colours there is a second page. */
static size_t each_bytes_most(void)
{
    return way_standard() == &way_native ? EACH_BYTES_MOST : 2 * EACH_BYTES_MOST;
}

/* So that what is left is the child's alone. */
static int live_stacks(void)
{
    size_t before_bytes, bytes;

    carrier_open(&here);
    before_bytes = resident_bytes();
    for (int i = 0; i < LIVE; i++) {
        struct fiber *f = fiber_new(&here, "one of many", yield_once);

        if (!f || fiber_resume(&here, f, f) != f) {
            dprintf(STDERR_FILENO, "%d of %d: %s", i, LIVE, here.stacks.why);
            return 1;
        }
    }
    bytes = (resident_bytes() - before_bytes) / LIVE;
    dprintf(STDERR_FILENO, "%d live guarded stacks: %zu bytes each, %d maps", LIVE, bytes, maps());
    return maps() <= MAPS_MOST && bytes <= each_bytes_most() ? 0 : 2;
}

static void test_a_hundred_thousand_live_guarded_stacks(void **state)
{
    struct ended ended;

    (void)state;
    if (SANITIZED || stack_guard() != STACK_GUARD_ADVICE) {
        print_message("# skipped: %s\n", SANITIZED ? "sanitizers have a limit of their own"
                                                   : "this kernel has no guards by advice");
        return;
    }
    ended = in_child(live_stacks);
    print_message("# %s\n", ended.said);
    assert_int_equal(ended.status, 0);
}

static int meet_the_limit_of_maps(void)
{
    int taken = 0;

    stack_use_guard(STACK_GUARD_PROTECT);
    while (taken < LIVE && stack_take(&pool, STACK_LEAST_BYTES))
        taken++;
    dprintf(STDERR_FILENO, "%s", pool.why);
    return errno == ENOMEM && taken > 1000 && taken < LIVE ? 0 : 1;
}

static void test_the_limit_of_maps_is_explained(void **state)
{
    struct ended ended;

    (void)state;
    if (SANITIZED) {
        print_message("# skipped: sanitizers have a limit of their own\n");
        return;
    }
    ended = in_child(meet_the_limit_of_maps);
    print_message("# %s\n", ended.said);
    assert_int_equal(ended.status, 0);
    assert_non_null(strstr(ended.said, "vm.max_map_count"));
}

static void limit_addresses(size_t more_bytes)
{
    FILE *file = fopen("/proc/self/statm", "re");
    size_t pages = 0;

    if (file && fscanf(file, "%zu", &pages) == 1) {
        rlim_t limit = pages * (size_t)sysconf(_SC_PAGESIZE) + more_bytes;

        setrlimit(RLIMIT_AS, &(struct rlimit){ limit, limit });
    }
    if (file)
        fclose(file);
}

static int meet_the_limit_of_addresses(void)
{
    int taken = 0;

    limit_addresses(256 << 20);
    while (taken < LIVE && stack_take(&pool, STACK_MOST_BYTES))
        taken++;
    dprintf(STDERR_FILENO, "%s", pool.why);
    return errno == ENOMEM && taken > 3 && taken < 20 ? 0 : 1;
}

static void test_the_limit_of_addresses_is_explained(void **state)
{
    struct ended ended;

    (void)state;
    if (SANITIZED) {
        print_message("# skipped: sanitizers need all addresses\n");
        return;
    }
    ended = in_child(meet_the_limit_of_addresses);
    print_message("# %s\n", ended.said);
    assert_int_equal(ended.status, 0);
    assert_non_null(strstr(ended.said, "RLIMIT_AS"));
}

/* A fiber that cannot be had leaves everything as it was. */
static int fail_to_make_fibers(void)
{
    struct fiber *f = NULL, *more = NULL;
    int errors = 0;

    carrier_open(&here);
    limit_addresses(64 << 20);
    for (const struct named_way *w = way_list; w->name; w++) {
        if (w->way == &way_copystack || w->way->refusal())
            continue;
        f = fiber_new_with(&here, "first", yield_once, w->way, STACK_LEAST_BYTES);
        do
            more = fiber_new_with(&here, "more", yield_once, w->way, STACK_MOST_BYTES);
        while (more);
        errors += errno != ENOMEM || !strstr(here.stacks.why, "RLIMIT_AS");
        errors += !f || fiber_resume(&here, f, f) != f || fiber_destroy(&here, f) < 0;
    }
    return errors;
}

static void test_a_fiber_without_a_stack_is_refused(void **state)
{
    (void)state;
    if (SANITIZED)
        print_message("# skipped: sanitizers need all addresses\n");
    else
        assert_int_equal(in_child(fail_to_make_fibers).status, 0);
}

static void *volatile taken; /* so that the compiler does not leave the calls out */

/* copystack needs memory when somebody must leave the stage. */
static int fail_to_copy(void)
{
    struct fiber *deep, *other;
    int errors = 0;

    carrier_open(&here);
    deep = fiber_new_with(&here, "deep", go_deep, &way_copystack, 0);
    other = fiber_new_with(&here, "other", yield_once, &way_copystack, 0);
    errors += fiber_resume(&here, deep, pointer(200 * KIB)) != NULL;
    limit_addresses(0);
    while ((taken = malloc(64 * KIB)))
        ;
    errors += fiber_resume(&here, other, other) != FIBER_FAILED || errno != ENOMEM;
    errors += fiber_state(other) != FIBER_SUSPENDED || here.current;
    errors += fiber_resume(&here, deep, pointer(7)) != pointer(7);
    errors += fiber_resume(&here, other, other) != other;
    return errors;
}

static void test_copystack_without_memory_is_refused(void **state)
{
    (void)state;
    if (SANITIZED)
        print_message("# skipped: sanitizers need all addresses\n");
    else if (way_copystack.refusal())
        print_message("# skipped: %s\n", way_copystack.refusal());
    else
        assert_int_equal(in_child(fail_to_copy).status, 0);
}

#define pooled(f) cmocka_unit_test_setup_teardown(f, begin, end)

int main(void)
{
    const struct CMUnitTest tests[] = {
        pooled(test_sizes_are_rounded_up),
        pooled(test_each_stack_has_a_guard),
        pooled(test_and_where_the_kernel_has_no_advice),
        pooled(test_too_large_a_stack_is_refused),
        pooled(test_stacks_begin_at_different_lines),
        pooled(test_the_last_one_given_is_the_first_taken),
        pooled(test_sizes_do_not_mix),
        pooled(test_above_the_watermark_memory_goes_back),
        pooled(test_a_thread_that_ends_leaves_its_stacks),
        pooled(test_the_high_water_mark_is_the_lowest_page_touched),
        pooled(test_a_fiber_has_a_mark),
        pooled(test_a_hundred_thousand_live_guarded_stacks),
        pooled(test_the_limit_of_maps_is_explained),
        pooled(test_the_limit_of_addresses_is_explained),
        pooled(test_a_fiber_without_a_stack_is_refused),
        pooled(test_copystack_without_memory_is_refused),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
