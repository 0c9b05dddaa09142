/* test_deadline.c - what the lock `deadline` promises beyond what all do.
 *
 * Slices are longer than the watchdog's patience, but where it is said: so no slice ends, no
 * deadline passes, and what happens, happens at once. Who starts first has the earliest deadline.
 *
 * With -DGIL_TWIN=gil_x the same is asked of that class.
 */
#include "gil/tests/acting.h"

#include "gil/mutex.h"

#include <stdlib.h>

#ifdef GIL_TWIN
#define LOCK GIL_TWIN
#else
#define LOCK gil_deadline
#endif

extern const struct gil_class LOCK;

/* As in deadline.c: of the parameters and of a thread's words. */
enum { SLICE_US, SLICES_AHEAD, SPIN_US, SNATCH };
enum { LEFT_NS, DEADLINE_NS };

enum { ACTORS = 5 };

static struct actor actors[ACTORS];
static struct actor *const a = &actors[0], *const b = &actors[1], *const c = &actors[2];

static struct gil *new_deadline(int which, int64_t value)
{
    int64_t param[PARAM_MAX];
    struct gil *gil;

    for (int i = 0; i < PARAM_MAX; i++)
        param[i] = LOCK.param[i].standard;
    param[SLICE_US] = LOCK.param[SLICE_US].most;
    param[which] = value;
    gil = gil_new(&LOCK, param);
    assert_non_null(gil);
    return gil;
}

static int open_long(void **state)
{
    open_stage(actors, ACTORS, new_deadline(SNATCH, 1));
    return set_watchdog(state);
}

static int open_without_snatching(void **state)
{
    open_stage(actors, ACTORS, new_deadline(SNATCH, 0));
    return set_watchdog(state);
}

static int open_short(void **state)
{
    open_stage(actors, ACTORS, new_deadline(SLICE_US, 1));
    return set_watchdog(state);
}

static int close_all(void **state)
{
    close_stage(actors, ACTORS);
    return nobody_is_left(state);
}

static bool asked(struct actor *actor)
{
    return is_asked(&actor->self, BREAKER_GIL);
}

/* Each runs for a moment, so that the next has a later deadline; then all are detached. */
static void start_in_order(int count)
{
    for (int i = 0; i < count; i++) {
        make(&actors[i], START);
        make(&actors[i], DETACH);
    }
    for (int i = 1; i < count; i++)
        assert_true(actors[i - 1].self.gil_words[DEADLINE_NS] <
                    actors[i].self.gil_words[DEADLINE_NS]);
}

static void test_a_thread_that_blocks_keeps_its_slice_and_deadline(void **state)
{
    const int64_t *words = a->self.gil_words;
    int64_t deadline_ns, left_ns;

    (void)state;
    make(a, START);
    make(a, DETACH);
    deadline_ns = words[DEADLINE_NS];
    left_ns = words[LEFT_NS];
    assert_true(left_ns < LOCK.param[SLICE_US].most * NS_PER_US);
    for (int i = 0; i < 100; i++) {
        make(a, ATTACH);
        make(a, DETACH);
        assert_int_equal(words[DEADLINE_NS], deadline_ns);
        assert_true(words[LEFT_NS] < left_ns);
        left_ns = words[LEFT_NS];
    }
}

/* With short slices: it has used it up whenever it lets go. */
static void test_who_has_used_up_its_slice_gets_a_later_deadline(void **state)
{
    const int64_t *words = a->self.gil_words;

    (void)state;
    make(a, START);
    for (int i = 0; i < 100; i++) {
        int64_t deadline_ns = words[DEADLINE_NS];
        uint64_t end_ns = clock_ns() + 2 * NS_PER_US;

        while (clock_ns() < end_ns)
            ;
        make(a, DETACH);
        assert_true(words[LEFT_NS] <= 0);
        make(a, ATTACH);
        assert_true(words[DEADLINE_NS] > deadline_ns);
        assert_int_equal(words[LEFT_NS], NS_PER_US);
    }
}

/* Three come in any order while a holds the lock, before whom they do not go. */
static void go_in_order_of_deadlines(const int *order)
{
    make(a, ATTACH);
    for (int i = 0; i < 3; i++)
        make_wait(&actors[order[i]], ATTACH);
    assert_false(asked(a));
    make(a, DETACH);
    for (int i = 1; i <= 3; i++) {
        wait_until_done(&actors[i]);
        for (int later = i + 1; later <= 3; later++)
            assert_false(is_done(&actors[later]));
        make(&actors[i], DETACH);
    }
}

static void test_the_earliest_deadline_goes_next(void **state)
{
    static const int orders[][3] = { { 1, 2, 3 }, { 1, 3, 2 }, { 2, 1, 3 },
                                     { 2, 3, 1 }, { 3, 1, 2 }, { 3, 2, 1 } };

    (void)state;
    start_in_order(4);
    for (size_t i = 0; i < sizeof orders / sizeof *orders; i++)
        go_in_order_of_deadlines(orders[i]);
}

static void test_an_earlier_deadline_pre_empts_at_once(void **state)
{
    (void)state;
    start_in_order(2);
    make(b, ATTACH);
    make_wait(a, ATTACH);
    assert_true(asked(b));
    make_wait(b, PASS);
    wait_until_done(a);
    assert_false(asked(a));
    make(a, DETACH);
    wait_until_done(b);
}

static void test_a_request_by_hand_lets_no_later_deadline_in(void **state)
{
    (void)state;
    start_in_order(2);
    make(a, ATTACH);
    make_wait(b, ATTACH);
    for (int i = 0; i < 100; i++) {
        thread_request(&a->self, BREAKER_GIL);
        make(a, PASS);
        assert_false(asked(a));
        assert_false(is_done(b));
    }
}

/* How often a, which blocks for nothing, is back before b, to whom it has given the turn, has
 * begun. If it is not, it must have asked b. */
static int snatches(int tries)
{
    int count = 0;

    start_in_order(2);
    make(a, ATTACH);
    make_wait(b, ATTACH);
    for (int i = 0; i < tries; i++) {
        tell(a, BLOCK);
        while (!is_done(a) && !is_done(b))
            sched_yield();
        if (is_done(a)) {
            tempt();
            assert_false(is_done(b));
            count++;
            continue;
        }
        wait_until_asleep(a);
        assert_true(asked(b));
        make_wait(b, PASS);
        wait_until_done(a);
    }
    return count;
}

static void test_a_turn_not_begun_is_snatched(void **state)
{
    (void)state;
    assert_true(snatches(1000) > 0);
}

static void test_without_snatching_who_is_to_begin_is_asked(void **state)
{
    (void)state;
    assert_int_equal(snatches(100), 0);
}

/* By hand: a detached thread's words lie still. */
static void set_deadline(struct actor *actor, int64_t deadline_ns)
{
    actor->self.gil_words[LEFT_NS] = LOCK.param[SLICE_US].most;
    actor->self.gil_words[DEADLINE_NS] = deadline_ns;
}

/* Whatever is below 0 has passed, for time begins there. */
static void test_of_passed_deadlines_the_first_to_come_goes_first(void **state)
{
    (void)state;
    start_in_order(4);
    set_deadline(b, -1);
    set_deadline(c, -2);
    make(a, ATTACH);
    make_wait(&actors[3], ATTACH);
    make_wait(b, ATTACH);
    make_wait(c, ATTACH);
    assert_true(asked(a));
    make(a, DETACH);
    wait_until_done(b);
    make(b, DETACH);
    wait_until_done(c);
    assert_false(is_done(&actors[3]));
}

static void test_who_has_passed_its_deadline_is_not_asked(void **state)
{
    (void)state;
    start_in_order(2);
    set_deadline(a, -2);
    set_deadline(b, -1);
    make(b, ATTACH);
    make_wait(a, ATTACH);
    assert_false(asked(b));
}

static void test_who_has_passed_its_deadline_keeps_its_turn(void **state)
{
    (void)state;
    start_in_order(2);
    for (int i = 0; i < 100; i++) {
        set_deadline(a, -2);
        set_deadline(b, -1);
        make(a, ATTACH);
        make_wait(b, ATTACH);
        make_wait(a, BLOCK);
        wait_until_done(b);
        make(b, DETACH);
        wait_until_done(a);
        make(a, DETACH);
    }
}

/* One of the three that has done what it was told, but for `other`. */
static struct actor *find_holder(const struct actor *other)
{
    struct actor *holder;

    do
        holder = &actors[rand() % 3];
    while (holder == other || !is_done(holder));
    return holder;
}

/* With short slices: whoever holds the lock is asked, and whoever waits asks it; be one of those
 * who wait gone, or where it was. */
static void test_a_slice_ends_whoever_keeps_the_time(void **state)
{
    struct actor *holder = a;

    (void)state;
    make(a, START);
    tell(b, START);
    tell(c, START);
    for (int i = 0; i < 100; i++) {
        struct actor *last = holder;

        while (!asked(last))
            sched_yield();
        make(last, DETACH);
        holder = find_holder(last);
        while (!asked(holder))
            sched_yield();
        tell(last, ATTACH);
        tell(holder, PASS);
        holder = find_holder(NULL);
    }
}

/* ---- Starvation. Blockers run for a quarter of a slice at least, again and again. */

enum { BOUND_SLICE_US = 200, PARTS = 4, BLOCKERS = ACTORS - 2 };

static _Atomic int turns, turns_before, over;

static void run_for(int64_t us)
{
    uint64_t end_ns = clock_ns() + (uint64_t)us * NS_PER_US;

    while (clock_ns() < end_ns)
        ;
}

static void block_often(struct thread *self)
{
    while (!seen(&over)) {
        thread_attach(self);
        run_for(BOUND_SLICE_US / PARTS);
        atomic_fetch_add_explicit(&turns, 1, memory_order_relaxed);
        thread_detach(self);
    }
}

/* Its slice is used up after, so next time it comes with the latest deadline of all. */
static void wait_long(struct thread *self)
{
    thread_attach(self);
    announce(&turns_before, seen(&turns));
    run_for(BOUND_SLICE_US);
    thread_detach(self);
}

static int open_bounded(void **state)
{
    open_stage(actors, ACTORS, new_deadline(SLICE_US, BOUND_SLICE_US));
    return set_watchdog(state);
}

/* a waits, behind it all blockers; then b, that has held the lock, lets them go. */
static void contend(void)
{
    make(b, ATTACH);
    announce(&over, 0);
    announce(&turns, 0);
    make_wait(a, CALL);
    for (int i = 2; i < ACTORS; i++)
        make_wait(&actors[i], CALL);
    make(b, DETACH);
    wait_until_done(a);
    announce(&over, 1);
    for (int i = 2; i < ACTORS; i++)
        wait_until_done(&actors[i]);
}

/* The deadline passes when as many turns are over as all slices ahead have parts. Then each
 * blocker may have come before, and one may have begun. */
static void test_who_computes_does_not_starve(void **state)
{
    int64_t bound = LOCK.param[SLICES_AHEAD].standard * PARTS + BLOCKERS + 1;

    (void)state;
    for (int i = 0; i < ACTORS; i++) {
        actors[i].call = i ? block_often : wait_long;
        make(&actors[i], START);
        make(&actors[i], DETACH);
    }
    for (int i = 0; i < 20; i++) {
        contend();
        assert_true(seen(&turns_before) <= bound);
    }
}

/* a's slice is over, and nobody has asked it: nobody was there. Of the two it has the earlier
 * deadline, so b does not ask for its own sake. */
static void test_a_slice_that_was_over_before_is_asked_for_at_once(void **state)
{
    (void)state;
    start_in_order(2);
    make(a, ATTACH);
    a->self.gil_words[LEFT_NS] = 0;
    make_wait(b, ATTACH);
    assert_true(asked(a));
}

static int open_with_nothing_ahead(void **state)
{
    struct gil *gil = new_deadline(SLICES_AHEAD, LOCK.param[SLICES_AHEAD].least - 1);

    gil->param[SLICE_US] = 1;
    open_stage(actors, ACTORS, gil);
    return set_watchdog(state);
}

/* A deadline that is over before it begins would keep the holder for ever. */
static void test_with_no_slice_ahead_a_waiter_is_let_in(void **state)
{
    (void)state;
    make(a, START);
    tell(b, START);
    while (!is_done(b))
        if (is_done(a))
            tell(a, PASS);
    make(b, DETACH);
    wait_until_done(a);
}

#define on_stage(f, open) cmocka_unit_test_setup_teardown(f, open, close_all)

int main(void)
{
    const struct CMUnitTest tests[] = {
        on_stage(test_a_thread_that_blocks_keeps_its_slice_and_deadline, open_long),
        on_stage(test_who_has_used_up_its_slice_gets_a_later_deadline, open_short),
        on_stage(test_the_earliest_deadline_goes_next, open_long),
        on_stage(test_an_earlier_deadline_pre_empts_at_once, open_long),
        on_stage(test_a_request_by_hand_lets_no_later_deadline_in, open_long),
        on_stage(test_a_turn_not_begun_is_snatched, open_long),
        on_stage(test_without_snatching_who_is_to_begin_is_asked, open_without_snatching),
        on_stage(test_of_passed_deadlines_the_first_to_come_goes_first, open_long),
        on_stage(test_who_has_passed_its_deadline_is_not_asked, open_long),
        on_stage(test_who_has_passed_its_deadline_keeps_its_turn, open_long),
        on_stage(test_a_slice_ends_whoever_keeps_the_time, open_short),
        on_stage(test_who_computes_does_not_starve, open_bounded),
        on_stage(test_a_slice_that_was_over_before_is_asked_for_at_once, open_long),
        on_stage(test_with_no_slice_ahead_a_waiter_is_let_in, open_with_nothing_ahead),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
