/* test_bytelock.c - a lock of one byte: who waits, spins, is handed it. */
#include "gil/bytelock.h"
#include "gil/lot.h"
#include "gil/mutex.h"
#include "gil/tests/testing.h"

#include <string.h>
#include <sys/syscall.h>

extern const struct gil_class gil_none;

enum { THREADS = 4, ROUNDS = 20000, SPINS_MOST = 100 };

static struct bytelock lock;
static struct gil *gil;

static bool has(uint8_t bits)
{
    return atomic_load_explicit(&lock.bits, memory_order_relaxed) == bits;
}

/* ---- exclusion ---- */

static int64_t entered; /* lock */

static void *enter_again_and_again(void *argument)
{
    (void)argument;
    for (int i = 0; i < ROUNDS; i++) {
        bytelock_lock(&lock);
        entered++;
        bytelock_unlock(&lock);
    }
    return NULL;
}

static void test_one_thread_at_a_time(void **state)
{
    pthread_t os[THREADS];

    (void)state;
    entered = 0;
    launch(os, THREADS, enter_again_and_again, NULL);
    join(os, THREADS);
    assert_int_equal(entered, THREADS * ROUNDS);
    assert_true(bytelock_try(&lock) || bytelock_spin(&lock));
    bytelock_unlock(&lock);
}

/* ---- spinning ---- */

static _Thread_local int yields, unlock_at = -1; /* -1: never */

/* In place of libc's: what happens while bytelock_spin lets others run is known so. */
int sched_yield(void)
{
    if (yields++ == unlock_at)
        bytelock_unlock(&lock);
    return (int)syscall(SYS_sched_yield);
}

static bool spins(int at)
{
    yields = 0;
    unlock_at = at;
    return bytelock_spin(&lock);
}

static void test_who_spins_sees_that_the_lock_is_free(void **state)
{
    (void)state;
    assert_true(bytelock_try(&lock));
    assert_true(spins(2));
    assert_int_equal(yields, 3);
    assert_true(has(BYTELOCK_LOCKED));
    bytelock_unlock(&lock);
}

static void test_who_spins_gives_up(void **state)
{
    (void)state;
    assert_true(bytelock_try(&lock));
    assert_false(spins(-1));
    assert_in_range(yields, 1, SPINS_MOST);
    bytelock_unlock(&lock);
}

/* ---- waiting as a thread of the runtime ---- */

struct waiter {
    struct thread self;
    pthread_t os;
    _Atomic int started, given, attached, may_end;
};

static void *wait_detached_for_the_lock(void *argument)
{
    struct waiter *w = argument;
    struct lot_waiter place = { .thread = &w->self, .since_ns = clock_ns() };
    bool given;

    thread_start(&w->self, gil, NULL);
    thread_detach(&w->self);
    announce(&w->started, 1);
    given = bytelock_wait(&lock, &place);
    announce(&w->given, 1 + given);
    if (given)
        thread_attached(&w->self);
    else
        thread_attach(&w->self);
    announce(&w->attached, 1);
    wait_detached(&w->self, &w->may_end, 1);
    if (given)
        bytelock_unlock(&lock);
    thread_stop(&w->self);
    return NULL;
}

/* When it returns, the thread stands in the lot; and has for a millisecond, if told so. */
static void let_wait(struct waiter *w, bool long_enough)
{
    uint64_t now_ns;

    memset(w, 0, sizeof *w);
    launch(&w->os, 1, wait_detached_for_the_lock, w);
    wait_until(&w->started, 1);
    while (lot_where(&w->self) != &lock)
        sched_yield();
    now_ns = clock_ns();
    while (long_enough && clock_ns() - now_ns <= NS_PER_MS)
        sched_yield();
}

static void end(struct waiter *w)
{
    announce(&w->may_end, 1);
    join(&w->os, 1);
}

static int state_of(struct waiter *w)
{
    return atomic_load_explicit(&w->self.state, memory_order_relaxed);
}

static void test_who_waits_long_is_handed_the_lock_and_attached(void **state)
{
    struct waiter w;

    (void)state;
    assert_true(bytelock_try(&lock));
    let_wait(&w, true);
    assert_int_equal(state_of(&w), THREAD_DETACHED);
    bytelock_unlock(&lock);
    assert_false(bytelock_spin(&lock));
    wait_until(&w.given, 1);
    assert_int_equal(seen(&w.given), 1 + true);
    wait_until(&w.attached, 1);
    end(&w);
    assert_true(bytelock_try(&lock));
    bytelock_unlock(&lock);
}

static void test_the_handing_attaches(void **state)
{
    struct waiter w;

    (void)state;
    assert_true(bytelock_try(&lock));
    let_wait(&w, true);
    assert_true(thread_attach_other(&w.self));
    assert_int_equal(state_of(&w), THREAD_ATTACHED);
    assert_false(thread_attach_other(&w.self));
    atomic_store_explicit(&w.self.state, THREAD_DETACHED, memory_order_release);
    bytelock_unlock(&lock);
    wait_until(&w.attached, 1);
    end(&w);
}

/* A stopped thread must not hold what the stopper may want. */
static void test_a_stopped_thread_is_not_handed_the_lock(void **state)
{
    struct waiter w;

    (void)state;
    assert_true(bytelock_try(&lock));
    let_wait(&w, true);
    world_stop(thread_self);
    bytelock_unlock(&lock);
    assert_true(bytelock_try(&lock));
    wait_until(&w.given, 1);
    assert_int_equal(seen(&w.given), 1 + false);
    assert_int_equal(state_of(&w), THREAD_SUSPENDED);
    world_start(thread_self);
    wait_until(&w.attached, 1);
    bytelock_unlock(&lock);
    end(&w);
}

static void test_a_held_thread_is_not_handed_the_lock(void **state)
{
    struct waiter w;

    (void)state;
    assert_true(bytelock_try(&lock));
    let_wait(&w, true);
    assert_true(thread_hold(&w.self));
    bytelock_unlock(&lock);
    assert_true(bytelock_try(&lock));
    thread_let_go(&w.self);
    wait_until(&w.attached, 1);
    assert_int_equal(seen(&w.given), 1 + false);
    bytelock_unlock(&lock);
    end(&w);
}

/* The bit stays as long as one is left: else who unlocks next would not look for it. */
static void test_of_two_who_wait_the_second_is_woken_too(void **state)
{
    struct waiter first, second;

    (void)state;
    assert_true(bytelock_try(&lock));
    let_wait(&first, true);
    let_wait(&second, true);
    assert_true(has(BYTELOCK_LOCKED | BYTELOCK_PARKED));
    bytelock_unlock(&lock);
    assert_true(has(BYTELOCK_LOCKED | BYTELOCK_PARKED));
    assert_ptr_equal(lot_where(&second.self), &lock);
    end(&first);
    wait_until(&second.attached, 1);
    assert_true(has(BYTELOCK_LOCKED));
    end(&second);
    assert_true(has(0));
}

static int open_gil(void **state)
{
    static struct thread self;

    (void)state;
    set_watchdog(state);
    bytelock_init(&lock);
    gil = gil_new(&gil_none, NULL);
    return gil ? thread_start(&self, gil, NULL) : -1;
}

static int close_gil(void **state)
{
    thread_stop(thread_self);
    gil_delete(gil);
    return nobody_is_left(state);
}

#define watched(f) cmocka_unit_test_setup_teardown(f, open_gil, close_gil)

int main(void)
{
    const struct CMUnitTest tests[] = {
        watched(test_one_thread_at_a_time),
        watched(test_who_spins_sees_that_the_lock_is_free),
        watched(test_who_spins_gives_up),
        watched(test_who_waits_long_is_handed_the_lock_and_attached),
        watched(test_the_handing_attaches),
        watched(test_a_stopped_thread_is_not_handed_the_lock),
        watched(test_a_held_thread_is_not_handed_the_lock),
        watched(test_of_two_who_wait_the_second_is_woken_too),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
