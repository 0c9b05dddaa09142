/* test_lot.c - threads that wait at an address. */
#include "gil/lot.h"
#include "gil/mutex.h"
#include "gil/tests/testing.h"

enum { WAITERS = 4, ROUNDS = 2000, PLACES = 64 };

static char places[PLACES * 16]; /* so far apart that they are spread over the buckets */
static _Atomic int waiting, ended[WAITERS], is_due;

static bool always(void *address)
{
    (void)address;
    return true;
}

static bool never(void *address)
{
    (void)address;
    return false;
}

static void *place(int number)
{
    return &places[number * 16];
}

/* What `decide` was told, and answers. */
static struct {
    const struct lot_waiter *first;
    bool more;
    enum lot_end answer;
} asked;

static enum lot_end note(void *address, const struct lot_waiter *first, bool more)
{
    (void)address;
    asked.first = first;
    asked.more = more;
    return asked.answer;
}

static void test_who_has_no_reason_does_not_wait(void **state)
{
    struct lot_waiter w = { .since_ns = clock_ns() };

    (void)state;
    assert_int_equal(lot_wait(place(0), never, &w), LOT_UNFIT);
}

static void test_nobody_is_woken_where_nobody_waits(void **state)
{
    (void)state;
    asked.first = (const struct lot_waiter *)places;
    lot_wake(place(0), note);
    assert_null(asked.first);
    assert_false(asked.more);
}

/* ---- one after the other ---- */

/* A waiter's number is its place in the row; the last one waits elsewhere. */
struct queued {
    struct lot_waiter w;
    struct thread name; /* never started: only to be asked for by lot_where */
    void *address;
    int number;
    pthread_t os;
};

static void *queue_up(void *argument)
{
    struct queued *q = argument;
    enum lot_end end = lot_wait(q->address, always, &q->w);

    announce(&ended[q->number], (int)end);
    return NULL;
}

static void queue(struct queued *q, int number, void *address)
{
    *q = (struct queued){ .address = address, .number = number };
    q->w.thread = &q->name;
    q->w.since_ns = clock_ns();
    announce(&ended[number], LOT_WAITS);
    assert_int_equal(pthread_create(&q->os, NULL, queue_up, q), 0);
    while (lot_where(&q->name) != address)
        sched_yield();
}

static void wake(struct queued *q, bool more, enum lot_end how)
{
    asked.answer = how;
    lot_wake(q->address, note);
    assert_ptr_equal(asked.first, &q->w);
    assert_int_equal(asked.more, more);
    wait_until(&ended[q->number], LOT_UNFIT);
    assert_int_equal(seen(&ended[q->number]), how);
    assert_null(lot_where(&q->name));
    assert_int_equal(pthread_join(q->os, NULL), 0);
}

/* Sixty-four other addresses share the two buckets of a test build with these. */
static void test_threads_are_woken_as_they_came_and_where_they_wait(void **state)
{
    struct queued first, second, third, elsewhere;

    (void)state;
    queue(&first, 0, place(0));
    queue(&elsewhere, 3, place(2));
    queue(&second, 1, place(0));
    queue(&third, 2, place(0));
    for (int i = 3; i < PLACES; i++) {
        lot_wake(place(i), note);
        assert_null(asked.first);
    }
    wake(&first, true, LOT_WOKEN);
    wake(&second, true, LOT_GIVEN);
    wake(&elsewhere, false, LOT_WOKEN);
    wake(&third, false, LOT_GIVEN);
}

/* ---- no wake-up is lost ---- */

/* A waiter has a reason as long as nobody has made it due. */
static bool is_not_due(void *address)
{
    bool due = seen(&is_due);

    (void)address;
    announce(&waiting, seen(&waiting) + 1);
    tempt();
    return !due;
}

static void *wait_again_and_again(void *argument)
{
    (void)argument;
    for (int i = 0; i < ROUNDS; i++) {
        struct lot_waiter w = { .since_ns = clock_ns() };

        while (!seen(&is_due))
            lot_wait(place(0), is_not_due, &w);
        announce(&is_due, 0);
    }
    return NULL;
}

/* Each wake-up comes while the waiter is on its way into the queue. */
static void test_no_wake_up_is_lost_on_the_way_into_the_queue(void **state)
{
    pthread_t os;

    (void)state;
    announce(&waiting, 0);
    announce(&is_due, 0);
    asked.answer = LOT_WOKEN;
    launch(&os, 1, wait_again_and_again, NULL);
    for (int i = 0, before = 0; i < ROUNDS; i++) {
        wait_until(&waiting, before + 1);
        before = seen(&waiting);
        announce(&is_due, 1);
        lot_wake(place(0), note);
        while (seen(&is_due))
            sched_yield();
    }
    join(&os, 1);
}

/* ---- a ring ---- */

static _Atomic int turn; /* whose it is */

static bool is_not_my_turn(void *address)
{
    return place(seen(&turn) % WAITERS) != address;
}

static enum lot_end wake_it(void *address, const struct lot_waiter *first, bool more)
{
    (void)address;
    (void)first;
    (void)more;
    return LOT_WOKEN;
}

static void *pass_on(void *argument)
{
    int self = (int)(intptr_t)argument;

    for (int i = 0; i < ROUNDS; i++) {
        struct lot_waiter w = { .since_ns = clock_ns() };

        while (seen(&turn) % WAITERS != self)
            lot_wait(place(self), is_not_my_turn, &w);
        announce(&turn, seen(&turn) + 1);
        lot_wake(place((self + 1) % WAITERS), wake_it);
    }
    return NULL;
}

static void test_a_turn_goes_round_a_ring_of_threads(void **state)
{
    pthread_t os[WAITERS];

    (void)state;
    announce(&turn, 0);
    for (int i = 0; i < WAITERS; i++)
        launch(&os[i], 1, pass_on, (void *)(intptr_t)i);
    join(os, WAITERS);
    assert_int_equal(seen(&turn), WAITERS * ROUNDS);
}

#define watched(f) cmocka_unit_test_setup(f, set_watchdog)

int main(void)
{
    const struct CMUnitTest tests[] = {
        watched(test_who_has_no_reason_does_not_wait),
        watched(test_nobody_is_woken_where_nobody_waits),
        watched(test_threads_are_woken_as_they_came_and_where_they_wait),
        watched(test_no_wake_up_is_lost_on_the_way_into_the_queue),
        watched(test_a_turn_goes_round_a_ring_of_threads),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
