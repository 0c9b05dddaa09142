/* test_turns.c - what is asked of a turn beyond what the lab's tests look at: that nobody starves,
 * that a loop with nothing to do sleeps, that what is cancelled goes, and that lateness is booked.
 */
#include "coroutines/tests/loops.h"
#include "lab/grade/inside/count.h"

#include <sys/socket.h>

enum { CALLS_MOST = 500, FAR_S = 60 };

/* ---- one that calls itself again and again, and one that waits meanwhile ---- */

struct waiting {
    void (*begin)(borrowed loop); /* what is waited for may come from now on */
    bool (*has_come)(void);       /* whether it has */
};

static struct {
    const struct waiting *who;
    struct object *self, *waiter;
    bool by_timer; /* it calls itself by a timer that is due at once, and not by call_soon */
    bool called;   /* the one that waits */
    int calls_since;
    uint64_t due_ns;
    int pair[2];
} scene;

static bool calls_again(borrowed loop)
{
    struct object *handle;

    if (!scene.by_timer)
        return loop_call_soon(loop, scene.self, NULL) == 0;
    handle = loop_call_later(loop, 0, scene.self, NULL);
    xdecref(handle);
    return handle;
}

/* Ends the loop if the other is never called. */
static struct object *call_again(borrowed closure, borrowed const *arguments, size_t count)
{
    (void)closure, (void)arguments, (void)count;
    scene.calls_since += scene.calls_since || scene.who->has_come();
    if (scene.calls_since >= CALLS_MOST)
        loop_stop(loop_running());
    else
        assert_true(calls_again(loop_running()));
    return none();
}

static struct object *be_called(borrowed closure, borrowed const *arguments, size_t count)
{
    (void)closure, (void)arguments, (void)count;
    scene.called = true;
    loop_stop(loop_running());
    return none();
}

static bool it_is_due(void)
{
    return clock_ns() >= scene.due_ns;
}

static void set_timer(borrowed loop)
{
    struct object *handle;

    scene.due_ns = clock_ns() + NS_PER_MS;
    handle = loop_call_at(loop, scene.due_ns, scene.waiter, NULL);
    assert_non_null(handle);
    decref(handle);
}

static void watch_file(borrowed loop)
{
    assert_int_equal(loop_add_reader(loop, scene.pair[0], scene.waiter, NULL), 0);
}

static bool file_has_bytes(void)
{
    return write(scene.pair[1], "x", 1) == 1;
}

static void nothing_to_begin(borrowed loop)
{
    (void)loop;
}

static bool letter_is_sent(void)
{
    return loop_call_soon_threadsafe(loop_running(), scene.waiter, NULL) == 0;
}

/* How many calls of the other there were between the moment and the call. */
static int calls_until(const struct waiting *who, bool by_timer)
{
    struct object *loop = make_loop();

    scene.who = who;
    scene.by_timer = by_timer;
    scene.called = false;
    scene.calls_since = 0;
    scene.self = function_new("call_again", call_again, 0, NULL);
    scene.waiter = function_new("be_called", be_called, 0, NULL);
    assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM, 0, scene.pair), 0);
    who->begin(loop);
    assert_true(calls_again(loop));
    assert_int_equal(loop_run_forever(loop), 0);
    loop_remove_reader(loop, scene.pair[0]);
    close(scene.pair[0]);
    close(scene.pair[1]);
    decref(scene.self);
    decref(scene.waiter);
    end_loop(loop);
    return scene.called ? scene.calls_since : CALLS_MOST;
}

static void test_calls_before_it_is_somebodys_turn_are_counted(void **state)
{
    static const struct waiting timer = { set_timer, it_is_due },
                                file = { watch_file, file_has_bytes },
                                letter = { nothing_to_begin, letter_is_sent };
    const struct waiting *all[] = { &timer, &file, &letter };
    int worst = 0;

    (void)state;
    for (int i = 0; i < 6; i++) {
        int calls = calls_until(all[i % 3], i >= 3);

        worst = calls > worst ? calls : worst;
    }
    grade_count("calls of another before it is called", worst);
}

/* ---- waiting ---- */

/* Not twice for one timer, but for wake-ups that come for no reason. */
static void test_a_loop_that_waits_for_a_timer_sleeps(void **state)
{
    enum { TIMERS = 20, TURNS_EACH = 3 };
    struct object *loop = make_loop();
    struct lag_figures figures;

    (void)state;
    for (int i = 0; i < TIMERS; i++) {
        decref(at(loop, clock_ns() + 3 * NS_PER_MS - 100 * NS_PER_US, stopper()));
        assert_int_equal(loop_run_forever(loop), 0);
    }
    loop_figures(loop, &figures);
    assert_in_range(figures.turns, TIMERS, TURNS_EACH * TIMERS);
    end_loop(loop);
}

/* ---- what is cancelled ---- */

/* As a server does it, whose requests nearly all are answered in time. */
static void test_timers_that_are_cancelled_go(void **state)
{
    enum { TURNS = 100, REQUESTS = 50, KEPT_MOST = 4 * REQUESTS };
    struct object *loop = make_loop(), *f = noter("late"), *handle;
    uint64_t far_ns = clock_ns() + FAR_S * (uint64_t)NS_PER_S;
    int64_t blocks = 0;

    (void)state;
    for (int turn = 0; turn < TURNS; turn++) {
        for (int i = 0; i < REQUESTS; i++) {
            handle = loop_call_at(loop, far_ns + random_below(NS_PER_S), f, NULL);
            assert_non_null(handle);
            handle_cancel(handle);
            decref(handle);
        }
        turns(loop, 1);
        assert_true(loop_timers(loop) <= KEPT_MOST);
        blocks = turn == TURNS / 2 ? live_blocks() : blocks;
    }
    assert_true(live_blocks() <= blocks + KEPT_MOST);
    assert_diary("");
    decref(f);
    end_loop(loop);
}

/* ---- the books ---- */

static uint64_t deadline_ns;

/* Sets a timer, and keeps the loop until 5 ms after its deadline. */
static struct object *block(borrowed closure, borrowed const *arguments, size_t count)
{
    (void)closure, (void)arguments, (void)count;
    deadline_ns = clock_ns() + NS_PER_MS;
    decref(at(loop_running(), deadline_ns, stopper()));
    while (clock_ns() < deadline_ns + 5 * NS_PER_MS)
        ;
    return none();
}

/* So late it was, and not as the turn found it: in time. */
static void test_how_late_a_timer_is_is_counted_from_its_deadline(void **state)
{
    struct object *loop = make_loop();
    struct lag_figures figures;

    (void)state;
    soon(loop, function_new("block", block, 0, NULL));
    assert_int_equal(loop_run_forever(loop), 0);
    loop_figures(loop, &figures);
    assert_int_equal(figures.late_ns.count, 1);
    assert_in_range(figures.late_ns.max_ns, 5 * NS_PER_MS, clock_ns() - deadline_ns);
    assert_true(figures.turn_ns.max_ns >= 5 * NS_PER_MS);
    end_loop(loop);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_calls_before_it_is_somebodys_turn_are_counted),
        cmocka_unit_test(test_a_loop_that_waits_for_a_timer_sleeps),
        cmocka_unit_test(test_timers_that_are_cancelled_go),
        cmocka_unit_test(test_how_late_a_timer_is_is_counted_from_its_deadline),
    };

    seed_random();
    alarm(LONG_S / 2);
    return run_attached(tests);
}
