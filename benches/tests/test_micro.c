/* test_micro.c - every micro-benchmark runs, and keeps no object and frees none.
 *
 * Objects come from a heap that counts: a benchmark that leaves a count wrong either
 * frees what its setup made or keeps it past its teardown. One that has threads of its own is
 * given time: a thread of a pool may still hold the call of which the result has been taken.
 */
#include "benches/runtime.h"
#include "coroutines/io.h"
#include "coroutines/switch/way.h"
#include "objects/tests/testing.h"

#include <stdlib.h>

enum { ITERATIONS = 1000 };

static _Atomic int64_t live; /* objects */

static void *counting_alloc(size_t size_bytes)
{
    live++;
    return malloc(size_bytes);
}

static void counting_free(void *memory, size_t size_bytes)
{
    (void)size_bytes;
    live--;
    free(memory);
}

static const struct heap counting_heap = {
    .about = "counts what it has given", .alloc = counting_alloc, .free = counting_free,
};

#define JOIN_OF(a, b) a##b
#define JOIN(a, b) JOIN_OF(a, b)
extern const struct runtime JOIN(runtime_, RC_POLICY);
static const struct runtime *const runtime = &JOIN(runtime_, RC_POLICY);

static int64_t live_exactly(void)
{
    world_stop(thread_self);
    runtime->quiesce();
    world_start(thread_self);
    return live;
}

/* Threads get ten seconds. */
static void assert_live(int64_t expected)
{
    uint64_t until_ns = clock_ns() + 10ull * NS_PER_S;

    while (live_exactly() != expected && clock_ns() < until_ns)
        io_sleep_ns(NS_PER_MS);
    assert_int_equal(live, expected);
}

static void run_attached_once(const struct named_micro *named)
{
    const struct micro *micro = named->micro;
    int64_t made;

    assert_int_equal(micro->setup ? micro->setup() : 0, 0);
    made = live_exactly();
    micro->run(1);
    micro->run(ITERATIONS);
    assert_live(made);
    if (micro->teardown)
        micro->teardown();
    assert_null(exception_pending());
}

static void run_under(const struct named_gil *lock, const struct named_micro *named)
{
    struct gil *gil = gil_new(lock->class, NULL);
    struct thread self = { 0 };
    int64_t before = live;

    print_message("# %s under %s\n", named->name, lock->name);
    assert_non_null(gil);
    assert_int_equal(thread_start(&self, gil, runtime->hooks), 0);
    run_attached_once(named);
    thread_stop(&self);
    assert_int_equal(thread_start(&self, gil, runtime->hooks), 0);
    assert_live(before); /* what a thread has for itself has gone with it */
    thread_stop(&self);
    assert_int_equal(world_threads(), 0);
    gil_delete(gil);
}

static void run_in_every_way(const struct named_micro *named)
{
    for (const struct named_way *w = way_list; w->name; w++)
        if (!w->way->refusal()) {
            print_message("# by %s:\n", w->name);
            way_use(w->way);
            run_under(&(struct named_gil){ "none", &gil_none }, named);
        }
    way_use(NULL);
}

static bool fits(const struct micro *micro, const struct gil_class *lock)
{
    return (micro->per_lock || lock == &gil_none) &&
           !(micro->threads && RC_NEEDS_GIL && !lock->excludes);
}

static void test_runs_and_keeps_no_object(void **state)
{
    (void)state;
    assert_non_null(runtime->micros[0].name);
    for (const struct named_micro *m = runtime->micros; m->name; m++)
        for (const struct named_gil *g = gil_list; g->name; g++)
            if (fits(m->micro, g->class))
                run_under(g, m);
    for (const struct named_micro *m = runtime->micros; m->name; m++)
        if (m->micro->per_way)
            run_in_every_way(m);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_runs_and_keeps_no_object),
    };

    runtime->use_heap(&counting_heap);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
