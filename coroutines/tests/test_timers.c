/* test_timers.c - a heap of deadlines beside a sorted row. */
#include "coroutines/timers.h"
#include "objects/tests/testing.h"

enum { TIMERS = 2000, ROUNDS = 40 };

static struct timer timer[TIMERS];
static bool taken[TIMERS];

static int number_of(const struct timer *t)
{
    return (int)(t - timer);
}

/* The one that should come now: the earliest, of equals the one that was added first. */
static int expected_of(int count)
{
    int best = -1;

    for (int i = 0; i < count; i++)
        if (!taken[i] && (best < 0 || timer[i].when_ns < timer[best].when_ns))
            best = i;
    return best;
}

static void add_all(struct timers *t, int count, uint64_t different)
{
    for (int i = 0; i < count; i++) {
        timer[i].when_ns = random_below(different);
        taken[i] = false;
        assert_int_equal(timers_add(t, &timer[i]), 0);
    }
}

static void expect_rest(struct timers *t, int count)
{
    int expected;

    while ((expected = expected_of(count)) >= 0) {
        assert_int_equal(number_of(timers_first(t)), expected);
        assert_int_equal(number_of(timers_pop(t)), expected);
        taken[expected] = true;
    }
    assert_null(timers_first(t));
}

static void test_come_in_order_and_equal_ones_first_in_first_out(void **state)
{
    (void)state;
    seed_random();
    for (int round = 0; round < ROUNDS; round++) {
        struct timers t = { NULL };
        int count = (int)random_below(200) + 1;

        add_all(&t, count, round % 2 ? 5 : 1000);
        expect_rest(&t, count);
        timers_fini(&t);
    }
}

static bool is_odd(struct timer *t)
{
    taken[number_of(t)] = number_of(t) % 2;
    return number_of(t) % 2;
}

static void test_sweep_keeps_the_others_and_their_order(void **state)
{
    (void)state;
    seed_random();
    for (int count = 0; count < 60; count++) {
        struct timers t = { NULL };

        add_all(&t, count, 4);
        timers_sweep(&t, is_odd);
        assert_int_equal(t.count, (count + 1) / 2);
        expect_rest(&t, count);
        timers_fini(&t);
    }
}

static int session(void)
{
    struct timers t = { NULL };
    int result = 0;

    for (int i = 0; i < 20 && result == 0; i++)
        result = timers_add(&t, &timer[i]);
    timers_fini(&t);
    return result;
}

static void test_no_memory_is_an_error(void **state)
{
    (void)state;
    fail_everywhere(session);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_come_in_order_and_equal_ones_first_in_first_out),
        cmocka_unit_test(test_sweep_keeps_the_others_and_their_order),
        cmocka_unit_test(test_no_memory_is_an_error),
    };

    return run_attached(tests);
}
