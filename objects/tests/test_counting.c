/* test_counting.c - what every refcount policy promises.
 *
 * The same suite under each policy, also the wrong ones, which must fail it. Policies
 * may destroy late (RC_HAS_LATE): then an object is gone once the threads that it waits
 * for have passed a safe point. Tests under ThreadSanitizer see too weak an order.
 */
#include "gil/mutex.h"
#include "objects/heap.h"
#include "objects/tests/crowd.h"

#include <sys/wait.h>
#include <unistd.h>

#if defined(__has_feature)
#define FEATURE(x) __has_feature(x)
#else
#define FEATURE(x) 0
#endif
#if defined(__SANITIZE_ADDRESS__) || FEATURE(address_sanitizer)
#define SEES_READ_AFTER_FREE 1
#else
#define SEES_READ_AFTER_FREE 0
#endif
#undef FEATURE

/* One thread. */

static void test_a_new_object_has_one_reference(void **state)
{
    struct object *o = witness_new(NULL);

    (void)state;
    assert_int_equal(exact_count(o), 1);
    decref(o);
    assert_int_equal(witnesses_wrong(), 0);
}

static void test_references_are_counted_one_by_one(void **state)
{
    struct object *o = witness_new(NULL);

    (void)state;
    for (int i = 1; i <= 1000; i++) {
        assert_int_equal(exact_count(o), i);
        incref(o);
    }
    for (int i = 1000; i >= 1; i--) {
        decref(o);
        assert_int_equal(exact_count(o), i);
    }
    assert_int_equal(destroyed(witness_number(o)), 0);
    decref(o);
    assert_int_equal(witnesses_wrong(), 0);
}

static void test_destroying_a_chain_destroys_every_link_at_once(void **state)
{
    struct object *o = NULL;

    (void)state;
    for (int i = 0; i < 100; i++)
        o = witness_new(o);
    publish(o);
    decref(o);
    assert_int_equal(witnesses_wrong(), 0);
}

static void test_try_incref_takes_a_reference(void **state)
{
    struct object *o = witness_shared();

    (void)state;
    assert_true(rc_try_incref(&o->rc));
    assert_int_equal(exact_count(o), 2);
    decref(o);
    assert_int_equal(destroyed(witness_number(o)), 0);
    decref(o);
    assert_int_equal(witnesses_wrong(), 0);
}

static void try_to_revive(struct witness *p)
{
    expect(!rc_try_incref(&p->head.rc));
}

static void test_a_destructor_cannot_revive_its_object(void **state)
{
    struct object *unseen = witness_new(NULL), *seen = witness_shared();

    (void)state;
    ((struct witness *)unseen)->last = try_to_revive;
    ((struct witness *)seen)->last = try_to_revive;
    decref(unseen);
    decref(seen);
    assert_int_equal(mishaps, 0);
    assert_int_equal(witnesses_wrong(), 0);
}

static rc_t immortal;

static void drop_immortal(struct member *m)
{
    (void)m;
    for (int i = 0; i < 10000; i++)
        expect(!rc_decref(&immortal));
}

static void test_an_immortal_object_survives_everybody(void **state)
{
    (void)state;
    rc_immortal(&immortal);
    crowd_run(3, drop_immortal, NULL);
    assert_int_equal(mishaps, 0);
    assert_true(rc_try_incref(&immortal));
    assert_true(rc_count(&immortal) > 1000000);
}

/* From hand to hand. */

static void drop_all(struct member *m)
{
    struct object **objects = m->crowd->shared;

    for (int i = 0; objects[i]; i++)
        decref(objects[i]);
}

static void test_made_here_and_dropped_there_is_destroyed_in_time(void **state)
{
    struct object *objects[101] = { NULL };

    (void)state;
    for (int i = 0; i < 100; i++)
        objects[i] = witness_shared();
    crowd_run(1, drop_all, objects);
    if (!RC_HAS_LATE)
        assert_int_equal(witnesses_wrong_now(), 0);
    settle();
    assert_int_equal(witnesses_wrong_now(), 0);
}

static void take_ten(struct member *m)
{
    for (int i = 0; i < 10; i++)
        incref(m->crowd->shared);
}

/* Biased: the owner's own count reaches zero long before the others'. */
static void test_the_maker_may_drop_what_others_counted(void **state)
{
    struct object *o = witness_shared();

    (void)state;
    crowd_run(3, take_ten, o);
    for (int left = 30; left; left--) {
        decref(o);
        assert_int_equal(exact_count(o), left);
    }
    assert_int_equal(destroyed(witness_number(o)), 0);
    decref(o);
    assert_int_equal(witnesses_wrong(), 0);
}

static void drop_ten(struct member *m)
{
    for (int i = 0; i < 10; i++)
        decref(m->crowd->shared);
}

/* Biased: the others' count falls below zero. */
static void test_others_may_drop_what_the_maker_counted(void **state)
{
    struct object *o = witness_shared();

    (void)state;
    for (int i = 0; i < 30; i++)
        incref(o);
    crowd_run(3, drop_ten, o);
    assert_int_equal(exact_count(o), 1);
    assert_int_equal(destroyed(witness_number(o)), 0);
    decref(o);
    assert_int_equal(witnesses_wrong(), 0);
}

static void try_and_drop(struct member *m)
{
    struct object *o = m->crowd->shared;

    for (int i = 0; i < 100; i++) {
        bool taken = rc_try_incref(&o->rc);

        expect(taken);
        if (taken)
            decref(o);
    }
}

static void test_try_incref_of_what_another_holds_takes_a_reference(void **state)
{
    struct object *o = witness_shared();

    (void)state;
    crowd_run(3, try_and_drop, o);
    assert_int_equal(mishaps, 0);
    assert_int_equal(exact_count(o), 1);
    decref(o);
    assert_int_equal(witnesses_wrong(), 0);
}

/* Threads come and go. */

static void make_one(struct member *m)
{
    *(struct object **)m->crowd->shared = witness_shared();
}

static void test_an_object_outlives_its_maker(void **state)
{
    struct object *o;

    (void)state;
    crowd_run(1, make_one, &o);
    assert_int_equal(exact_count(o), 1);
    incref(o);
    decref(o);
    assert_int_equal(destroyed(witness_number(o)), 0);
    decref(o);
    assert_int_equal(witnesses_wrong(), 0);
}

enum { LEFT = 1000 };

struct estate {
    struct object *objects[LEFT];
    _Atomic int halfway, leaving;
};

static void wait_for(struct member *m, _Atomic int *flag)
{
    while (!atomic_load_explicit(flag, memory_order_relaxed))
        safepoint(&m->self);
}

static void make_and_leave(struct member *m, struct estate *e)
{
    for (int i = 0; i < LEFT; i++)
        e->objects[i] = witness_shared();
    meet(m);
    wait_for(m, &e->halfway);
    atomic_store_explicit(&e->leaving, 1, memory_order_relaxed);
}

static void drop_while_maker_leaves(struct member *m, struct estate *e)
{
    meet(m);
    for (int i = 0; i < LEFT; i++) {
        if (i == LEFT / 2) {
            atomic_store_explicit(&e->halfway, 1, memory_order_relaxed);
            wait_for(m, &e->leaving);
        }
        decref(e->objects[i]);
    }
}

static void leave_or_drop(struct member *m)
{
    spread_out(m);
    (m->index == 0 ? make_and_leave : drop_while_maker_leaves)(m, m->crowd->shared);
}

/* Biased: some are queued for the maker, others find it gone; none falls between. */
static void test_the_maker_may_end_while_others_still_drop(void **state)
{
    static struct estate e;

    (void)state;
    for (int round = 0; round < 150; round++) {
        e.halfway = e.leaving = 0;
        crowd_run(2, leave_or_drop, &e);
    }
    assert_int_equal(witnesses_wrong(), 0);
}

static void make_estate(struct member *m)
{
    struct estate *e = m->crowd->shared;

    for (int i = 0; i < LEFT; i++) {
        e->objects[i] = witness_shared();
        incref(e->objects[i]);
    }
}

static void count_and_drop(struct member *m)
{
    struct estate *e = m->crowd->shared;

    for (int i = 0; i < LEFT; i++) {
        incref(e->objects[i]);
        decref(e->objects[i]);
        decref(e->objects[i]);
        safepoint(&m->self);
    }
}

/* Biased: glibc gives a new thread the stack, and so the thread pointer, of the last
 * that has ended. The new one starts amid drops that found no owner. */
static void test_a_thread_may_take_the_place_of_the_maker(void **state)
{
    static struct estate e;
    static struct crowd c;

    (void)state;
    for (int round = 0; round < 50; round++) {
        crowd_run(1, make_estate, &e);
        crowd_start(&c, 1, count_and_drop, &e);
        for (int i = 0; i < LEFT; i++)
            decref(e.objects[i]);
        crowd_join(&c);
    }
    assert_int_equal(witnesses_wrong(), 0);
}

/* Biased: the drop waits for the maker, who drains nothing between it and the end. */
static void make_three_and_drop_one(struct member *m)
{
    struct object **o = m->crowd->shared;

    if (m->index == 0) {
        *o = witness_shared();
        incref(*o);
        incref(*o);
        meet_times(m, 2);
    } else {
        meet(m);
        decref(*o);
        meet(m);
    }
}

static void test_ending_frees_only_what_nobody_holds(void **state)
{
    struct object *o;
    int number;

    (void)state;
    crowd_run(2, make_three_and_drop_one, &o);
    number = atomic_load_explicit(&witnesses_made, memory_order_relaxed) - 1;
    assert_int_equal(destroyed(number), 0);
    assert_int_equal(exact_count(o), 2);
    decref(o);
    assert_int_equal(destroyed(number), 0);
    decref(o);
    assert_int_equal(witnesses_wrong(), 0);
}

/* Runs a thread that never enters the runtime. The caller stays attached meanwhile, so
 * that under a GIL nobody else counts. */
static void run_unregistered(void *(*body)(void *), void *argument)
{
    pthread_t os;

    if (pthread_create(&os, NULL, body, argument))
        abort();
    pthread_join(os, NULL);
}

static void *take_reference(void *o)
{
    incref(o);
    return NULL;
}

static void *drop_reference(void *o)
{
    decref(o);
    return NULL;
}

static void make_with_two_references(struct member *m)
{
    make_one(m);
    incref(*(struct object **)m->crowd->shared);
}

/* Biased: once its maker has gone, dropping what it counted merges an object. */
static void test_an_unregistered_thread_does_not_look_like_the_maker(void **state)
{
    struct object *o;
    int number;

    (void)state;
    crowd_run(1, make_with_two_references, &o);
    number = witness_number(o);
    decref(o);
    run_unregistered(take_reference, o);
    assert_int_equal(exact_count(o), 2);
    decref(o);
    assert_int_equal(destroyed(number), 0);
    run_unregistered(drop_reference, o);
    assert_int_equal(witnesses_wrong(), 0);
}

static void *make_unregistered(void *objects)
{
    struct object **made = objects;

    for (int i = 0; i < 100; i++) {
        made[i] = witness_new(NULL);
        expect(rc_try_incref(&made[i]->rc));
        decref(made[i]);
        publish(made[i]);
    }
    return NULL;
}

static void test_objects_made_by_an_unregistered_thread_are_counted(void **state)
{
    struct object *objects[101] = { NULL };

    (void)state;
    run_unregistered(make_unregistered, objects);
    assert_int_equal(mishaps, 0);
    for (int i = 0; i < 100; i++) {
        assert_int_equal(exact_count(objects[i]), 1);
        incref(objects[i]);
    }
    crowd_run(2, drop_all, objects);
    assert_int_equal(witnesses_wrong(), 0);
}

/* Together with those that come at the same time each takes what one before has left,
 * and leaves something. */
static void pass_on(struct member *m)
{
    _Atomic(struct object *) *left = m->crowd->shared;
    struct object *mine = witness_shared();

    xdecref(atomic_exchange_explicit(left, incref(mine), memory_order_acq_rel));
    decref(mine);
}

/* 20 000 where the policy keeps something of each that it could forget to give back, in a soak
 * 100 000. To start a thread costs several times as much under a sanitizer: there fewer come. */
enum { COMERS = RC_HAS_THREADS && !SANITIZED ? 20000 : 10000, SOAKED = 5, AT_ONCE = CROWD_MOST };

static void test_threads_that_come_and_go_leave_nothing(void **state)
{
    _Atomic(struct object *) left = NULL;
    struct object *last;

    (void)state;
    for (int gone = 0; gone < (getenv("SOAK_SECONDS") ? SOAKED : 1) * COMERS; gone += AT_ONCE) {
        crowd_run(AT_ONCE, pass_on, &left);
        assert_true(rc_records() <= AT_ONCE + 1); /* and this thread's */
    }
    assert_int_equal(world_threads(), 1);
    last = atomic_load_explicit(&left, memory_order_relaxed);
    assert_int_equal(exact_count(last), 1);
    decref(last);
    assert_int_equal(witnesses_wrong(), 0);
}

/* Threads that wait. */

static uint32_t next_random(uint32_t *seed)
{
    *seed = *seed * 1664525 + 1013904223;
    return *seed >> 16;
}

static void make_and_wait(struct member *m, struct estate *e)
{
    for (int i = 0; i < LEFT; i++) {
        e->objects[i] = witness_shared();
        if (i % 2)
            incref(e->objects[i]);
    }
    meet(m); /* they may be dropped */
    meet(m); /* detached until it has been seen what is destroyed */
}

static void drop_while_maker_waits(struct member *m, struct estate *e)
{
    meet(m);
    for (int i = 0; i < LEFT; i++) {
        decref(e->objects[i]);
        if (i % 2)
            decref(e->objects[i]);
    }
    settle();
    if (!RC_LATE_DETACHED)
        expect(witnesses_wrong_now() == 0);
    meet(m);
}

static void wait_or_drop(struct member *m)
{
    (m->index == 0 ? make_and_wait : drop_while_maker_waits)(m, m->crowd->shared);
}

static void test_a_maker_that_waits_holds_back_what_the_policy_says(void **state)
{
    static struct estate e;

    (void)state;
    crowd_run(2, wait_or_drop, &e);
    assert_int_equal(mishaps, 0);
    assert_int_equal(witnesses_wrong(), 0);
}

enum { GIFTS = 20000 };

static _Atomic(struct object *) gift_for[2]; /* owned */

static void blink(struct member *m)
{
    thread_detach(&m->self);
    thread_attach(&m->self);
}

/* Gives the other an object, drops what the other gave, and detaches, in various orders. */
static void give_and_wait(struct member *m)
{
    uint32_t seed = (uint32_t)m->index + 1;

    spread_out(m);
    meet(m);
    for (int i = 0; i < GIFTS; i++) {
        uint32_t random = next_random(&seed);
        struct object *gift = witness_shared(), *kept = random & 1 ? incref(gift) : NULL;

        if (random & 2)
            blink(m);
        xdecref(atomic_exchange_explicit(&gift_for[!m->index], gift, memory_order_acq_rel));
        xdecref(atomic_exchange_explicit(&gift_for[m->index], NULL, memory_order_acq_rel));
        if (random & 4)
            blink(m);
        xdecref(kept);
        if (random & 8)
            safepoint(&m->self);
    }
}

/* Biased_suspend: each is held by the other at every stage of detaching and attaching. */
static void test_two_that_drop_each_others_objects_while_both_detach(void **state)
{
    (void)state;
    crowd_run(2, give_and_wait, NULL);
    for (int i = 0; i < 2; i++)
        xdecref(atomic_exchange_explicit(&gift_for[i], NULL, memory_order_acq_rel));
    assert_int_equal(witnesses_wrong(), 0);
}

/* Objects that many count, marked as hot. */

static struct object *witness_hot(void)
{
    struct object *o = witness_shared();

    mark_hot(o);
    return o;
}

enum { PASSES = 200 };

struct baton {
    struct object *object;
    _Atomic int turn; /* how often a reference has been taken */
};

static void wait_for_turn(_Atomic int *turn, int at_least)
{
    while (atomic_load_explicit(turn, memory_order_acquire) < at_least)
        sched_yield(); /* and no safe point: when they come is what is tested */
}

/* One reference goes to and fro: each takes it just after its safe point and gives it up
 * before its next one. Between, there is always one, and no sum of what a thread did from
 * safe point to safe point is ever anything but zero. The first is the test's. */
static void hand_to_and_fro(struct member *m)
{
    struct baton *b = m->crowd->shared;

    for (int i = m->index; i < PASSES; i += 2) {
        safepoint(&m->self);
        wait_for_turn(&b->turn, i);
        incref(b->object);
        if (i == 0)
            decref(b->object); /* the test's */
        atomic_store_explicit(&b->turn, i + 1, memory_order_release);
        if (i + 1 < PASSES)
            wait_for_turn(&b->turn, i + 2);
        expect(witnesses_wrong_now() == 1);
        decref(b->object);
    }
}

static void test_a_hot_object_that_two_hand_to_and_fro_lives(void **state)
{
    struct baton b = { NULL, 0 };

    (void)state;
    if (RC_NEEDS_GIL)
        skip(); /* who waits for its turn would keep the GIL */
    b.object = witness_hot();
    crowd_run(2, hand_to_and_fro, &b);
    assert_int_equal(mishaps, 0);
    settle();
    assert_int_equal(witnesses_wrong_now(), 0);
}

enum { HOT_LEFT = 3, HOT_ROUNDS = 300 };

static void make_hot_estate(struct member *m)
{
    struct object **objects = m->crowd->shared;

    for (int i = 0; i < HOT_LEFT; i++)
        objects[i] = witness_hot();
}

/* Everybody holds each of them for a while; the last drop may be anybody's. */
static void hold_hot_estate(struct member *m)
{
    struct object **objects = m->crowd->shared;

    for (int i = 0; i < HOT_LEFT; i++)
        incref(objects[i]);
    meet(m);
    if (m->index == 0)
        for (int i = 0; i < HOT_LEFT; i++)
            decref(objects[i]);
    for (int round = 0; round < 10; round++)
        for (int i = 0; i < HOT_LEFT; i++) {
            incref(objects[i]);
            safepoint(&m->self);
            decref(objects[i]);
        }
    for (int i = 0; i < HOT_LEFT; i++)
        decref(objects[i]);
}

static void test_hot_objects_are_destroyed_when_the_last_has_dropped_them(void **state)
{
    static struct object *objects[HOT_LEFT];

    (void)state;
    for (int round = 0; round < HOT_ROUNDS; round++) {
        crowd_run(1, make_hot_estate, objects);
        crowd_run(3, hold_hot_estate, objects);
    }
    settle();
    rc_finish();
    assert_int_equal(witnesses_wrong_now(), 0);
}

struct bequest {
    struct object *dying, *kept; /* both hot */
    struct object *stash;        /* owned; what the destructor of `dying` took */
    _Atomic int turn;
};

static struct bequest bequest;

static void take_kept(struct witness *p)
{
    (void)p;
    bequest.stash = incref(bequest.kept);
}

static void next_turn(int turn)
{
    atomic_store_explicit(&bequest.turn, turn, memory_order_release);
}

/* Sharded: the last epoch of `dying` is the other's, and this thread ends it when it detaches;
 * the destructor runs in there. */
static void drop_and_detach(struct member *m)
{
    wait_for_turn(&bequest.turn, 1);
    decref(bequest.dying);
    safepoint(&m->self);
    next_turn(2);
    wait_for_turn(&bequest.turn, 3);
    meet(m);
}

static void drop_what_was_taken(struct member *m)
{
    const struct thread *other = &m->crowd->members[0].self;

    next_turn(1);
    wait_for_turn(&bequest.turn, 2);
    safepoint(&m->self);
    next_turn(3);
    while (atomic_load_explicit(&other->state, memory_order_acquire) != THREAD_DETACHED)
        sched_yield();
    if (bequest.stash) { /* else it is the maker's to destroy, who waits */
        decref(bequest.kept);
        settle();
        settle();
        expect(destroyed(witness_number(bequest.kept)) == 0);
        bequest.kept = NULL;
    }
    meet(m);
}

static void bequeath_or_drop(struct member *m)
{
    (m->index == 0 ? drop_and_detach : drop_what_was_taken)(m);
}

/* What a destructor counts while its thread is about to be detached is seen all the same. */
static void test_what_a_destructor_takes_lives(void **state)
{
    (void)state;
    if (RC_NEEDS_GIL)
        skip(); /* who waits for its turn would keep the GIL */
    bequest = (struct bequest){ .dying = witness_hot(), .kept = witness_hot() };
    ((struct witness *)bequest.dying)->last = take_kept;
    crowd_run(2, bequeath_or_drop, NULL);
    settle();
    assert_int_equal(mishaps, 0);
    xdecref(bequest.kept);
    decref(bequest.stash);
    settle();
    assert_int_equal(witnesses_wrong_now(), 0);
}

/* Stress. */

enum { BURST = 500, BURSTS_MOST = 60000, PATIENCE_MS = 2000, COMPANY = 100 };

struct tally {
    struct object *object;
    _Atomic int64_t bursts;           /* of all */
    _Atomic int64_t taken[CROWD_MOST];
};

/* Takes references until it has often seen that others did so at the same time: on a
 * busy machine threads may well run one after the other, where nothing can be lost. */
static void take_in_company(struct member *m)
{
    struct tally *t = m->crowd->shared;
    uint64_t patient_until_ns;
    int64_t taken = 0;
    int company = 0;

    spread_out(m);
    meet(m);
    patient_until_ns = clock_ns() + (uint64_t)PATIENCE_MS * NS_PER_MS;
    while (company < COMPANY && taken < BURST * BURSTS_MOST && clock_ns() < patient_until_ns) {
        int64_t before = atomic_load_explicit(&t->bursts, memory_order_relaxed);

        for (int i = 0; i < BURST; i++)
            incref(t->object);
        taken += BURST;
        safepoint(&m->self);
        company += atomic_fetch_add_explicit(&t->bursts, 1, memory_order_relaxed) != before;
    }
    atomic_store_explicit(&t->taken[m->index], taken, memory_order_relaxed);
}

static void drop_in_company(struct member *m)
{
    struct tally *t = m->crowd->shared;

    meet(m);
    for (int64_t i = t->taken[m->index]; i; i--) {
        decref(t->object);
        if (i % BURST == 0)
            safepoint(&m->self);
    }
}

static void test_no_update_is_lost(void **state)
{
    struct tally t = { .object = witness_shared() };
    int64_t sum = 1;

    (void)state;
    crowd_run(3, take_in_company, &t);
    for (int i = 0; i < 3; i++)
        sum += t.taken[i];
    assert_int_equal(exact_count(t.object), sum);
    crowd_run(3, drop_in_company, &t);
    assert_int_equal(exact_count(t.object), 1);
    decref(t.object);
    assert_int_equal(witnesses_wrong(), 0);
}

enum { SLOTS = 5, EXCHANGES = 6000 };

static _Atomic(struct object *) slots[SLOTS]; /* owned */

/* Puts an object into a slot and drops what was there, with references to spare. */
static void exchange(struct member *m)
{
    uint32_t seed = (uint32_t)m->index + 1;
    struct object *mine = witness_shared();

    for (int i = 0; i < EXCHANGES; i++) {
        uint32_t random = next_random(&seed);
        struct object *found;

        if (random & 1)
            incref(mine);
        found = atomic_exchange_explicit(&slots[random / 8 % SLOTS], mine, memory_order_acq_rel);
        if (random & 1)
            decref(mine);
        mine = found && random & 2 ? found : witness_shared();
        if (found != mine)
            xdecref(found);
        if (random & 4)
            safepoint(&m->self);
    }
    decref(mine);
}

static void test_objects_that_threads_exchange_are_destroyed_once(void **state)
{
    (void)state;
    crowd_run(CROWD_MOST, exchange, NULL);
    for (int i = 0; i < SLOTS; i++)
        xdecref(atomic_exchange_explicit(&slots[i], NULL, memory_order_acq_rel));
    assert_int_equal(witnesses_wrong(), 0);
}

static void read_words(struct witness *p)
{
    for (int i = 0; i < CROWD_MOST; i++)
        expect(p->words[i] == i + 1);
}

enum { LAST_WORDS = 1000 };

static struct object *witness_that_reads_words(void)
{
    struct object *o = witness_shared();

    ((struct witness *)o)->last = read_words;
    return o;
}

static bool counted_by_maker(int i)
{
    return i / CROWD_MOST % 2;
}

/* Each makes its share. Of half of the objects the maker counts a reference for each
 * member; of the other half everybody counts for itself. */
static void make_and_count(struct member *m, struct object **objects)
{
    for (int i = m->index; i < LAST_WORDS; i += CROWD_MOST) {
        objects[i] = witness_that_reads_words();
        for (int k = 1; counted_by_maker(i) && k < CROWD_MOST; k++)
            incref(objects[i]);
    }
    meet(m);
    for (int i = 0; i < LAST_WORDS; i++)
        if (!counted_by_maker(i) && i % CROWD_MOST != m->index)
            incref(objects[i]);
}

/* Nothing but the counts orders the words before the destructor that reads them. */
static void write_words_and_drop(struct member *m)
{
    struct object **objects = m->crowd->shared;

    make_and_count(m, objects);
    meet(m);
    for (int i = 0; i < LAST_WORDS; i++) {
        ((struct witness *)objects[i])->words[m->index] = m->index + 1;
        decref(objects[i]);
        safepoint(&m->self);
    }
}

static void test_a_destructor_reads_everybodys_last_words(void **state)
{
    static struct object *objects[LAST_WORDS];

    (void)state;
    crowd_run(CROWD_MOST, write_words_and_drop, objects);
    assert_int_equal(mishaps, 0);
    assert_int_equal(witnesses_wrong(), 0);
}

struct census {
    struct object *object;
    _Atomic int counting; /* how many still count */
};

static void hold_while_counted(struct member *m)
{
    struct census *c = m->crowd->shared;

    meet(m);
    if (m->index == 0) {
        for (int i = 0; i < 50; i++) {
            world_stop(&m->self);
            rc_quiesce();
            expect(refcount(c->object) == 1 + c->counting);
            world_start(&m->self);
            safepoint(&m->self);
        }
        return;
    }
    for (int i = 0; i < 3000; i++) {
        incref(c->object);
        atomic_fetch_add_explicit(&c->counting, 1, memory_order_relaxed);
        safepoint(&m->self);
        atomic_fetch_sub_explicit(&c->counting, 1, memory_order_relaxed);
        decref(c->object);
        safepoint(&m->self);
    }
}

static void test_counts_are_exact_when_the_world_is_stopped(void **state)
{
    struct census c = { .object = witness_shared() };

    (void)state;
    crowd_run(CROWD_MOST, hold_while_counted, &c);
    assert_int_equal(mishaps, 0);
    decref(c.object);
    assert_int_equal(witnesses_wrong(), 0);
}

/* Buffered counts: what a thread counts may become known later than what another counts
 * after it, for it does so at a safe point, or when it has counted much. */

static void end_turn(_Atomic int *turns)
{
    atomic_fetch_add_explicit(turns, 1, memory_order_release);
}

static void pass_safepoints(struct member *m, int count)
{
    while (count--)
        safepoint(&m->self);
}

enum { PLAY_STEPS = 8 };

/* One takes a reference to what is in a slot, the other empties the slot. */
struct play {
    _Atomic(struct object *) slot; /* owned */
    int number;                    /* of the witness in it */
    unsigned order;                /* bit i: who does step i */
    int pause;                     /* so many safe points */
    bool held;                     /* by the one who took it; whose turn it is */
    struct object *taken;          /* likewise */
    _Atomic int turns;
};

static void take_hold_drop(struct member *m, struct play *p, int step)
{
    if (step == 0) {
        p->taken = incref(atomic_load_explicit(&p->slot, memory_order_relaxed));
        p->held = true;
    } else if (step == 2) {
        p->held = false;
        decref(p->taken);
    } else {
        pass_safepoints(m, p->pause);
    }
}

static void empty_slot(struct member *m, struct play *p, int step)
{
    if (step == 0)
        decref(atomic_exchange_explicit(&p->slot, NULL, memory_order_relaxed));
    else
        pass_safepoints(m, p->pause);
}

static void act(struct member *m)
{
    struct play *p = m->crowd->shared;
    int done = 0;

    for (int turn = 0; turn < PLAY_STEPS; turn++) {
        if ((int)(p->order >> turn & 1) != m->index)
            continue;
        wait_for_turn(&p->turns, turn);
        (m->index == 0 ? take_hold_drop : empty_slot)(m, p, done++);
        expect(!p->held || destroyed(p->number) == 0);
        end_turn(&p->turns);
    }
}

static void play(unsigned order, int pause)
{
    struct object *o = witness_shared();
    struct play p = { .slot = o, .number = witness_number(o), .order = order, .pause = pause };

    crowd_run(2, act, &p);
    settle();
    assert_int_equal(mishaps, 0);
    assert_int_equal(witnesses_wrong_now(), 0);
}

/* In every order in which the reference is taken before the slot is emptied. */
static void test_taken_from_a_slot_before_it_is_emptied_is_kept(void **state)
{
    (void)state;
    if (RC_NEEDS_GIL)
        skip(); /* as above */
    for (unsigned order = 0; order < 1 << PLAY_STEPS; order += 2)
        if (__builtin_popcount(order) == PLAY_STEPS / 2) {
            play(order, 1);
            play(order, 1 + RC_LATE_SAFEPOINTS);
        }
}

enum { LOANS = 20000 };

static struct {
    struct mutex lock;
    struct object *book; /* owned; lock */
} shelf = { .lock = MUTEX_INIT };

static struct object *borrow_book(void)
{
    struct object *book;

    mutex_lock(&shelf.lock);
    book = incref(shelf.book);
    mutex_unlock(&shelf.lock);
    return book;
}

static void replace_book(struct object *book /* steals */)
{
    struct object *old;

    mutex_lock(&shelf.lock);
    old = shelf.book;
    shelf.book = book;
    mutex_unlock(&shelf.lock);
    xdecref(old);
}

static void borrow_or_replace(struct member *m)
{
    uint32_t seed = (uint32_t)m->index + 1;

    spread_out(m);
    for (int i = 0; i < LOANS; i++) {
        uint32_t random = next_random(&seed);
        struct object *book = borrow_book();

        if (random % 4 == 0)
            replace_book(witness_shared());
        if (random & 8)
            safepoint(&m->self);
        expect(destroyed(witness_number(book)) == 0);
        decref(book);
        if (random % 1024 == 0)
            blink(m);
    }
}

static void test_what_readers_took_outlives_its_replacement(void **state)
{
    (void)state;
    replace_book(witness_shared());
    crowd_run(CROWD_MOST, borrow_or_replace, NULL);
    replace_book(NULL);
    settle();
    assert_int_equal(mishaps, 0);
    assert_int_equal(witnesses_wrong_now(), 0);
}

enum { WITHOUT_SAFEPOINT = 10000 };

struct flood {
    struct object *object;
    _Atomic int turns;
};

/* The first counts much more than any log holds, while the second has counted and makes
 * nothing known. */
static void flood_or_hold(struct member *m)
{
    struct flood *f = m->crowd->shared;

    meet(m);
    if (m->index == 1) {
        incref(f->object);
        end_turn(&f->turns);
        wait_for_turn(&f->turns, 2);
        return;
    }
    wait_for_turn(&f->turns, 1);
    for (int i = 0; i < WITHOUT_SAFEPOINT; i++)
        incref(f->object);
    for (int i = 0; i < WITHOUT_SAFEPOINT; i++) {
        decref(witness_new(witness_shared()));
        decref(f->object);
    }
    expect(destroyed(witness_number(f->object)) == 0);
    end_turn(&f->turns);
}

static void test_logs_may_overflow(void **state)
{
    struct flood f = { 0 };

    (void)state;
    if (RC_NEEDS_GIL)
        skip();
    f.object = witness_shared();
    crowd_run(2, flood_or_hold, &f);
    assert_int_equal(exact_count(f.object), 2);
    decref(f.object);
    decref(f.object);
    settle();
    assert_int_equal(mishaps, 0);
    assert_int_equal(witnesses_wrong_now(), 0);
}

static void count_and_wait_or_drop(struct member *m)
{
    struct object **o = m->crowd->shared;

    if (m->index == 1)
        *o = witness_shared();
    meet(m);
    if (m->index == 0) {
        incref(*o);
        decref(*o);
        meet_times(m, 2);
    } else {
        meet(m); /* the other stays detached */
        decref(*o);
        settle();
        expect(RC_LATE_DETACHED || witnesses_wrong_now() == 0);
        meet(m);
    }
}

static void test_a_detached_thread_has_made_known_what_it_counted(void **state)
{
    struct object *o;

    (void)state;
    crowd_run(2, count_and_wait_or_drop, &o);
    assert_int_equal(mishaps, 0);
    assert_int_equal(witnesses_wrong(), 0);
}

enum { ROUNDS = 200 };

struct rounds {
    struct object *dropped[ROUNDS]; /* one in each */
    struct object *other;
    _Atomic int turns;
};

/* Everybody passes one safe point in each round; who counts, and in which order they come,
 * changes. So their countings of safe points drift against each other. The number of what
 * was dropped in a round is that of the round. */
static void go_round(struct member *m, struct rounds *r, int round, uint32_t random)
{
    if (m->index == 0)
        decref(r->dropped[round]);
    expect(round <= RC_LATE_SAFEPOINTS || destroyed(round - RC_LATE_SAFEPOINTS - 1) == 1);
    if (random & 1)
        decref(incref(r->other));
    if (random & 2)
        decref(witness_shared());
    safepoint(&m->self);
}

static void go_rounds(struct member *m)
{
    struct rounds *r = m->crowd->shared;
    uint32_t seed = (uint32_t)m->index + 1;

    for (int i = 0; i < ROUNDS && m->index == 1; i++)
        r->dropped[i] = witness_shared();
    if (m->index == 1)
        r->other = witness_shared();
    meet(m);
    for (int round = 0; round < ROUNDS; round++) {
        wait_for_turn(&r->turns, 3 * round + (m->index + round) % 3);
        go_round(m, r, round, next_random(&seed));
        end_turn(&r->turns);
    }
    meet(m);
    if (m->index == 1)
        decref(r->other);
}

static void test_an_object_is_destroyed_after_so_many_rounds(void **state)
{
    static struct rounds r;

    (void)state;
    if (RC_NEEDS_GIL)
        skip();
    crowd_run(3, go_rounds, &r);
    settle();
    assert_int_equal(mishaps, 0);
    assert_int_equal(witnesses_wrong_now(), 0);
}

/* A heap that keeps what it is given, so that try_incref may follow a pointer to an
 * object that has gone. */

enum { KEPT_MOST = 4000 };

static void *kept[KEPT_MOST];
static _Atomic int kept_count;

static void *keeping_alloc(size_t size_bytes)
{
    return malloc(size_bytes);
}

static void keeping_free(void *memory, size_t size_bytes)
{
    int i = atomic_fetch_add_explicit(&kept_count, 1, memory_order_relaxed);

    (void)size_bytes;
    if (i >= KEPT_MOST)
        abort();
    kept[i] = memory;
}

static const struct heap keeping_heap = { "keeps", keeping_alloc, keeping_free };

static _Atomic(struct object *) watched;
static _Atomic bool over;

static bool shows_hot;

static void show_and_drop(struct member *m)
{
    meet(m);
    for (int i = 0; i < KEPT_MOST; i++) {
        struct object *o = shows_hot ? witness_hot() : witness_shared();

        atomic_store_explicit(&watched, o, memory_order_release);
        safepoint(&m->self);
        decref(o);
        safepoint(&m->self);
    }
    atomic_store_explicit(&over, true, memory_order_relaxed);
}

static void try_what_is_shown(struct member *m)
{
    meet(m);
    while (!atomic_load_explicit(&over, memory_order_relaxed)) {
        struct object *o = atomic_load_explicit(&watched, memory_order_acquire);

        safepoint(&m->self);
        if (o && rc_try_incref(&o->rc)) {
            expect(destroyed(witness_number(o)) == 0);
            decref(o);
        } else if (o) {
            expect(!rc_try_incref(&o->rc));
        }
    }
}

static void show_or_try(struct member *m)
{
    if (m->index == 0)
        show_and_drop(m);
    else
        try_what_is_shown(m);
}

static void try_to_revive_what_is_shown(void)
{
    const struct heap *before = heap;

    over = false;
    watched = NULL;
    kept_count = 0;
    heap = &keeping_heap;
    crowd_run(3, show_or_try, NULL);
    rc_quiesce();
    rc_finish();
    heap = before;
    for (int i = 0; i < kept_count; i++)
        free(kept[i]);
    assert_int_equal(mishaps, 0);
    assert_int_equal(witnesses_wrong(), 0);
}

static void test_try_incref_never_revives(void **state)
{
    (void)state;
    shows_hot = false;
    try_to_revive_what_is_shown();
}

static void test_try_incref_never_revives_a_hot_object(void **state)
{
    (void)state;
    shows_hot = true;
    try_to_revive_what_is_shown();
}

/* Hot objects, to their end. */

static void take_and_drop(struct member *m)
{
    struct object *o = m->crowd->shared;

    meet(m);
    for (int i = 0; i < 5000; i++) {
        incref(o);
        safepoint(&m->self);
        decref(o);
    }
}

/* Nobody holds an object: the policy gives back what it may keep until the end. */
static void end_immortality(void)
{
    settle();
    if (RC_COUNT_MOST == INT64_MAX)
        return;
    rc_quiesce();
    rc_finish();
}

static struct object *witness_hot_holding(struct object *held /* steals */)
{
    struct object *o = witness_new(held);

    publish(o);
    mark_hot(o);
    return o;
}

static void test_a_hot_object_is_counted_on(void **state)
{
    struct object *o = witness_shared();
    int number = witness_number(o);

    (void)state;
    incref(o);
    mark_hot(o);
    mark_hot(o);
    crowd_run(3, take_and_drop, o);
    crowd_run(3, take_ten, o);
    if (RC_COUNT_MOST == INT64_MAX)
        assert_int_equal(exact_count(o), 32);
    crowd_run(3, drop_ten, o);
    decref(o);
    assert_true(rc_try_incref(&o->rc));
    decref(o);
    settle();
    assert_int_equal(destroyed(number), 0);
    decref(o);
    end_immortality();
    assert_int_equal(witnesses_wrong_now(), 0);
}

/* At the end they go in the order in which they were marked, which need not be that in
 * which they hold one another. Between two of them is one that is counted. */
static void test_hot_objects_may_hold_one_another(void **state)
{
    struct object *inner_first = witness_hot_holding(witness_new(witness_hot()));
    struct object *inner = witness_shared(), *outer_first = witness_hot_holding(witness_new(inner));

    (void)state;
    mark_hot(inner);
    decref(inner_first);
    decref(outer_first);
    end_immortality();
    assert_int_equal(witnesses_wrong_now(), 0);
}

static void test_the_runtime_may_start_again_after_its_end(void **state)
{
    (void)state;
    for (int i = 0; i < 3; i++) {
        for (int k = 0; k < 1000; k++)
            decref(witness_hot());
        end_immortality();
        assert_int_equal(witnesses_wrong_now(), 0);
    }
}

#if RC_COUNT_MOST < INT64_MAX
static void assert_is_not_written(rc_t *rc)
{
    const rc_t before = *rc;

    assert_int_equal(rc_count(rc), INT64_MAX);
    for (int i = 0; i < 1000; i++)
        assert_false(rc_decref(rc));
    assert_memory_equal(rc, &before, sizeof before);
    rc_incref(rc);
    assert_memory_equal(rc, &before, sizeof before);
    assert_true(rc_try_incref(rc));
    assert_memory_equal(rc, &before, sizeof before);
}

static void test_what_is_immortal_is_not_written(void **state)
{
    struct object *o = witness_hot();
    rc_t rc;

    (void)state;
    rc_immortal(&rc);
    assert_is_not_written(&rc);
    assert_is_not_written(&o->rc);
    end_immortality();
    assert_int_equal(witnesses_wrong_now(), 0);
}

static void test_too_many_references_make_immortal(void **state)
{
    rc_t rc;

    (void)state;
    rc_init(&rc);
    for (int64_t i = 1; i < RC_COUNT_MOST; i++)
        rc_incref(&rc);
    assert_int_equal(rc_count(&rc), RC_COUNT_MOST);
    assert_false(rc_decref(&rc));
    rc_incref(&rc);
    assert_int_equal(rc_count(&rc), RC_COUNT_MOST);
    rc_incref(&rc);
    assert_is_not_written(&rc);
}
#endif

/* Published objects. */

static void count_own(struct member *m)
{
    meet(m);
    for (int i = 0; i < 1000; i++) {
        struct object *o = witness_new(NULL);
        int number = witness_number(o);

        for (int k = 0; k < 9; k++)
            expect(rc_try_incref(&incref(o)->rc));
        for (int k = 0; k < 18; k++)
            decref(o);
        expect(destroyed(number) == 0);
        safepoint(&m->self);
        decref(o);
        expect(RC_LATE_HERE || destroyed(number) == 1);
    }
}

static void test_what_one_thread_alone_has_seen_is_destroyed_at_once(void **state)
{
    (void)state;
    crowd_run(3, count_own, NULL);
    assert_int_equal(mishaps, 0);
    assert_int_equal(witnesses_wrong(), 0);
}

/* Also of what is held, all the way down. */
static void test_publishing_keeps_the_count(void **state)
{
    struct object *held = witness_new(NULL);
    struct object *o = witness_new(witness_new(incref(incref(held))));

    (void)state;
    assert_int_equal(exact_count(held), 3);
    publish(o);
    assert_int_equal(exact_count(held), 3);
    publish(held);
    assert_int_equal(exact_count(held), 3);
    decref(held);
    crowd_run(3, take_and_drop, held);
    assert_int_equal(exact_count(held), 2);
    crowd_run(3, take_ten, held);
    assert_int_equal(exact_count(held), 32);
    crowd_run(3, drop_ten, held);
    decref(o);
    settle();
    assert_int_equal(exact_count(held), 1);
    decref(held);
    assert_int_equal(witnesses_wrong(), 0);
}

#if SEES_READ_AFTER_FREE
/* Does not return: AddressSanitizer ends the process, or it ends with status 0. */
static void read_after_free(void)
{
    struct object *o = witness_new(NULL);

    decref(o);
    rc_quiesce();
    _exit(((volatile struct witness *)o)->number == -1);
}

static void test_a_read_after_free_is_reported(void **state)
{
    char report[4096] = "";
    size_t length = 0;
    ssize_t got;
    int status, ends[2];
    pid_t child;

    (void)state;
    assert_int_equal(pipe(ends), 0);
    child = fork();
    assert_true(child >= 0);
    if (child == 0) {
        dup2(ends[1], STDERR_FILENO);
        read_after_free();
    }
    close(ends[1]);
    while ((got = read(ends[0], report + length, sizeof report - 1 - length)) > 0)
        length += (size_t)got;
    close(ends[0]);
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_false(WIFEXITED(status) && WEXITSTATUS(status) == 0);
    assert_non_null(strstr(report, "heap-use-after-free"));
}
#endif

#define TEST(name) cmocka_unit_test_setup(name, witnesses_reset)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_a_new_object_has_one_reference),
        TEST(test_references_are_counted_one_by_one),
        TEST(test_destroying_a_chain_destroys_every_link_at_once),
        TEST(test_try_incref_takes_a_reference),
        TEST(test_a_destructor_cannot_revive_its_object),
        TEST(test_an_immortal_object_survives_everybody),
        TEST(test_made_here_and_dropped_there_is_destroyed_in_time),
        TEST(test_the_maker_may_drop_what_others_counted),
        TEST(test_others_may_drop_what_the_maker_counted),
        TEST(test_try_incref_of_what_another_holds_takes_a_reference),
        TEST(test_an_object_outlives_its_maker),
        TEST(test_the_maker_may_end_while_others_still_drop),
        TEST(test_a_thread_may_take_the_place_of_the_maker),
        TEST(test_ending_frees_only_what_nobody_holds),
        TEST(test_an_unregistered_thread_does_not_look_like_the_maker),
        TEST(test_objects_made_by_an_unregistered_thread_are_counted),
        TEST(test_threads_that_come_and_go_leave_nothing),
        TEST(test_a_maker_that_waits_holds_back_what_the_policy_says),
        TEST(test_two_that_drop_each_others_objects_while_both_detach),
        TEST(test_a_hot_object_that_two_hand_to_and_fro_lives),
        TEST(test_hot_objects_are_destroyed_when_the_last_has_dropped_them),
        TEST(test_what_a_destructor_takes_lives),
        TEST(test_no_update_is_lost),
        TEST(test_objects_that_threads_exchange_are_destroyed_once),
        TEST(test_a_destructor_reads_everybodys_last_words),
        TEST(test_counts_are_exact_when_the_world_is_stopped),
        TEST(test_taken_from_a_slot_before_it_is_emptied_is_kept),
        TEST(test_what_readers_took_outlives_its_replacement),
        TEST(test_logs_may_overflow),
        TEST(test_a_detached_thread_has_made_known_what_it_counted),
        TEST(test_an_object_is_destroyed_after_so_many_rounds),
        TEST(test_try_incref_never_revives),
        TEST(test_try_incref_never_revives_a_hot_object),
        TEST(test_a_hot_object_is_counted_on),
        TEST(test_hot_objects_may_hold_one_another),
        TEST(test_the_runtime_may_start_again_after_its_end),
#if RC_COUNT_MOST < INT64_MAX
        TEST(test_what_is_immortal_is_not_written),
        TEST(test_too_many_references_make_immortal),
#endif
        TEST(test_what_one_thread_alone_has_seen_is_destroyed_at_once),
        TEST(test_publishing_keeps_the_count),
#if SEES_READ_AFTER_FREE
        TEST(test_a_read_after_free_is_reported),
#endif
    };

    return run_in_crowd(tests);
}
