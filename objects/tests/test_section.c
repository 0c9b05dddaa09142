/* test_section.c - containers lock themselves, and give up their locks to wait.
 *
 * Most of these force a schedule of two threads. Their lists hold only None, which nobody
 * counts, so that policies which need a GIL keep the same promises here without one.
 */
#include "gil/lot.h"
#include "objects/list.h"
#include "objects/none.h"
#include "objects/section.h"
#include "objects/tests/testing.h"

#include <sched.h>
#include <unistd.h>

/* A test that hangs dies of SIGALRM. */
enum { ROUNDS = 20000, WATCHDOG_S = 240 };

static struct object *container, *neighbour; /* owned; lists */
static bool was_kept; /* a lock was, by one who waited */
static int64_t entered GUARDED_BY(section_held);

static void enter_again_and_again(struct thread *t, int index)
{
    struct section s;

    (void)index;
    for (int i = 0; i < ROUNDS; i++) {
        section_begin(&s, container);
        entered++;
        section_end(&s);
        safepoint(t);
    }
}

static void test_one_thread_at_a_time(void **state)
{
    struct section s;

    (void)state;
    run_threads(enter_again_and_again);
    section_begin(&s, container);
    assert_int_equal(entered, TEST_THREADS * ROUNDS);
    section_end(&s);
}

/* Whether another could take the lock now. */
static bool is_free(borrowed o)
{
    struct bytelock *lock = &((struct object *)o)->lock;

    if (!bytelock_try(lock))
        return false;
    bytelock_unlock(lock);
    return true;
}

static bool free_in_section(bool locks_containers)
{
    bool before = thread_self->locks_containers, is;
    struct section s;

    thread_self->locks_containers = locks_containers;
    section_begin(&s, container);
    is = is_free(container);
    section_end(&s);
    thread_self->locks_containers = before;
    return is;
}

static void test_the_thread_decides_whether_to_lock(void **state)
{
    (void)state;
    assert_true(free_in_section(false));
    assert_false(free_in_section(true));
    assert_true(is_free(container));
}

/* ---- what may happen inside a section ---- */

/* A test runs in a section of one object, and in one of two. */
enum form { ONE, TWO };

static void begin(struct section *s, enum form form) NO_LOCK_ANALYSIS
{
    if (form == ONE)
        section_begin(s, container);
    else
        section_begin_two(s, container, neighbour);
}

static void finish(struct section *s) NO_LOCK_ANALYSIS
{
    section_end(s);
}

static bool all_held(enum form form)
{
    return !is_free(container) && (form == ONE || !is_free(neighbour));
}

static bool all_free(void)
{
    return is_free(container) && is_free(neighbour);
}

/* The other thread of a schedule. */
struct other {
    void (*body)(struct other *other); /* set once, as are the next two */
    enum form form;
    borrowed third; /* one more list; may be NULL */
    _Atomic int step; /* how far the schedule is */
    bool found;       /* what it was to see */
    const struct thread *first; /* the test's own */
    struct thread self;
    pthread_t os;
};

static void reach_step(struct other *other, int step)
{
    atomic_store_explicit(&other->step, step, memory_order_release);
}

static void spin_until(struct other *other, int step)
{
    while (atomic_load_explicit(&other->step, memory_order_acquire) < step)
        sched_yield();
}

/* Reaches one step once it is detached, and waits for another. */
static void wait_between(struct other *other, int reached, int step)
{
    thread_detach(thread_self);
    reach_step(other, reached);
    spin_until(other, step);
    thread_attach(thread_self);
}

static void wait_for_step(struct other *other, int step)
{
    thread_detach(thread_self);
    spin_until(other, step);
    thread_attach(thread_self);
}

static void *other_main(void *argument)
{
    struct other *other = argument;

    if (thread_start(&other->self, other->first->gil, &object_hooks) < 0)
        abort();
    other->body(other);
    thread_stop(&other->self);
    return NULL;
}

static void start_other(struct other *other)
{
    other->first = thread_self;
    other->self.locks_containers = true;
    if (pthread_create(&other->os, NULL, other_main, other))
        abort();
}

static void join_other(struct other *other)
{
    thread_detach(thread_self);
    pthread_join(other->os, NULL);
    thread_attach(thread_self);
}

/* As another would change it, who must not hang if the lock is not free. */
static void change_if_free(struct other *other)
{
    other->found = all_free();
    if (other->found)
        list_append(container, none());
    else
        was_kept = true;
}

static void change_in_step_1(struct other *other)
{
    wait_for_step(other, 1);
    change_if_free(other);
    reach_step(other, 2);
}

static void detaches_inside(enum form form)
{
    struct other other = { .body = change_in_step_1, .form = form };
    struct section s;
    size_t length;

    start_other(&other);
    begin(&s, form);
    assert_int_equal(list_length(container), 0);
    wait_between(&other, 1, 2);
    assert_true(all_held(form));
    length = list_length(container);
    finish(&s);
    assert_true(all_free());
    join_other(&other);
    assert_true(other.found);
    assert_int_equal(length, 1);
}

/* The other waits for the first to hang in the lot, within the section of a third list. */
static void change_when_it_waits(struct other *other)
{
    struct section s;

    section_begin(&s, other->third);
    reach_step(other, 1);
    while (!lot_where(other->first))
        sched_yield();
    change_if_free(other);
    section_end(&s);
}

static void is_switched_inside(enum form form)
{
    struct object *third = list_new();
    struct other other = { .body = change_when_it_waits, .form = form, .third = third };
    struct section outer, inner;

    start_other(&other);
    wait_for_step(&other, 1);
    begin(&outer, form);
    assert_int_equal(list_length(container), 0);
    section_begin(&inner, third); /* waits */
    assert_false(is_free(third));
    section_end(&inner);
    assert_true(is_free(third));
    assert_true(all_held(form));
    assert_int_equal(list_length(container), 1);
    finish(&outer);
    assert_true(all_free());
    join_other(&other);
    assert_true(other.found);
    decref(third);
}

static void throws_inside(enum form form)
{
    struct section s;

    begin(&s, form);
    assert_null(list_get(container, 0));
    assert_true(all_held(form));
    assert_true(exception_matches(&index_error));
    exception_set(&value_error, "in place of the other");
    assert_true(all_held(form));
    finish(&s);
    assert_true(all_free());
    assert_raises(&value_error);
}

static void stop_and_change(struct other *other)
{
    wait_for_step(other, 1);
    world_stop(thread_self);
    change_if_free(other);
    reach_step(other, 2);
    world_start(thread_self);
}

static void is_stopped_inside(enum form form)
{
    struct other other = { .body = stop_and_change, .form = form };
    struct section s;
    size_t length;

    start_other(&other);
    begin(&s, form);
    assert_int_equal(list_length(container), 0);
    reach_step(&other, 1);
    while (atomic_load_explicit(&other.step, memory_order_acquire) < 2)
        safepoint(thread_self);
    assert_true(all_held(form));
    length = list_length(container);
    finish(&s);
    assert_true(all_free());
    join_other(&other);
    assert_true(other.found);
    assert_int_equal(length, 1);
}

/* It stands in the lot while the world is stopped, and is not handed the lock. */
static void wait_for_container(struct other *other)
{
    struct section s;

    wait_for_step(other, 1);
    begin(&s, other->form);
    other->found = list_length(container) == 1;
    finish(&s);
}

static void wait_until_it_would_be_handed(const struct thread *t)
{
    uint64_t since_ns;

    while (!lot_where(t))
        sched_yield();
    since_ns = clock_ns();
    while (clock_ns() - since_ns <= NS_PER_MS)
        sched_yield();
}

static void stops_inside(enum form form)
{
    struct other other = { .body = wait_for_container, .form = form };
    struct section s, again;

    start_other(&other);
    begin(&s, form);
    reach_step(&other, 1);
    wait_until_it_would_be_handed(&other.self);
    world_stop(thread_self);
    assert_true(all_held(form));
    finish(&s);
    begin(&again, form);
    list_append(container, none());
    finish(&again);
    assert_true(all_free());
    world_start(thread_self);
    join_other(&other);
    assert_true(other.found);
}

/* Of each a test of one object, and one of two. */
#define IN_BOTH_FORMS(what) \
    static void test_##what##_one(void **state) \
    { \
        (void)state; \
        what(ONE); \
    } \
    static void test_##what##_two(void **state) \
    { \
        (void)state; \
        what(TWO); \
    }
IN_BOTH_FORMS(detaches_inside)
IN_BOTH_FORMS(is_switched_inside)
IN_BOTH_FORMS(throws_inside)
IN_BOTH_FORMS(is_stopped_inside)
IN_BOTH_FORMS(stops_inside)
#undef IN_BOTH_FORMS

/* ---- sections in sections: for clang's analysis that is a mistake ---- */

static void test_what_the_innermost_section_holds_is_not_locked_again(void **state)
    NO_LOCK_ANALYSIS
{
    struct section outer, inner, third;

    (void)state;
    begin(&outer, TWO);
    section_begin(&inner, neighbour);
    section_begin_two(&third, neighbour, container);
    assert_true(all_held(TWO));
    assert_ptr_equal(thread_self->sections, &outer);
    finish(&third);
    finish(&inner);
    assert_true(all_held(TWO));
    finish(&outer);
    assert_true(all_free());
    section_begin_two(&outer, container, container);
    assert_true(is_free(neighbour) && !is_free(container));
    finish(&outer);
    assert_true(all_free());
}

static void must_not_block(struct thread *t)
{
    (void)t;
    fail_msg("a section waits in a stopped world");
}

/* Even in a stopped world, where nobody may wait. */
static void test_what_an_outer_section_holds_is_taken_from_it(void **state) NO_LOCK_ANALYSIS
{
    const struct thread_hooks hooks = { .before_block = must_not_block };
    struct section first, second, third;

    (void)state;
    thread_self->hooks = &hooks;
    section_begin(&first, container);
    section_begin(&second, neighbour);
    assert_true(all_held(TWO));
    world_stop(thread_self);
    section_begin(&third, container);
    assert_true(!is_free(container) && is_free(neighbour));
    finish(&third);
    world_start(thread_self);
    assert_true(is_free(container) && !is_free(neighbour));
    finish(&second);
    assert_true(!is_free(container) && is_free(neighbour));
    finish(&first);
    thread_self->hooks = &object_hooks;
    assert_true(all_free());
}

static bool occupied GUARDED_BY(section_held); /* the other is in a section of the container */
static int seen_occupied, blocking;

static void occupy_until_it_waits(struct other *other)
{
    struct section s;

    section_begin(&s, container);
    occupied = true;
    reach_step(other, 1);
    while (!lot_where(other->first))
        sched_yield();
    occupied = false;
    section_end(&s);
}

/* What the hook destroys may want just what its thread is about to wait for. */
static void enter_the_same(struct thread *t)
{
    struct section s;

    if (!blocking++) {
        section_begin(&s, container);
        seen_occupied += occupied;
        section_end(&s);
    }
    object_hooks.before_block(t);
}

static void test_a_hook_waits_for_what_its_thread_waits_for(void **state)
{
    const struct thread_hooks hooks = { .before_block = enter_the_same,
                                        .after_block = object_hooks.after_block };
    struct other other = { .body = occupy_until_it_waits };
    struct section s;

    (void)state;
    start_other(&other);
    wait_for_step(&other, 1);
    blocking = seen_occupied = 0;
    thread_self->hooks = &hooks;
    section_begin(&s, container);
    seen_occupied += occupied;
    assert_false(is_free(container));
    section_end(&s);
    thread_self->hooks = &object_hooks;
    join_other(&other);
    assert_true(blocking >= 2);
    assert_int_equal(seen_occupied, 0);
    assert_true(all_free());
}

/* ---- naive locks ---- */

static void note_what_is_free(struct other *other)
{
    wait_for_step(other, 1);
    other->found = !is_free(container) && is_free(neighbour);
    reach_step(other, 2);
}

/* To be compared with; `lab demo deadlock` shows where it ends. */
static void test_naive_sections_keep_their_locks(void **state)
{
    struct other other = { .body = note_what_is_free };
    struct section s;

    (void)state;
    thread_self->keeps_sections = true;
    start_other(&other);
    section_begin(&s, container);
    wait_between(&other, 1, 2);
    section_end(&s);
    thread_self->keeps_sections = false;
    join_other(&other);
    assert_true(other.found);
    assert_true(all_free());
}

/* ---- many at once ---- */

enum { ACCOUNTS = 4, TRANSFERS = 4000, STOP_EVERY = 64, BEGIN_WITH = 1000 };
enum { LINGER_EVERY = 8, LINGER_LONG_EVERY = 256, MORE_THAN_THEY_SPIN = 60 };

/* Locked by sections, and plain, so that TSan sees who comes in beside another. */
struct account {
    struct object head;
    int64_t money;
};

static const struct type account_type = {
    .name = "account", .size_bytes = sizeof(struct account),
};

static struct object *accounts[ACCOUNTS]; /* owned */
static struct thread_hooks hooks_that_lock;

static void add(borrowed account, int64_t money)
{
    ((struct account *)account)->money += money;
}

static _Thread_local uint64_t chance;

/* Now and then long enough for others to stop spinning, or to be handed what they want. */
static void linger(void)
{
    uint64_t since_ns = clock_ns();

    if (random_of(&chance, LINGER_EVERY) == 0)
        for (int i = 0; i < MORE_THAN_THEY_SPIN; i++)
            sched_yield();
    if (random_of(&chance, LINGER_LONG_EVERY) == 0)
        while (clock_ns() - since_ns < 2 * NS_PER_MS)
            sched_yield();
}

static void move_in_one_step(struct thread *t, borrowed from, borrowed to)
{
    struct section s;

    (void)t;
    section_begin_two(&s, from, to);
    add(from, -1);
    linger();
    add(to, 1);
    section_end(&s);
}

static void move_in_nested_sections(struct thread *t, borrowed from, borrowed to) NO_LOCK_ANALYSIS
{
    struct section outer, inner;

    section_begin(&outer, from);
    add(from, -2);
    linger();
    section_begin(&inner, to);
    safepoint(t);
    add(to, 1);
    linger();
    section_end(&inner);
    add(from, 1);
    section_end(&outer);
}

static void move_and_wait(struct thread *t, borrowed from, borrowed to)
{
    struct section s;

    section_begin_two(&s, from, to);
    add(from, -1);
    thread_detach(t);
    thread_attach(t);
    add(to, 1);
    section_end(&s);
}

/* In a stopped world no lock is waited for. */
static void move_in_a_stopped_world(struct thread *t, borrowed from, borrowed to)
{
    world_stop(t);
    move_in_nested_sections(t, from, to);
    world_start(t);
}

/* What hooks destroy may lock anything, too: also what the thread is just waiting for. */
static void lock_in_a_hook(void)
{
    static _Thread_local bool inside;
    struct section s;

    if (inside)
        return; /* the section waits */
    inside = true;
    section_begin_two(&s, accounts[0], accounts[1]);
    add(accounts[0], 1);
    add(accounts[1], -1);
    section_end(&s);
    inside = false;
}

static _Thread_local int blocked; /* how many times more than it has gone on */

static void lock_and_block(struct thread *t)
{
    lock_in_a_hook();
    blocked++;
    object_hooks.before_block(t);
}

static void lock_and_go_on(struct thread *t)
{
    blocked--;
    lock_in_a_hook();
    object_hooks.after_block(t);
}

static void move_at_random(struct thread *t, int index)
{
    static void (*const ways[])(struct thread *t, borrowed from, borrowed to) = {
        move_in_one_step, move_in_nested_sections, move_and_wait,
    };
    chance = test_random_state + (uint64_t)index;
    if (index % 2)
        t->hooks = &hooks_that_lock;
    for (int i = 0; i < TRANSFERS; i++) {
        borrowed from = accounts[random_of(&chance, ACCOUNTS)];
        borrowed to = accounts[random_of(&chance, ACCOUNTS)];

        if (random_of(&chance, STOP_EVERY) == 0)
            move_in_a_stopped_world(t, from, to);
        else
            ways[random_of(&chance, sizeof ways / sizeof *ways)](t, from, to);
        safepoint(t);
    }
    t->hooks = &object_hooks;
    if (blocked)
        abort();
}

static void test_nothing_is_lost_where_all_lock_in_any_order(void **state)
{
    int64_t sum = 0;

    (void)state;
    if (was_kept)
        skip(); /* it would hang */
    seed_random();
    hooks_that_lock = object_hooks;
    hooks_that_lock.before_block = lock_and_block;
    hooks_that_lock.after_block = lock_and_go_on;
    for (int i = 0; i < ACCOUNTS; i++) {
        accounts[i] = object_new(&account_type, sizeof(struct account));
        assert_non_null(accounts[i]);
        ((struct account *)accounts[i])->money = BEGIN_WITH;
    }
    run_threads_under(gil_new(&gil_none, NULL), true, move_at_random);
    for (int i = 0; i < ACCOUNTS; i++) {
        sum += ((struct account *)accounts[i])->money;
        assert_true(is_free(accounts[i]));
        decref(accounts[i]);
    }
    assert_int_equal(sum, ACCOUNTS * BEGIN_WITH);
}

static int make_containers(void **state)
{
    (void)state;
    alarm(WATCHDOG_S);
    thread_self->sections = NULL; /* a test that failed may have left some */
    container = list_new();
    neighbour = list_new();
    publish(container);
    publish(neighbour);
    thread_self->locks_containers = true;
    return 0;
}

static int drop_containers(void **state)
{
    (void)state;
    thread_self->locks_containers = !RC_NEEDS_GIL;
    decref(container);
    decref(neighbour);
    return 0;
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, make_containers, drop_containers)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_one_thread_at_a_time),
        TEST(test_the_thread_decides_whether_to_lock),
        TEST(test_detaches_inside_one),
        TEST(test_detaches_inside_two),
        TEST(test_is_switched_inside_one),
        TEST(test_is_switched_inside_two),
        TEST(test_throws_inside_one),
        TEST(test_throws_inside_two),
        TEST(test_is_stopped_inside_one),
        TEST(test_is_stopped_inside_two),
        TEST(test_stops_inside_one),
        TEST(test_stops_inside_two),
        TEST(test_what_the_innermost_section_holds_is_not_locked_again),
        TEST(test_what_an_outer_section_holds_is_taken_from_it),
        TEST(test_a_hook_waits_for_what_its_thread_waits_for),
        TEST(test_naive_sections_keep_their_locks),
        TEST(test_nothing_is_lost_where_all_lock_in_any_order),
    };

    return run_attached(tests);
}
