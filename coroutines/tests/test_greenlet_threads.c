/* test_greenlet_threads.c - to which thread greenlets belong, who ends them, and their locks. */
#include "coroutines/greenlet.h"
#include "coroutines/hub_sync.h"
#include "coroutines/tests/pools.h"
#include "objects/cell.h"
#include "objects/section.h"
#include "objects/warning.h"

/* ---- another thread ---- */

static struct {
    struct recruit recruit;
    void (*act)(void);
    _Atomic uint32_t left;
} other;

static void act_as_other(struct thread *self, struct recruit *r)
{
    (void)self;
    recruit_ready(r);
    other.act();
}

static void tell_left(void *word)
{
    block_end(word);
}

/* It runs beside the test. */
static void start_other(void (*act)(void))
{
    atomic_store_explicit(&other.left, 0, memory_order_relaxed);
    other.act = act;
    other.recruit = (struct recruit){ .name = "other", .body = act_as_other, .after = tell_left,
                                      .kept = &other.left };
    assert_int_equal(recruit_start(&other.recruit), 0);
}

static void join_other(void)
{
    assert_true(block_until(&other.left, block_deadline(long_ns), 0));
}

static void run_other(void (*act)(void))
{
    start_other(act);
    join_other();
}

/* What the two pass to each other: owned by who takes it out. */
static struct object *shared;

static void put(struct object *o /* steals */)
{
    publish(o);
    shared = o;
}

static struct object *take(void)
{
    struct object *o = shared;

    shared = NULL;
    return o;
}

/* ---- bodies ---- */

static struct object *make(native *body, int arguments, borrowed closure)
{
    struct object *function = function_new("body", body, arguments, closure), *g;

    assert_non_null(function);
    g = greenlet_new(function, NULL);
    decref(function);
    assert_non_null(g);
    return g;
}

/* Of a thread's main greenlet, which is there as long as the thread is: so nothing is held
 * meanwhile. */
static struct object *to_parent(borrowed value)
{
    struct object *me = greenlet_current(), *parent = greenlet_parent(me);

    DROP(me, parent);
    return greenlet_switch(parent, value);
}

static _Atomic int begun, ended, ended_elsewhere;

/* A finally block that looks on which thread it runs. */
static struct object *note_thread(borrowed closure, borrowed const *arguments, size_t count)
{
    pthread_t here = pthread_self();
    struct object *got;

    (void)closure, (void)count;
    atomic_fetch_add(&begun, 1);
    got = to_parent(arguments[0]);
    if (!got && exception_matches(&greenlet_exit))
        atomic_fetch_add(pthread_equal(here, pthread_self()) ? &ended : &ended_elsewhere, 1);
    return got;
}

static struct object *suspended(native *body)
{
    struct object *g = make(body, 1, NULL), *got = greenlet_switch(g, none());

    assert_ptr_equal(got, none());
    return g;
}

static void forget_counts(void)
{
    begun = ended = ended_elsewhere = 0;
}

/* ---- to whom they belong ---- */

static const char different[] = "cannot switch to a different thread";
static const char exited[] = "cannot switch to a different thread (which happens to have exited)";

static void misuse(void)
{
    struct object *mine = make(note_thread, 1, NULL);

    assert_null(greenlet_switch(shared, NULL));
    assert_error(&greenlet_error, different);
    assert_null(greenlet_throw(shared, NULL));
    assert_error(&greenlet_error, different);
    assert_int_equal(greenlet_set_parent(mine, shared), -1);
    assert_error(&value_error, "parent cannot be on a different thread");
    assert_true(greenlet_started(shared));
    assert_false(greenlet_dead(shared));
    decref(mine);
}

static void test_nobody_switches_to_another_threads(void **state)
{
    struct object *g = suspended(note_thread);

    (void)state;
    forget_counts();
    put(incref(g));
    run_other(misuse);
    decref(take());
    assert_int_equal(ended, 0);
    decref(greenlet_throw(g, NULL));
    decref(g);
}

static struct object *give_ten(borrowed closure, borrowed const *arguments, size_t count)
{
    (void)closure, (void)arguments, (void)count;
    return int_new(10);
}

static void make_child(void)
{
    struct object *function = function_of(give_ten, ARGUMENTS_ANY), *parent = take();
    struct object *child = greenlet_new(function, parent);

    assert_non_null(child);
    assert_null(greenlet_switch(child, NULL));
    assert_error(&greenlet_error, different);
    put(child);
    DROP(function, parent);
}

static void test_a_child_belongs_to_its_parents_thread(void **state)
{
    struct object *child, *got;

    (void)state;
    put(greenlet_current());
    run_other(make_child);
    child = take();
    got = greenlet_switch(child, NULL);
    assert_int_equal(int_value(got), 10);
    DROP(got, child);
}

/* ---- the last reference is another thread's ---- */

static void drop_it(void)
{
    decref(take());
    for (int i = 0; i < 2 * RC_LATE_SAFEPOINTS + 2; i++)
        thread_request(thread_self, BREAKER_MERGE), safepoint(thread_self);
}

static int woken;

static void note_wake(void *unused)
{
    (void)unused;
    woken++;
}

static void settle(void)
{
    rc_quiesce();
    greenlet_collect_foreign();
    rc_quiesce();
}

static void test_dropped_elsewhere_it_ends_on_its_own_thread(void **state)
{
    (void)state;
    forget_counts();
    put(suspended(note_thread));
    assert_int_equal(greenlet_set_waker(note_wake, NULL), 0);
    run_other(drop_it);
    settle();
    assert_int_equal(ended, 1);
    assert_int_equal(ended_elsewhere, 0);
    assert_int_equal(greenlets_suspended(), 0);
    assert_int_equal(greenlet_set_waker(NULL, NULL), 0);
}

/* The call of the owner, which need not know, finds it. */
static void test_any_call_finds_what_was_dropped_elsewhere(void **state)
{
    (void)state;
    forget_counts();
    put(suspended(note_thread));
    run_other(drop_it);
    rc_quiesce();
    decref(greenlet_current());
    assert_int_equal(ended, 1);
}

static struct object *event;
static bool called_by_loop;

/* As note_thread; and then it waits, and wakes who waits for that. A late count may come while the loop
 * calls something: then it is called by the loop, and cannot wait. */
static struct object *note_thread_and_wait(borrowed closure, borrowed const *arguments,
                                           size_t count)
{
    struct object *got = note_thread(closure, arguments, count), *pending = exception_take();

    called_by_loop = loop_running();
    if (!RC_HAS_LATE)
        assert_int_equal(hub_sleep_ns(0), 0);
    hub_event_set(event);
    exception_restore(pending);
    return got;
}

/* Likely the other thread's hub sleeps by then. */
static void drop_it_later(void)
{
    for (int i = 0; i < 20; i++)
        look_again_later();
    drop_it();
}

/* Where counts are late, it has to run for them to come. */
static void test_a_hub_that_sleeps_is_woken_to_end_it(void **state)
{
    uint64_t until_ns = clock_ns() + long_ns;
    uint64_t step_ns = RC_LATE_SAFEPOINTS ? NS_PER_MS : long_ns;

    (void)state;
    forget_counts();
    event = hub_event_new();
    put(suspended(note_thread_and_wait));
    start_other(drop_it_later);
    while (!hub_event_is_set(event) && clock_ns() < until_ns)
        assert_true(hub_event_wait(event, clock_ns() + step_ns) >= 0);
    assert_true(hub_event_is_set(event));
    assert_int_equal(ended, 1);
    assert_int_equal(ended_elsewhere, 0);
    if (!RC_HAS_LATE)
        assert_false(called_by_loop);
    join_other();
    decref(event);
    hub_end();
}

/* ---- the end of a thread ---- */

static void leave_three(void)
{
    struct object *list = list_new(), *g[] = { suspended(note_thread), suspended(note_thread),
                                               make(note_thread, 1, NULL) };

    for (int i = 0; i < 3; i++)
        assert_int_equal(list_append(list, g[i]), 0);
    DROP(g[0], g[1], g[2]);
    put(list);
}

static void test_a_thread_takes_its_greenlets_with_it(void **state)
{
    struct object *list;

    (void)state;
    forget_counts();
    run_other(leave_three);
    assert_int_equal(begun, 2);
    assert_int_equal(ended, 2);
    assert_int_equal(ended_elsewhere, 0);
    list = take();
    for (size_t i = 0; i < 3; i++) {
        struct object *g = list_get(list, i), *parent = greenlet_parent(g);

        assert_true(greenlet_dead(g) == (i < 2));
        assert_true(greenlet_dead(parent));
        assert_null(greenlet_switch(g, NULL));
        assert_error(&greenlet_error, exited);
        assert_null(greenlet_throw(g, NULL));
        assert_error(&greenlet_error, exited);
        DROP(g, parent);
    }
    decref(list);
}

static struct object *ignore(borrowed closure, borrowed const *arguments, size_t count)
{
    struct object *got = to_parent(arguments[0]);

    (void)closure, (void)count;
    while (!got) {
        exception_restore(NULL);
        got = to_parent(none());
    }
    return got;
}

static void leave_one_that_ignores(void)
{
    put(suspended(ignore));
}

static _Atomic int told;

static void note_unraisable(borrowed exception, const char *where)
{
    assert_string_equal(where, "greenlet");
    assert_string_equal(exception_message(exception), "greenlet ignored GreenletExit");
    told++;
}

static void test_what_ignores_the_end_of_its_thread_is_counted(void **state)
{
    static const struct warning_hooks hooks = { .unraisable = note_unraisable };
    uint64_t leaked = greenlets_leaked();
    struct object *g;

    (void)state;
    warning_set_hooks(&hooks);
    run_other(leave_one_that_ignores);
    warning_set_hooks(NULL);
    assert_int_equal(told, 1);
    assert_int_equal(greenlets_leaked(), leaked + 1);
    g = take();
    assert_true(greenlet_dead(g));
    decref(g);
}

/* ---- critical sections ---- */

static struct object *guarded; /* owned */
static _Atomic bool inside;
static _Atomic int clashes;
static _Atomic bool stop;
enum { ROUNDS = 2000 };

static void be_inside(void)
{
    if (atomic_exchange_explicit(&inside, true, memory_order_relaxed))
        atomic_fetch_add(&clashes, 1);
    for (volatile int i = 0; i < 20; i = i + 1)
        ;
    atomic_store_explicit(&inside, false, memory_order_relaxed);
}

static void enter_and_leave(void)
{
    struct section s;

    section_begin(&s, guarded);
    be_inside();
    section_end(&s);
    safepoint(thread_self);
}

static bool is_free(borrowed o)
{
    struct bytelock *lock = &((struct object *)o)->lock;

    if (!bytelock_try(lock))
        return false;
    bytelock_unlock(lock);
    return true;
}

static NO_LOCK_ANALYSIS struct object *leave_inside(borrowed closure, borrowed const *arguments,
                                                    size_t count)
{
    struct object *got, *held;
    struct section s, within;

    (void)closure, (void)count;
    section_begin(&s, guarded);
    section_begin(&within, arguments[0]);
    got = to_parent(none());
    held = int_new(is_free(guarded) * 2 + is_free(arguments[0]));
    section_end(&within);
    section_end(&s);
    decref(got);
    return held;
}

/* Both, while it is away; when it is back, the innermost at once, the outer one when its turn
 * comes. */
static bool switch_gives_up_locks(void)
{
    struct object *within = list_new(), *g = make(leave_inside, 1, NULL), *held;
    bool were_free;

    decref(greenlet_switch(g, within));
    were_free = is_free(guarded) && is_free(within) && !thread_self->sections;
    held = greenlet_switch(g, NULL);
    assert_int_equal(int_value(held), 2);
    assert_true(is_free(guarded) && is_free(within));
    DROP(held, g, within);
    return were_free;
}

/* In a section it switches to the other, which wants the same. The one that is left there keeps the
 * list: where counts fall late, it leaves the section when the test has given up its own. */
static struct object *switch_inside(borrowed closure, borrowed const *arguments, size_t count)
{
    struct object *list = incref(guarded), *next = cell_get(closure), *got;
    struct section s;

    (void)arguments, (void)count;
    for (int i = 0; i < ROUNDS; i++) {
        section_begin(&s, list);
        be_inside();
        got = greenlet_switch(next, NULL);
        be_inside();
        section_end(&s);
        if (!got)
            break;
        decref(got);
    }
    DROP(next, list);
    return got;
}

static void two_that_switch_inside(void)
{
    struct object *to_b = cell_new(NULL), *to_a = cell_new(NULL);
    struct object *a = make(switch_inside, 0, to_b), *b = make(switch_inside, 0, to_a);

    cell_set(to_b, b);
    cell_set(to_a, a);
    decref(greenlet_switch(a, NULL));
    assert_true(greenlet_dead(a) != greenlet_dead(b));
    cell_set(to_b, NULL);
    cell_set(to_a, NULL);
    DROP(a, b, to_a, to_b);
}

static void compete(void)
{
    two_that_switch_inside();
    atomic_store(&stop, true);
}

static void test_a_switch_gives_up_the_locks_and_takes_them_again(void **state)
{
    (void)state;
    if (!thread_self->locks_containers)
        return;
    guarded = list_new();
    publish(guarded);
    assert_true(switch_gives_up_locks()); /* else the rest would wait for ever */
    clashes = 0;
    stop = false;
    start_other(compete);
    two_that_switch_inside();
    while (!atomic_load(&stop))
        enter_and_leave();
    join_other();
    assert_int_equal(clashes, 0);
    assert_null(thread_self->sections);
    decref(guarded);
}

/* ---- all at once ---- */

enum { THREADS = 4, HELD = 6, STEPS = 400 };

static struct object *pot; /* owned; a list that all put into and take out of */

static void stir(int64_t seed)
{
    uint64_t chance = (uint64_t)seed * 77 + 1;
    struct object *mine[HELD] = { NULL };

    for (int i = 0; i < STEPS; i++) {
        size_t at = random_of(&chance, HELD);
        struct object *got = NULL;

        switch (random_of(&chance, 5)) {
        case 0: case 1:
            xdecref(mine[at]);
            mine[at] = suspended(note_thread);
            break;
        case 2:
            if (mine[at])
                assert_int_equal(list_append(pot, mine[at]), 0);
            break;
        case 3:
            got = list_pop(pot);
            exception_restore(NULL);
            break;
        default:
            if (mine[at])
                got = greenlet_throw(mine[at], NULL);
            assert_true(!mine[at] || exception_is(got, &greenlet_exit));
        }
        xdecref(got);
        safepoint(thread_self);
    }
    for (int i = 0; i < HELD; i++)
        xdecref(mine[i]);
}

static struct recruit crowd[THREADS];
static _Atomic uint32_t crowd_left[THREADS];

static void act_in_crowd(struct thread *self, struct recruit *r)
{
    int64_t seed = r - crowd;

    (void)self;
    recruit_ready(r);
    stir(seed + 1);
}

static void test_four_threads_drop_each_others(void **state)
{
    struct object *got;

    (void)state;
    forget_counts();
    pot = list_new();
    publish(pot);
    for (int i = 0; i < THREADS; i++) {
        atomic_store(&crowd_left[i], 0);
        crowd[i] = (struct recruit){ .name = "one of four", .body = act_in_crowd,
                                     .after = tell_left, .kept = &crowd_left[i] };
        assert_int_equal(recruit_start(&crowd[i]), 0);
    }
    for (int i = 0; i < THREADS; i++)
        assert_true(block_until(&crowd_left[i], block_deadline(long_ns), 0));
    while ((got = list_pop(pot)))
        decref(got);
    exception_restore(NULL);
    decref(pot);
    settle();
    assert_true(begun > 0);
    assert_int_equal(ended, begun);
    assert_int_equal(ended_elsewhere, 0);
}

static const struct CMUnitTest tests[] = {
    cmocka_unit_test(test_nobody_switches_to_another_threads),
    cmocka_unit_test(test_a_child_belongs_to_its_parents_thread),
    cmocka_unit_test(test_dropped_elsewhere_it_ends_on_its_own_thread),
    cmocka_unit_test(test_any_call_finds_what_was_dropped_elsewhere),
    cmocka_unit_test(test_a_hub_that_sleeps_is_woken_to_end_it),
    cmocka_unit_test(test_a_thread_takes_its_greenlets_with_it),
    cmocka_unit_test(test_what_ignores_the_end_of_its_thread_is_counted),
    cmocka_unit_test(test_a_switch_gives_up_the_locks_and_takes_them_again),
    cmocka_unit_test(test_four_threads_drop_each_others),
};

int main(void)
{
    return run_with_pools(tests);
}
