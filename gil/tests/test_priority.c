/* test_priority.c - what the lock `priority` promises beyond what all do.
 *
 * Intervals are longer than the watchdog's patience, but where it is said: so what happens,
 * happens at once. A request by hand is what a waiter's would be after an interval.
 *
 * With -DGIL_TWIN=gil_x the same is asked of that class.
 */
#include "gil/tests/acting.h"

#ifdef GIL_TWIN
#define LOCK GIL_TWIN
#else
#define LOCK gil_priority
#endif

extern const struct gil_class LOCK;

enum { ACTORS = 3 };

static struct actor actors[ACTORS];
static struct actor *const a = &actors[0], *const b = &actors[1], *const c = &actors[2];

static int open_long(void **state)
{
    open_stage(actors, ACTORS, new_gil(&LOCK, LONG_TURNS));
    return set_watchdog(state);
}

static int open_short(void **state)
{
    open_stage(actors, ACTORS, new_gil(&LOCK, SHORT_TURNS));
    return set_watchdog(state);
}

static int close_both(void **state)
{
    close_stage(actors, ACTORS);
    return nobody_is_left(state);
}

static bool asked(struct actor *actor)
{
    return is_asked(&actor->self, BREAKER_GIL);
}

/* `holder` is forced off by `waiter`, whose turn it is then. */
static void force_off(struct actor *holder, struct actor *waiter)
{
    thread_request(&holder->self, BREAKER_GIL);
    make_wait(holder, PASS);
    wait_until_done(waiter);
}

/* `low` has been forced off by `other`, which has let go: it holds the lock. */
static void make_low(struct actor *low, struct actor *other)
{
    make(low, START);
    make_wait(other, START);
    force_off(low, other);
    make(other, DETACH);
    wait_until_done(low);
}

static void test_who_was_forced_off_is_asked_at_once(void **state)
{
    (void)state;
    make_low(a, b);
    assert_false(asked(a));
    make_wait(b, ATTACH);
    assert_true(asked(a));
    make_wait(a, PASS);
    wait_until_done(b);
}

/* A thread begins high, so the lock's holder is. */
static void test_a_high_thread_does_not_ask_another(void **state)
{
    (void)state;
    make(a, START);
    make_wait(b, START);
    assert_false(asked(a));
    make(a, DETACH);
    wait_until_done(b);
    make_wait(a, ATTACH);
    assert_false(asked(b));
}

/* a holds the lock, high; b and c have been forced off. */
static void test_a_low_thread_asks_nobody_before_an_interval(void **state)
{
    (void)state;
    make_low(b, a);
    make_wait(a, ATTACH);
    make_wait(b, PASS); /* a has asked it */
    wait_until_done(a);
    assert_false(asked(a));
    make_wait(c, START);
    force_off(a, c);
    assert_false(asked(c));
}

static void test_who_gives_up_by_itself_is_high_again(void **state)
{
    (void)state;
    make_low(a, b);
    make_wait(b, ATTACH);
    make_wait(a, PASS);
    wait_until_done(b);
    force_off(b, a); /* a holds the lock, and both are low */
    make(a, DETACH);
    wait_until_done(b);
    make_wait(a, ATTACH);
    assert_true(asked(b));
}

/* The low one has waited longer. */
static void test_the_high_go_before_the_low(void **state)
{
    (void)state;
    make(a, START);
    make_wait(b, START);
    force_off(a, b);
    make_wait(c, START);
    make(b, DETACH);
    wait_until_done(c);
    assert_false(is_done(a));
    make(c, DETACH);
    wait_until_done(a);
}

static void test_the_low_go_in_their_order(void **state)
{
    (void)state;
    make(a, START);
    make_wait(b, START);
    force_off(a, b);
    make_wait(c, START);
    force_off(b, c); /* a and b wait, both low */
    make(c, DETACH);
    wait_until_done(a);
    assert_false(is_done(b));
    make(a, DETACH);
    wait_until_done(b);
}

/* Though it is back before the other is awake. */
static void test_who_was_asked_and_blocks_does_not_win_it_back(void **state)
{
    (void)state;
    make(a, START);
    make_wait(b, START);
    for (int i = 0; i < 100; i++) {
        struct actor *holder = i % 2 ? b : a, *other = i % 2 ? a : b;

        thread_request(&holder->self, BREAKER_GIL);
        make_wait(holder, BLOCK);
        wait_until_done(other);
    }
}

static void test_who_passes_safe_points_unasked_keeps_the_lock(void **state)
{
    (void)state;
    make(a, START);
    make_wait(b, START);
    for (int i = 0; i < 100; i++)
        make(a, PASS);
    assert_false(is_done(b));
}

/* With short intervals. */
static void test_equals_ask_after_an_interval(void **state)
{
    (void)state;
    make(a, START);
    tell(b, START);
    while (!asked(a))
        sched_yield();
    assert_false(is_done(b));
    tell(a, PASS);
    wait_until_done(b);
    while (!asked(b)) /* by a, that is low now */
        sched_yield();
    tell(b, PASS);
    wait_until_done(a);
}

#define long_test(f) cmocka_unit_test_setup_teardown(f, open_long, close_both)
#define short_test(f) cmocka_unit_test_setup_teardown(f, open_short, close_both)

int main(void)
{
    const struct CMUnitTest tests[] = {
        long_test(test_who_was_forced_off_is_asked_at_once),
        long_test(test_a_high_thread_does_not_ask_another),
        long_test(test_a_low_thread_asks_nobody_before_an_interval),
        long_test(test_who_gives_up_by_itself_is_high_again),
        long_test(test_the_high_go_before_the_low),
        long_test(test_the_low_go_in_their_order),
        long_test(test_who_was_asked_and_blocks_does_not_win_it_back),
        long_test(test_who_passes_safe_points_unasked_keeps_the_lock),
        short_test(test_equals_ask_after_an_interval),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
