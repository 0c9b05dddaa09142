/* test_watchdog.c - who passes no safe point is named, and nobody else; by a clock of ours. */
#include "gil/tests/testing.h"

#include "gil/mutex.h"
#include "gil/watchdog.h"

#include <string.h>

enum { PATIENCE = 1000, STEP = PATIENCE / 4 };

static struct {
    int count;
    const struct thread *late;
    uint64_t since_ns;
} told;

static void tell(const struct thread *late, uint64_t since_ns)
{
    told.count++;
    told.late = late;
    told.since_ns = since_ns;
}

static uint64_t now_ns;

/* So many looks, a quarter of the patience apart. How often it told. */
static int look(int times)
{
    told.count = 0;
    for (int i = 0; i < times; i++) {
        now_ns += STEP;
        watchdog_look(now_ns, PATIENCE, tell);
    }
    return told.count;
}

static struct gil *gil;
static struct thread self;

static int begin(void **state)
{
    set_watchdog(state);
    gil = gil_new(gil_list[0].class, NULL);
    memset(&self, 0, sizeof self);
    now_ns = 1000000;
    return thread_start(&self, gil, NULL);
}

static int end(void **state)
{
    thread_stop(&self);
    gil_delete(gil);
    return nobody_is_left(state);
}

static void test_who_passes_none_is_named_and_again_when_the_time_has_doubled(void **state)
{
    (void)state;
    assert_int_equal(look(4), 0); /* asked in the first, late 3/4 in the last */
    assert_int_equal(look(1), 1);
    assert_ptr_equal(told.late, &self);
    assert_int_equal(told.since_ns, PATIENCE);
    assert_int_equal(look(3), 0);
    assert_int_equal(look(1), 1);
    assert_int_equal(told.since_ns, 2 * PATIENCE);
    assert_int_equal(look(7), 0);
    assert_int_equal(look(1), 1);
    assert_int_equal(told.since_ns, 4 * PATIENCE);
}

static void test_a_safe_point_answers(void **state)
{
    (void)state;
    for (int i = 0; i < 10; i++) {
        assert_int_equal(look(4), 0);
        safepoint(&self);
    }
    assert_int_equal(look(4), 0);
    assert_int_equal(look(1), 1);
    safepoint(&self);
    assert_int_equal(look(4), 0);
    assert_int_equal(look(1), 1);
    assert_int_equal(told.since_ns, PATIENCE);
}

static void test_detaching_answers(void **state)
{
    (void)state;
    for (int i = 0; i < 10; i++) {
        assert_int_equal(look(4), 0);
        thread_detach(&self);
        thread_attach(&self);
    }
    assert_int_equal(look(4), 0);
    assert_int_equal(look(1), 1);
}

static void test_who_is_detached_is_not_late(void **state)
{
    (void)state;
    thread_detach(&self);
    assert_int_equal(look(20), 0);
    thread_attach(&self);
    assert_int_equal(look(3), 0); /* asked by the last look before */
    assert_int_equal(look(1), 1);
    assert_int_equal(told.since_ns, PATIENCE);
}

/* Waits for others: it is not what keeps the world from running. */
static void test_who_stops_the_world_is_not_late(void **state)
{
    (void)state;
    world_stop(&self);
    assert_int_equal(look(20), 0);
    world_start(&self);
    assert_int_equal(look(3), 0);
    assert_int_equal(look(1), 1);
}

/* What is asked by the watchdog and by another at once is done for both. */
static void test_a_stop_is_not_forgotten(void **state)
{
    (void)state;
    look(1);
    thread_request(&self, BREAKER_STOP);
    safepoint(&self);
    assert_false(is_asked(&self, BREAKER_STOP | BREAKER_PULSE));
    assert_int_equal(look(4), 0);
}

static struct thread other;
static _Atomic int other_runs, other_may_go, named;

static void *compute(void *argument)
{
    (void)argument;
    memset(&other, 0, sizeof other);
    other.name = "native 0";
    thread_start(&other, gil, NULL);
    announce(&other_runs, 1);
    wait_until(&other_may_go, 1);
    thread_stop(&other);
    return NULL;
}

static void name_other(const struct thread *late, uint64_t since_ns)
{
    if (late->name && !strcmp(late->name, "native 0") && since_ns >= NS_PER_MS)
        announce(&named, 1);
}

static void test_a_watchdog_of_its_own_names_one_that_computes(void **state)
{
    pthread_t id;

    (void)state;
    thread_detach(&self);
    announce(&other_runs, 0);
    launch(&id, 1, compute, NULL);
    wait_until(&other_runs, 1);
    assert_int_equal(watchdog_start(NS_PER_MS, name_other), 0);
    wait_until(&named, 1);
    watchdog_stop();
    watchdog_stop(); /* does no harm */
    announce(&other_may_go, 1);
    join(&id, 1);
    thread_attach(&self);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
#define TEST(name) cmocka_unit_test_setup_teardown(name, begin, end)
        TEST(test_who_passes_none_is_named_and_again_when_the_time_has_doubled),
        TEST(test_a_safe_point_answers),
        TEST(test_detaching_answers),
        TEST(test_who_is_detached_is_not_late),
        TEST(test_who_stops_the_world_is_not_late),
        TEST(test_a_stop_is_not_forgotten),
        TEST(test_a_watchdog_of_its_own_names_one_that_computes),
#undef TEST
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
