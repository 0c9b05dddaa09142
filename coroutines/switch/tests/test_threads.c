/* test_threads.c - fibers and several threads: each its own, one for several, from one to another.
 */
#include "coroutines/switch/tests/testing.h"

enum { THREADS = 4, ROUNDS = 2000 };

static void launch(pthread_t *ids, int threads, void *(*body)(void *), void *argument)
{
    for (int i = 0; i < threads; i++)
        assert_int_equal(pthread_create(&ids[i], NULL, body, argument), 0);
}

/* How many things have gone wrong in them. */
static intptr_t join(const pthread_t *ids, int threads)
{
    intptr_t wrong = 0;

    for (int i = 0; i < threads; i++) {
        void *result;

        assert_int_equal(pthread_join(ids[i], &result), 0);
        wrong += number(result);
    }
    return wrong;
}

/* ---- Each thread its own. */

static void *count_up(struct fiber *self, void *first)
{
    intptr_t count = number(first);

    while (fiber_yield(self, pointer(count)))
        count++;
    return pointer(count);
}

enum { OWN = 20 };

static void *run_own(void *argument)
{
    struct fiber *own[OWN];
    struct carrier t;
    intptr_t wrong = 0;

    (void)argument;
    carrier_open(&t);
    for (int i = 0; i < OWN; i++)
        own[i] = fiber_new_with(&t, "own", count_up, way, 0);
    for (int turn = 0; turn < ROUNDS / OWN; turn++)
        for (int i = 0; i < OWN; i++)
            wrong += fiber_resume(&t, own[i], pointer(i + 1)) != pointer(i + 1 + turn);
    for (int i = 0; i < OWN; i++)
        wrong += fiber_destroy(&t, own[i]) != 0;
    carrier_close(&t);
    return pointer(wrong);
}

static void test_threads_switch_at_the_same_time(void **state)
{
    pthread_t ids[THREADS];

    (void)state;
    launch(ids, THREADS, run_own, NULL);
    assert_int_equal(join(ids, THREADS), 0);
}

/* ---- From one thread to another, and back. */

static _Atomic int turn; /* whose it is; the release of it hands everything over */
static struct fiber *travels;

/* Counts where it does not find itself where it should be. */
static void *look_where(struct fiber *self, void *first)
{
    intptr_t wrong = 0, last = number(first);

    for (int i = 0; i < ROUNDS; i++) {
        intptr_t got = number(fiber_yield(self, pointer(wrong)));

        wrong +=
            got != last + 1 || carrier_self() != self->carrier || carrier_self()->current != self;
        last = got;
    }
    return pointer(wrong);
}

static void resume_in_turn(struct carrier *t, int own)
{
    for (int i = own; i <= ROUNDS; i += 2) {
        while (atomic_load_explicit(&turn, memory_order_acquire) != i)
            sched_yield();
        fiber_resume(t, travels, pointer(i));
        atomic_store_explicit(&turn, i + 1, memory_order_release);
    }
}

static void *resume_odd(void *argument)
{
    struct carrier t;

    carrier_open(&t);
    resume_in_turn(&t, 1);
    carrier_close(&t);
    return argument;
}

static void test_a_fiber_goes_from_thread_to_thread(void **state)
{
    pthread_t id;

    (void)state;
    travels = new_fiber("travels", look_where);
    atomic_store_explicit(&turn, 0, memory_order_relaxed);
    launch(&id, 1, resume_odd, NULL);
    resume_in_turn(&here, 0);
    assert_int_equal(join(&id, 1), 0);
    assert_int_equal(fiber_state(travels), FIBER_FINISHED);
    destroy(travels);
}

/* ---- Several want the same one. */

static int64_t turns; /* the fiber's; not atomic */

/* It takes its time, so that others try while it runs. */
static void *count_turns(struct fiber *self, void *first)
{
    while (first) {
        int64_t before = turns;

        sched_yield();
        turns = before + 1;
        first = fiber_yield(self, first);
    }
    return NULL;
}

static _Atomic int64_t won;
static _Atomic int ready;

static void *try_to_resume(void *argument)
{
    struct carrier t;
    intptr_t wrong = 0;

    carrier_open(&t);
    atomic_fetch_add_explicit(&ready, 1, memory_order_relaxed);
    while (atomic_load_explicit(&ready, memory_order_relaxed) < THREADS)
        sched_yield();
    for (int i = 0; i < ROUNDS; i++) {
        void *got = fiber_resume(&t, argument, &t);

        if (got == &t)
            atomic_fetch_add_explicit(&won, 1, memory_order_relaxed);
        else
            wrong += got != FIBER_FAILED || errno != EBUSY;
    }
    carrier_close(&t);
    return pointer(wrong);
}

static void test_of_several_that_resume_one_succeeds(void **state)
{
    struct fiber *f = new_fiber("wanted", count_turns);
    pthread_t ids[THREADS];

    (void)state;
    fiber_share(f);
    assert_true(f->kind & (FIBER_SHARED | FIBER_BY_TABLE));
    turns = 0;
    atomic_store_explicit(&ready, 0, memory_order_relaxed);
    atomic_store_explicit(&won, 0, memory_order_relaxed);
    launch(ids, THREADS, try_to_resume, f);
    assert_int_equal(join(ids, THREADS), 0);
    assert_int_equal(turns, atomic_load_explicit(&won, memory_order_relaxed));
    assert_in_range(turns, 1, THREADS * ROUNDS);
    resume(f, 0);
    assert_int_equal(fiber_state(f), FIBER_FINISHED);
    destroy(f);
}

/* ---- Parking: entered where others look, and then let go of the lock. */

enum { PARKED_MOST = 16, PARKS = 300 };

/* TSan would hold it against a mutex that the fiber locks it and its resumer unlocks it, though
 * both are one thread. */
static struct {
    _Atomic bool locked;
    struct fiber *at[PARKED_MOST]; /* lock */
    int count;                     /* lock */
    int living;                    /* lock */
} parked;

static void lock(void)
{
    while (atomic_exchange_explicit(&parked.locked, true, memory_order_acquire))
        sched_yield();
}

static void unlock(void)
{
    atomic_store_explicit(&parked.locked, false, memory_order_release);
}

/* Others have a while to find the fiber before its resumer goes on. */
static void let_go(void *unused)
{
    (void)unused;
    unlock();
    sched_yield();
}

static void park(struct fiber *self)
{
    lock();
    parked.at[parked.count++] = self;
    fiber_yield_then(self, self, let_go, NULL);
}

static void *park_again_and_again(struct fiber *self, void *first)
{
    (void)first;
    for (int i = 0; i < PARKS; i++)
        park(self);
    return NULL;
}

/* NULL: none is parked now. */
static struct fiber *unpark(bool *living)
{
    struct fiber *f = NULL;

    lock();
    if (parked.count)
        f = parked.at[--parked.count];
    *living = parked.living > 0;
    unlock();
    return f;
}

static void bury(struct carrier *t, struct fiber *f)
{
    fiber_destroy(t, f);
    lock();
    parked.living--;
    unlock();
}

static void *wake_parked(void *argument)
{
    struct carrier t;
    intptr_t wrong = 0;
    bool living = true;

    (void)argument;
    carrier_open(&t);
    while (living) {
        struct fiber *f = unpark(&living);
        void *got = f ? fiber_resume(&t, f, NULL) : f;

        wrong += got == FIBER_FAILED;
        if (f && !got)
            bury(&t, f);
        if (!f)
            sched_yield();
    }
    carrier_close(&t);
    return pointer(wrong);
}

static void test_who_finds_a_parked_fiber_finds_it_suspended(void **state)
{
    pthread_t ids[THREADS];

    (void)state;
    parked.count = 0;
    parked.living = PARKED_MOST / 2;
    for (int i = 0; i < parked.living; i++)
        parked.at[parked.count++] = new_fiber("parks", park_again_and_again);
    launch(ids, THREADS, wake_parked, NULL);
    assert_int_equal(join(ids, THREADS), 0);
}

/* ---- Made by one thread, destroyed by another. */

static void *make_and_leave(void *argument)
{
    struct fiber **made = argument;
    struct carrier t;

    carrier_open(&t);
    for (int i = 0; i < OWN; i++) {
        made[i] = fiber_new_with(&t, "left", count_up, way, 0);
        fiber_resume(&t, made[i], pointer(1));
    }
    carrier_close(&t);
    return NULL;
}

static void test_a_fiber_outlives_the_thread_that_made_it(void **state)
{
    struct fiber *made[OWN];
    pthread_t id;

    (void)state;
    launch(&id, 1, make_and_leave, made);
    join(&id, 1);
    for (int i = 0; i < OWN; i++) {
        assert_int_equal(resume(made[i], 1), 2);
        destroy(made[i]);
    }
}

/* ---- copystack. */

static void *touch_foreign(void *f)
{
    struct carrier t;
    intptr_t wrong = 0;

    carrier_open(&t);
    wrong += fiber_resume(&t, f, NULL) != FIBER_FAILED || errno != EPERM;
    wrong += fiber_destroy(&t, f) != -1 || errno != EPERM;
    carrier_close(&t);
    return pointer(wrong);
}

static void test_copystack_stays_on_its_thread(void **state)
{
    struct fiber *f = new_fiber("at home", count_up);
    pthread_t id;

    (void)state;
    assert_int_equal(resume(f, 1), 1);
    launch(&id, 1, touch_foreign, f);
    assert_int_equal(join(&id, 1), 0);
    assert_int_equal(resume(f, 1), 2);
    destroy(f);
}

static const struct promise promises[] = {
    { "threads switch at the same time", test_threads_switch_at_the_same_time },
    { NULL, NULL },
};

static const struct promise promises_of_migration[] = {
    { "a fiber goes from thread to thread", test_a_fiber_goes_from_thread_to_thread },
    { "of several that resume one succeeds", test_of_several_that_resume_one_succeeds },
    { "who finds a parked fiber finds it suspended",
      test_who_finds_a_parked_fiber_finds_it_suspended },
    { "a fiber outlives the thread that made it", test_a_fiber_outlives_the_thread_that_made_it },
    { NULL, NULL },
};

static const struct promise promises_of_staying[] = {
    { "a fiber stays on its thread", test_copystack_stays_on_its_thread },
    { NULL, NULL },
};

enum { WAYS_MOST = 16 };

/* Those that migrate, or those that do not. */
static const struct named_way *ways_that(bool migrate)
{
    static struct named_way lists[2][WAYS_MOST + 1];
    struct named_way *list = lists[migrate];
    size_t count = 0;

    for (const struct named_way *w = way_list; w->name && count < WAYS_MOST; w++)
        if (w->way->migrates == migrate)
            list[count++] = *w;
    return list;
}

int main(void)
{
    return run_promises(promises, way_list) + run_promises(promises_of_migration, ways_that(true)) +
           run_promises(promises_of_staying, ways_that(false));
}
