/* test_weakref.c - references that do not keep alive. */
#include "objects/collector.h"
#include "objects/function.h"
#include "objects/int.h"
#include "objects/list.h"
#include "objects/none.h"
#include "objects/section.h"
#include "objects/tests/crowd.h"
#include "objects/weakref.h"

static void assert_leads_to(borrowed w, borrowed referent)
{
    struct object *got = weakref_get(w);

    assert_ptr_equal(got, referent);
    assert_null(exception_pending());
    xdecref(got);
}

/* Gives up the reference, and the policy its time. */
static void drop(struct object *o)
{
    decref(o);
    settle();
}

static void test_leads_to_its_referent_and_does_not_hold_it(void **state)
{
    int64_t before = live_blocks();
    struct object *o = witness_new(NULL), *w = weakref_new(o, NULL);

    (void)state;
    assert_int_equal(exact_count(o), 1);
    assert_int_equal(held_by(w), 0);
    assert_leads_to(w, o);
    assert_int_equal(exact_count(o), 1);
    drop(o);
    assert_int_equal(witnesses_wrong(), 0);
    assert_leads_to(w, NULL);
    decref(w);
    assert_int_equal(live_blocks(), before);
}

/* Most objects that die are plain, and take a short way. */
static void test_a_plain_object_may_have_one(void **state)
{
    int64_t before = live_blocks();
    struct object *o = int_new(1), *w = weakref_new(o, NULL), *successor;

    (void)state;
    assert_leads_to(w, o);
    drop(o);
    successor = int_new(2); /* likely where the other was */
    assert_leads_to(w, NULL);
    decref(w);
    decref(successor);
    assert_int_equal(live_blocks(), before);
}

static void test_what_it_gives_keeps_alive(void **state)
{
    struct object *o = witness_new(NULL), *w = weakref_new(o, NULL), *got = weakref_get(w);

    (void)state;
    drop(o);
    assert_int_equal(destroyed(0), 0);
    assert_leads_to(w, got);
    drop(got);
    assert_int_equal(destroyed(0), 1);
    assert_leads_to(w, NULL);
    decref(w);
}

static void test_publishes_its_referent(void **state)
{
    struct object *o = witness_new(int_new(1)), *w = weakref_new(o, NULL);

    (void)state;
    assert_true(published(o) && published(((struct witness *)o)->held));
    assert_false(published(w));
    drop(o);
    decref(w);
}

static void test_none_is_refused(void **state)
{
    (void)state;
    assert_null(weakref_new(none(), NULL));
    assert_string_equal(exception_message(exception_pending()),
                        "cannot create weak reference to 'NoneType' object");
    assert_raises(&type_error);
}

/* Builds of tests have two buckets: these many share both. */
static void test_each_dies_with_its_own_referent(void **state)
{
    enum { MANY = 20 };
    struct object *o[MANY], *w[MANY], *second[MANY];

    (void)state;
    for (int i = 0; i < MANY; i++) {
        o[i] = witness_new(NULL);
        w[i] = weakref_new(o[i], NULL);
        second[i] = weakref_new(o[i], NULL);
    }
    for (int dead = 0; dead < MANY; dead++) {
        int number = dead * 7 % MANY;

        decref(second[number]); /* from the middle of its list */
        drop(o[number]);
        o[number] = NULL;
        for (int i = 0; i < MANY; i++)
            assert_leads_to(w[i], o[i]);
    }
    for (int i = 0; i < MANY; i++)
        decref(w[i]);
}

static void test_one_may_lead_to_another(void **state)
{
    struct object *o = witness_new(NULL), *w = weakref_new(o, NULL), *of_w = weakref_new(w, NULL);

    (void)state;
    assert_leads_to(of_w, w);
    drop(w);
    assert_leads_to(of_w, NULL);
    drop(o);
    assert_int_equal(witnesses_wrong(), 0);
    decref(of_w);
}

/* ---- callbacks ---- */

static _Atomic int calls;

/* Finds the referent dead, and raises. */
static struct object *note_call(borrowed closure, borrowed const *arguments, size_t count)
{
    struct object *got = weakref_get(arguments[0]);

    expect(count == 1 && !got);
    expect(!closure ||
           (type_of(closure) == &witness_type && destroyed(witness_number(closure)) == 0));
    xdecref(got);
    atomic_fetch_add_explicit(&calls, 1, memory_order_relaxed);
    exception_set(&value_error, "from a callback");
    return NULL;
}

static int called(void)
{
    return atomic_load_explicit(&calls, memory_order_relaxed);
}

static struct object *callback_new(void)
{
    struct object *closure = witness_new(NULL);
    struct object *callback = function_new("note_call", note_call, 1, closure);

    decref(closure);
    if (!callback)
        abort();
    atomic_store_explicit(&calls, 0, memory_order_relaxed);
    return callback;
}

static void test_a_callback_is_called_once(void **state)
{
    struct object *o = witness_new(NULL), *callback = callback_new();
    struct object *w = weakref_new(o, callback), *twin = weakref_new(o, callback);

    (void)state;
    assert_int_equal(held_by(w), 1);
    assert_int_equal(exact_count(callback), 3);
    exception_set(&key_error, "on its way");
    drop(o);
    assert_int_equal(called(), 2);
    assert_string_equal(exception_message(exception_pending()), "on its way");
    assert_raises(&key_error);
    assert_leads_to(w, NULL);
    drop(w);
    drop(twin);
    drop(callback);
    assert_int_equal(called(), 2);
    assert_int_equal(mishaps, 0);
    assert_int_equal(witnesses_wrong(), 0);
}

static void test_who_died_before_is_not_called(void **state)
{
    struct object *o = witness_new(NULL), *callback = callback_new();

    (void)state;
    drop(weakref_new(o, callback));
    drop(callback);
    drop(o);
    assert_int_equal(called(), 0);
    assert_int_equal(witnesses_wrong(), 0);
}

/* ---- parking: what died is kept in memory, and so is what leaked ---- */

static void test_leads_nowhere_when_its_referent_is_parked(void **state)
{
    struct object *freed, *leaked, *w, *of_leaked, *called_back, *callback;
    struct damage damage;

    (void)state;
    parking_begin(PARKING_BOUND_BYTES);
    freed = witness_new(NULL);
    leaked = witness_new(NULL);
    callback = callback_new();
    w = weakref_new(freed, NULL);
    of_leaked = weakref_new(leaked, NULL);
    called_back = weakref_new(freed, callback);
    weakref_new(leaked, callback); /* leaks, too */
    decref(callback);
    drop(freed);
    assert_int_equal(called(), 1);
    assert_leads_to(w, NULL);
    assert_leads_to(of_leaked, leaked);
    drop(called_back);
    parking_end(&damage);
    assert_true(damage.leaked >= 2);
    assert_int_equal(called(), 1);
    assert_leads_to(of_leaked, NULL);
    decref(w);
    decref(of_leaked);
    assert_int_equal(witnesses_wrong(), 0);
}

/* ---- threads ---- */

/* Under a global lock a round waits for it several times. */
enum { ROUNDS = RC_NEEDS_GIL ? 200 : 2000, TRIES = 100, UPGRADERS = 2 };

static struct object *shared;                          /* a weak reference; `turn` hands it over */
static _Atomic int turn, upgraded, given_up, finished; /* rounds; `finished` times threads */

/* Before there are threads. */
static void begin(void)
{
    atomic_store_explicit(&turn, 0, memory_order_relaxed);
    atomic_store_explicit(&upgraded, 0, memory_order_relaxed);
    atomic_store_explicit(&given_up, 0, memory_order_relaxed);
    atomic_store_explicit(&finished, 0, memory_order_relaxed);
}

static void wait_for(struct member *m, _Atomic int *value, int at_least)
{
    while (atomic_load_explicit(value, memory_order_acquire) < at_least) {
        sched_yield();
        safepoint(&m->self);
    }
}

static void idle(uint64_t turns)
{
    for (volatile uint64_t i = 0; i < turns; i++)
        ;
}

/* Reads what those who had a reference wrote. */
static void read_words(struct witness *p)
{
    int sum = 0;

    for (int i = 0; i < CROWD_MOST; i++)
        sum += p->words[i];
    expect(sum >= 0);
}

/* Whether there was something to use: it must not be destroyed while it is used, which now and then
 * takes longer. */
static bool upgrade_and_use(struct member *m, borrowed w, int number)
{
    static _Thread_local unsigned uses;
    struct object *got = weakref_get(w);
    uint64_t turns = ++uses % 8 ? 20 : 3000;

    if (!got)
        return false;
    for (int i = 0; i < 3; i++) {
        bool alive = destroyed(number) == 0;

        expect(alive);
        if (!alive)
            return false; /* no object to give back */
        ((struct witness *)got)->words[m->index]++;
        idle(turns);
    }
    decref(got);
    return true;
}

static bool is_over(int round)
{
    return atomic_load_explicit(&given_up, memory_order_relaxed) > round;
}

/* Upgrades until the object is dead, or has lived on for a while though nobody holds it:
 * a policy may be late, and two threads may keep alive for each other what they use. */
static void upgrade(struct member *m)
{
    spread_out(m);
    for (int round = 0; round < ROUNDS; round++) {
        wait_for(m, &turn, round + 1);
        for (int left = TRIES; left > 0 && upgrade_and_use(m, shared, round);
             left -= is_over(round)) {
            atomic_store_explicit(&upgraded, round + 1, memory_order_relaxed);
            safepoint(&m->self);
        }
        atomic_fetch_add_explicit(&finished, 1, memory_order_release);
    }
}

/* Makes an object that two threads upgrade, and drops the only reference that lasts when
 * they have begun. */
static void make_and_drop(struct member *m)
{
    uint64_t chance = test_random_state;

    spread_out(m);
    for (int round = 0; round < ROUNDS; round++) {
        struct object *o = witness_new(NULL);

        ((struct witness *)o)->last = read_words;
        shared = weakref_new(o, NULL);
        publish(shared);
        atomic_store_explicit(&turn, round + 1, memory_order_release);
        wait_for(m, &upgraded, round + 1);
        idle(random_of(&chance, 600));
        decref(o);
        atomic_store_explicit(&given_up, round + 1, memory_order_relaxed);
        wait_for(m, &finished, UPGRADERS * (round + 1));
        decref(shared);
    }
}

static void race(struct member *m)
{
    if (m->index == 0)
        make_and_drop(m);
    else
        upgrade(m);
}

/* The twin: refcount/wrong/unpublished.h. */
static void test_two_upgrades_against_the_last_decref(void **state)
{
    int64_t before = live_blocks();

    (void)state;
    seed_random();
    begin();
    crowd_run(1 + UPGRADERS, race, NULL);
    settle();
    assert_int_equal(mishaps, 0);
    assert_int_equal(witnesses_wrong(), 0);
    assert_int_equal(live_blocks(), before);
}

static struct object *held; /* by the test's own thread */

static void upgrade_what_is_held(struct member *m)
{
    for (int i = 0; i < ROUNDS; i++) {
        expect(upgrade_and_use(m, shared, 0));
        safepoint(&m->self);
    }
}

static void test_what_is_held_can_always_be_upgraded(void **state)
{
    (void)state;
    held = witness_new(NULL);
    shared = weakref_new(held, NULL);
    publish(shared);
    crowd_run(CROWD_MOST, upgrade_what_is_held, NULL);
    assert_int_equal(mishaps, 0);
    assert_int_equal(exact_count(held), 1);
    drop(held);
    drop(shared);
    assert_int_equal(witnesses_wrong(), 0);
}

/* One makes the referent and drops it, the other keeps the weak reference to itself. */
static void call_across(struct member *m)
{
    struct object *callback, *w = NULL;

    if (m->index == 0) {
        held = witness_new(NULL);
        publish(held);
    }
    meet(m);
    if (m->index == 1) {
        callback = callback_new();
        w = weakref_new(held, callback);
        decref(callback);
    }
    meet(m);
    if (m->index == 0)
        decref(held);
    meet(m);
    settle();
    meet(m);
    expect(called() == 1);
    xdecref(w);
}

static void test_another_thread_may_call_back(void **state)
{
    int64_t before = live_blocks();

    (void)state;
    crowd_run(2, call_across, NULL);
    settle();
    assert_int_equal(mishaps, 0);
    assert_int_equal(live_blocks(), before);
}

/* One drops the referent, the other the weak reference with its callback. */
static struct object *dropped[2];

static void drop_one(struct member *m)
{
    uint64_t chance = test_random_state + (uint64_t)m->index;

    spread_out(m);
    for (int round = 0; round < ROUNDS; round++) {
        if (m->index == 0) {
            struct object *callback = callback_new();

            dropped[0] = witness_new(NULL);
            dropped[1] = weakref_new(dropped[0], callback);
            decref(callback);
            atomic_store_explicit(&turn, round + 1, memory_order_release);
        }
        wait_for(m, &turn, round + 1);
        idle(random_of(&chance, 600));
        decref(dropped[m->index]);
        atomic_fetch_add_explicit(&finished, 1, memory_order_release);
        wait_for(m, &finished, 2 * (round + 1));
    }
}

static void test_both_ends_dropped_at_once(void **state)
{
    int64_t before = live_blocks();

    (void)state;
    seed_random();
    begin();
    crowd_run(2, drop_one, NULL);
    settle();
    assert_int_equal(mishaps, 0);
    assert_int_equal(witnesses_wrong(), 0);
    assert_int_equal(live_blocks(), before);
}

static struct object *nothing(borrowed closure, borrowed const *arguments, size_t count)
{
    (void)closure;
    (void)arguments;
    (void)count;
    return none();
}

static int session(void)
{
    struct object *o = int_new(1), *callback = NULL, *w = NULL;

    if (o)
        callback = function_new("nothing", nothing, 1, NULL);
    if (callback)
        w = weakref_new(o, callback);
    xdecref(o);
    xdecref(w);
    xdecref(callback);
    return w ? 0 : -1;
}

/* ---- callbacks that wait ---- */

enum { QUEUED_MOST = 200 };

static struct object *contended, *queued[QUEUED_MOST], *queued_weak[QUEUED_MOST];
static _Atomic(struct thread *) in_callback;
static _Atomic int section_held_by_other, queue_is_made, queue_is_dropped;
static _Thread_local int nested;
static _Atomic int deepest;

static struct object *append_to_contended(borrowed closure, borrowed const *arguments, size_t count)
{
    int failed;

    (void)closure;
    (void)arguments;
    (void)count;
    if (++nested > atomic_load_explicit(&deepest, memory_order_relaxed))
        atomic_store_explicit(&deepest, nested, memory_order_relaxed);
    atomic_store_explicit(&in_callback, thread_self, memory_order_release);
    failed = list_append(contended, none());
    nested--;
    return failed < 0 ? NULL : none();
}

static void wait_until_set(_Atomic int *flag)
{
    while (!atomic_load_explicit(flag, memory_order_acquire))
        sched_yield();
}

/* Holds the section until a callback waits for it, and collects: what has died, and whose
 * callback waits, is not garbage. */
static void hold_section_and_collect(void)
{
    struct section s;
    struct thread *waiting;

    section_begin(&s, contended);
    atomic_store_explicit(&section_held_by_other, 1, memory_order_release);
    do {
        sched_yield();
        waiting = atomic_load_explicit(&in_callback, memory_order_acquire);
    } while (!waiting ||
             atomic_load_explicit(&waiting->state, memory_order_acquire) != THREAD_DETACHED);
    collect(GENERATION_ALL);
    section_end(&s);
}

static void make_queue(struct thread *t)
{
    struct object *callback = function_new("append", append_to_contended, 1, NULL);

    for (int i = 0; i < QUEUED_MOST; i++) {
        queued[i] = list_new();
        queued_weak[i] = weakref_new(queued[i], callback);
    }
    decref(callback);
    atomic_store_explicit(&queue_is_made, 1, memory_order_release);
    /* Without a safe point, so that the queue is whole; but not while one waits, for whom
     * the world is to be stopped. */
    while (!atomic_load_explicit(&queue_is_dropped, memory_order_acquire) &&
           !atomic_load_explicit(&in_callback, memory_order_acquire))
        sched_yield();
    for (int i = 0; i < RC_LATE_SAFEPOINTS; i++)
        safepoint(t);
}

/* Where objects die at once the callbacks are run here. */
static void drop_queue(void)
{
    wait_until_set(&section_held_by_other);
    wait_until_set(&queue_is_made);
    for (int i = 0; i < QUEUED_MOST; i++)
        decref(queued[i]);
    atomic_store_explicit(&queue_is_dropped, 1, memory_order_release);
}

static void hold_make_or_drop(struct thread *t, int index)
{
    if (index == 0)
        hold_section_and_collect();
    else if (index == 1)
        make_queue(t);
    else if (index == 2)
        drop_queue();
    for (int i = 0; i < RC_LATE_SAFEPOINTS; i++)
        safepoint(t);
}

/* Biased: the maker's queue holds two hundred; the callback of the first waits, so the maker
 * is detached, which is where queues are drained. */
static void test_callbacks_that_wait_do_not_nest(void **state)
{
    (void)state;
    if (RC_NEEDS_GIL)
        skip(); /* who waits here would keep the GIL */
    contended = list_new();
    publish(contended);
    run_threads(hold_make_or_drop);
    rc_quiesce();
    assert_int_equal(list_length(contended), QUEUED_MOST);
    assert_int_equal(deepest, 1);
    for (int i = 0; i < QUEUED_MOST; i++)
        decref(queued_weak[i]);
    decref(contended);
}

static void test_no_memory_is_an_error(void **state)
{
    (void)state;
    fail_everywhere(session);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(test_leads_to_its_referent_and_does_not_hold_it, witnesses_reset),
        cmocka_unit_test_setup(test_a_plain_object_may_have_one, witnesses_reset),
        cmocka_unit_test_setup(test_what_it_gives_keeps_alive, witnesses_reset),
        cmocka_unit_test_setup(test_publishes_its_referent, witnesses_reset),
        cmocka_unit_test_setup(test_none_is_refused, witnesses_reset),
        cmocka_unit_test_setup(test_each_dies_with_its_own_referent, witnesses_reset),
        cmocka_unit_test_setup(test_one_may_lead_to_another, witnesses_reset),
        cmocka_unit_test_setup(test_a_callback_is_called_once, witnesses_reset),
        cmocka_unit_test_setup(test_who_died_before_is_not_called, witnesses_reset),
        cmocka_unit_test_setup(test_leads_nowhere_when_its_referent_is_parked, witnesses_reset),
        cmocka_unit_test_setup(test_two_upgrades_against_the_last_decref, witnesses_reset),
        cmocka_unit_test_setup(test_what_is_held_can_always_be_upgraded, witnesses_reset),
        cmocka_unit_test_setup(test_another_thread_may_call_back, witnesses_reset),
        cmocka_unit_test_setup(test_both_ends_dropped_at_once, witnesses_reset),
        cmocka_unit_test_setup(test_callbacks_that_wait_do_not_nest, witnesses_reset),
        cmocka_unit_test_setup(test_no_memory_is_an_error, witnesses_reset),
    };

    heap = &heap_checked;
    return run_in_crowd(tests);
}
