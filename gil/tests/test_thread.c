/* test_thread.c - threads that start, stop, detach, pass safe points, and stop the world. */
#include "gil/tests/testing.h"

#include <errno.h>
#include <string.h>

static int state_of(struct thread *t)
{
    return atomic_load_explicit(&t->state, memory_order_relaxed);
}

/* A lock that excludes nobody and writes down how it is called. */
struct probe {
    struct gil head;
    int entered, left, acquired, released, yielded;
    int state_in_yield;
    bool is_due;
};

static int probe_init(struct gil *gil)
{
    ((struct probe *)gil)->is_due = true;
    return 0;
}

static void probe_fini(struct gil *gil)
{
    (void)gil;
}

static void probe_enter(struct gil *gil, struct thread *t)
{
    (void)t;
    ((struct probe *)gil)->entered++;
}

static void probe_leave(struct gil *gil, struct thread *t)
{
    (void)t;
    ((struct probe *)gil)->left++;
}

static void probe_acquire(struct gil *gil, struct thread *t)
{
    ((struct probe *)gil)->acquired++;
    atomic_fetch_and_explicit(&t->breaker, ~(uint32_t)BREAKER_GIL, memory_order_relaxed);
    errno = EIO;
}

static void probe_release(struct gil *gil, struct thread *t)
{
    (void)t;
    ((struct probe *)gil)->released++;
    errno = EIO;
}

static bool probe_due(struct gil *gil, struct thread *t)
{
    (void)t;
    return ((struct probe *)gil)->is_due;
}

static void probe_yield(struct gil *gil, struct thread *t)
{
    struct probe *p = (struct probe *)gil;

    p->yielded++;
    p->state_in_yield = state_of(t);
    atomic_fetch_and_explicit(&t->breaker, ~(uint32_t)BREAKER_GIL, memory_order_relaxed);
    errno = EIO;
}

static const struct gil_class probe_class = {
    .size_bytes = sizeof(struct probe), .init = probe_init, .fini = probe_fini,
    .enter = probe_enter, .leave = probe_leave, .acquire = probe_acquire,
    .release = probe_release, .due = probe_due, .yield = probe_yield,
};

/* Hooks that count, and spoil errno. */
static struct {
    int started, stopped, safepoints, before_block;
    int start_result;
    bool all_attached, merges_later;
} hooked;

static int count_hook(struct thread *t, int *count)
{
    (*count)++;
    if (state_of(t) != THREAD_ATTACHED)
        hooked.all_attached = false;
    errno = ENOSPC;
    return hooked.start_result;
}

static int on_start(struct thread *t)
{
    return count_hook(t, &hooked.started);
}

static void on_stop(struct thread *t)
{
    count_hook(t, &hooked.stopped);
}

static void on_safepoint(struct thread *t)
{
    count_hook(t, &hooked.safepoints);
}

static void on_before_block(struct thread *t)
{
    count_hook(t, &hooked.before_block);
}

static bool on_due(struct thread *t)
{
    (void)t;
    return !hooked.merges_later;
}

static const struct thread_hooks counting_hooks = {
    .start = on_start, .stop = on_stop, .safepoint = on_safepoint,
    .due = on_due, .before_block = on_before_block,
};

/* What the tests of one thread begin and end with. */
struct alone {
    struct probe *probe;
    struct thread self;
};

static int start_alone(void **state)
{
    static struct alone alone;

    set_watchdog(state);
    memset(&alone, 0, sizeof alone);
    memset(&hooked, 0, sizeof hooked);
    hooked.all_attached = true;
    alone.probe = (struct probe *)gil_new(&probe_class, NULL);
    *state = &alone;
    return alone.probe ? thread_start(&alone.self, &alone.probe->head, &counting_hooks) : -1;
}

static int stop_alone(void **state)
{
    struct alone *a = *state;

    if (thread_self)
        thread_stop(&a->self);
    gil_delete(&a->probe->head);
    return nobody_is_left(state);
}

static void test_start_registers_and_stop_unregisters(void **state)
{
    struct alone *a = *state;

    assert_ptr_equal(thread_self, &a->self);
    assert_int_equal(world_threads(), 1);
    assert_int_equal(state_of(&a->self), THREAD_ATTACHED);
    assert_int_equal(hooked.started, 1);
    thread_stop(&a->self);
    assert_null(thread_self);
    assert_int_equal(world_threads(), 0);
    assert_int_equal(hooked.stopped, 1);
    assert_true(hooked.all_attached);
    assert_int_equal(a->probe->entered, 1);
    assert_int_equal(a->probe->left, 1);
    assert_int_equal(a->probe->acquired, 1);
    assert_int_equal(a->probe->released, 1);
}

static void test_a_failed_start_leaves_nothing(void **state)
{
    struct alone *a = *state;

    thread_stop(&a->self);
    hooked.start_result = -1;
    assert_int_equal(thread_start(&a->self, &a->probe->head, &counting_hooks), -1);
    assert_int_equal(errno, ENOSPC);
    assert_null(thread_self);
    assert_int_equal(world_threads(), 0);
    assert_int_equal(hooked.stopped, 1);
    assert_int_equal(a->probe->entered, a->probe->left);
    assert_int_equal(a->probe->acquired, a->probe->released);
}

static void test_detach_and_attach_keep_errno(void **state)
{
    struct alone *a = *state;

    errno = EDOM;
    thread_detach(&a->self);
    assert_int_equal(errno, EDOM);
    assert_int_equal(state_of(&a->self), THREAD_DETACHED);
    assert_int_equal(a->probe->released, 1);
    errno = ERANGE;
    thread_attach(&a->self);
    assert_int_equal(errno, ERANGE);
    assert_int_equal(state_of(&a->self), THREAD_ATTACHED);
    assert_int_equal(a->probe->acquired, 2);
}

static void test_detach_tells_the_runtime_first(void **state)
{
    struct alone *a = *state;

    thread_detach(&a->self);
    assert_int_equal(hooked.before_block, 1);
    assert_true(hooked.all_attached);
    thread_attach(&a->self);
    assert_int_equal(hooked.before_block, 1);
}

/* What safe points have caused so far: hooks, acquires, yields. */
static int effects(const struct alone *a)
{
    return hooked.safepoints + hooked.before_block + (a->probe->acquired - 1) + a->probe->yielded;
}

static void test_a_safe_point_without_request_does_nothing(void **state)
{
    struct alone *a = *state;

    for (int i = 0; i < 1000; i++)
        safepoint(&a->self);
    assert_int_equal(effects(a), 0);
}

static void test_a_merge_request_runs_its_hook_once(void **state)
{
    struct alone *a = *state;

    thread_request(&a->self, BREAKER_MERGE);
    assert_int_equal(effects(a), 0);
    errno = EDOM;
    safepoint(&a->self);
    assert_int_equal(errno, EDOM);
    assert_int_equal(hooked.safepoints, 1);
    safepoint(&a->self);
    assert_int_equal(effects(a), 1);
    assert_true(hooked.all_attached);
}

static void test_a_merge_that_is_not_due_stays_asked(void **state)
{
    struct alone *a = *state;

    hooked.merges_later = true;
    thread_request(&a->self, BREAKER_MERGE);
    safepoint(&a->self);
    assert_int_equal(effects(a), 0);
    hooked.merges_later = false;
    safepoint(&a->self);
    assert_int_equal(hooked.safepoints, 1);
}

static void test_a_gil_request_yields_once_and_detached(void **state)
{
    struct alone *a = *state;

    thread_request(&a->self, BREAKER_GIL);
    errno = EDOM;
    safepoint(&a->self);
    assert_int_equal(errno, EDOM);
    assert_int_equal(a->probe->yielded, 1);
    assert_int_equal(a->probe->state_in_yield, THREAD_DETACHED);
    assert_int_equal(state_of(&a->self), THREAD_ATTACHED);
    safepoint(&a->self);
    assert_int_equal(effects(a), 1);
}

static void test_a_gil_request_that_is_not_due_waits(void **state)
{
    struct alone *a = *state;

    a->probe->is_due = false;
    thread_request(&a->self, BREAKER_GIL);
    safepoint(&a->self);
    assert_int_equal(effects(a), 0);
    a->probe->is_due = true;
    safepoint(&a->self);
    assert_int_equal(a->probe->yielded, 1);
}

static void test_a_stop_request_detaches_once(void **state)
{
    struct alone *a = *state;

    thread_request(&a->self, BREAKER_STOP);
    errno = EDOM;
    safepoint(&a->self);
    assert_int_equal(errno, EDOM);
    assert_int_equal(state_of(&a->self), THREAD_ATTACHED);
    assert_int_equal(hooked.before_block, 1);
    assert_int_equal(a->probe->released, 1);
    assert_int_equal(a->probe->acquired, 2);
    safepoint(&a->self);
    assert_int_equal(a->probe->acquired, 2);
}

/* To stop is to let go of the lock: who asked for it has had its chance, and a lock
 * that waits for a taker would wait for ever. */
static void test_a_stop_answers_a_gil_request_too(void **state)
{
    struct alone *a = *state;

    thread_request(&a->self, BREAKER_STOP | BREAKER_GIL | BREAKER_MERGE);
    safepoint(&a->self);
    assert_int_equal(hooked.safepoints, 1);
    assert_int_equal(a->probe->acquired, 2);
    assert_int_equal(a->probe->yielded, 0);
}

static void test_stopping_a_world_of_one_returns(void **state)
{
    struct alone *a = *state;

    for (int i = 0; i < 1000; i++) {
        world_stop(&a->self);
        world_start(&a->self);
    }
    safepoint(&a->self);
    assert_int_equal(effects(a), 0);
}

/* ---- The world, under every lock. The main thread stops it; it is called main. */

enum { ROUNDS = 200, STOPS = 25, WORKERS_MAX = 4 };

struct work {
    int64_t first, second; /* the worker's; equal at every safe point */
    _Atomic int rounds;
};

struct world {
    struct gil *gil;
    struct thread main;
    _Atomic int said, go, done, workers;
    struct work work[WORKERS_MAX];
    _Atomic int inside;        /* stoppers that have the world stopped */
    _Atomic int wrong;         /* another thread has seen a broken promise */
    int epoch;                 /* written by main while the world is stopped */
    int64_t stops;             /* written by stoppers while the world is stopped */
};

static void open_world(struct world *w, void **state)
{
    memset(w, 0, sizeof *w);
    w->gil = new_gil(*state, SHORT_TURNS);
    assert_int_equal(thread_start(&w->main, w->gil, NULL), 0);
}

static void close_world(struct world *w, const pthread_t *ids, int threads)
{
    announce(&w->done, 1);
    if (thread_self)
        thread_stop(&w->main);
    join(ids, threads);
    gil_delete(w->gil);
    assert_false(seen(&w->wrong));
}

static struct work *next_work(struct world *w)
{
    return &w->work[atomic_fetch_add_explicit(&w->workers, 1, memory_order_relaxed)];
}

/* Relaxed atomics order nothing: what others see of `first` and `second` is up to the
 * stopped world alone. */
static void compute(struct work *work)
{
    work->first++;
    atomic_fetch_add_explicit(&work->rounds, 1, memory_order_relaxed);
    work->second++;
}

static void *computes(void *argument)
{
    struct world *w = argument;
    struct work *work = next_work(w);
    struct thread self = { 0 };

    thread_start(&self, w->gil, NULL);
    while (!seen(&w->done)) {
        compute(work);
        safepoint(&self);
    }
    thread_stop(&self);
    return NULL;
}

static void *blocks(void *argument)
{
    struct world *w = argument;
    struct work *work = next_work(w);
    struct thread self = { 0 };

    thread_start(&self, w->gil, NULL);
    while (!seen(&w->done)) {
        compute(work);
        thread_detach(&self);
        thread_attach(&self);
    }
    thread_stop(&self);
    return NULL;
}

static void *comes_and_goes(void *argument)
{
    struct world *w = argument;
    struct work *work = next_work(w);

    while (!seen(&w->done)) {
        struct thread self = { 0 };

        thread_start(&self, w->gil, NULL);
        compute(work);
        thread_stop(&self);
    }
    return NULL;
}

/* Plain reads of what others write: TSan reports them if the world still runs, or if
 * stopping it orders too little. */
static void check_stopped(struct world *w, int workers)
{
    int64_t before[WORKERS_MAX];

    for (int i = 0; i < workers; i++) {
        before[i] = w->work[i].first;
        assert_int_equal(w->work[i].second, before[i]);
    }
    tempt();
    for (int i = 0; i < workers; i++) {
        assert_int_equal(w->work[i].first, before[i]);
        w->work[i].first = w->work[i].second = before[i] + 1;
    }
}

/* Every worker goes on: a stopped world that does not start again ends here. */
static void wait_for_rounds(struct world *w, int workers)
{
    int before[WORKERS_MAX];

    for (int i = 0; i < workers; i++)
        before[i] = seen(&w->work[i].rounds);
    thread_detach(&w->main);
    for (int i = 0; i < workers; i++)
        wait_until(&w->work[i].rounds, before[i] + 1);
    thread_attach(&w->main);
}

static void stop_while(void **state, int workers, void *(*const *bodies)(void *))
{
    struct world w;
    pthread_t ids[WORKERS_MAX];

    open_world(&w, state);
    for (int i = 0; i < workers; i++)
        launch(&ids[i], 1, bodies[i], &w);
    for (int round = 0; round < STOPS; round++) {
        wait_for_rounds(&w, workers);
        world_stop(&w.main);
        check_stopped(&w, workers);
        world_start(&w.main);
    }
    close_world(&w, ids, workers);
    for (int i = 0; i < workers; i++) {
        assert_int_equal(w.work[i].first, w.work[i].second);
        assert_int_equal(w.work[i].first, seen(&w.work[i].rounds) + STOPS);
    }
}

static void test_an_attached_thread_stops_at_its_safe_point(void **state)
{
    stop_while(state, 1, (void *(*[])(void *)){ computes });
}

static void test_a_thread_that_only_blocks_is_stopped(void **state)
{
    stop_while(state, 1, (void *(*[])(void *)){ blocks });
}

static void test_threads_that_come_and_go_are_stopped(void **state)
{
    stop_while(state, 1, (void *(*[])(void *)){ comes_and_goes });
}

static void test_all_of_several_threads_are_stopped(void **state)
{
    stop_while(state, 4, (void *(*[])(void *)){ computes, computes, blocks, comes_and_goes });
}

/* Attaches once main says so, and must find that main's stopped world is over. */
static void *attaches_when_told(void *argument)
{
    struct world *w = argument;
    struct thread self = { 0 };

    thread_start(&self, w->gil, NULL);
    for (int i = 1; i <= ROUNDS; i++) {
        thread_detach(&self);
        announce(&w->said, i);
        wait_until(&w->go, i);
        thread_attach(&self);
        if (w->epoch != i)
            announce(&w->wrong, 1);
    }
    thread_stop(&self);
    return NULL;
}

static void test_a_detached_thread_attaches_when_the_world_has_started(void **state)
{
    struct world w;
    pthread_t id;

    open_world(&w, state);
    launch(&id, 1, attaches_when_told, &w);
    for (int i = 1; i <= ROUNDS; i++) {
        wait_detached(&w.main, &w.said, i);
        world_stop(&w.main);
        announce(&w.go, i);
        tempt();
        w.epoch = i;
        world_start(&w.main);
    }
    close_world(&w, &id, 1);
}

/* As above, but the thread waits for the lock before the world is stopped. */
static void test_a_thread_that_waits_for_the_lock_is_stopped(void **state)
{
    struct world w;
    pthread_t id;

    open_world(&w, state);
    launch(&id, 1, attaches_when_told, &w);
    for (int i = 1; i <= ROUNDS; i++) {
        wait_detached(&w.main, &w.said, i);
        announce(&w.go, i);
        tempt();
        world_stop(&w.main);
        tempt();
        w.epoch = i;
        world_start(&w.main);
    }
    close_world(&w, &id, 1);
}

/* As attaches_when_told; all may see the thread. */
static struct thread held;

static void *attaches_though_held(void *argument)
{
    struct world *w = argument;

    thread_start(&held, w->gil, NULL);
    for (int i = 1; i <= ROUNDS; i++) {
        thread_detach(&held);
        announce(&w->said, i);
        wait_until(&w->go, i);
        thread_attach(&held);
        if (w->epoch != i)
            announce(&w->wrong, 1);
    }
    thread_stop(&held);
    return NULL;
}

static void test_a_thread_that_is_held_attaches_when_it_is_let_go(void **state)
{
    struct world w;
    pthread_t id;

    open_world(&w, state);
    launch(&id, 1, attaches_though_held, &w);
    for (int i = 1; i <= ROUNDS; i++) {
        wait_detached(&w.main, &w.said, i);
        assert_true(thread_hold(&held));
        assert_false(thread_hold(&held));
        announce(&w.go, i);
        tempt();
        w.epoch = i;
        thread_let_go(&held);
    }
    close_world(&w, &id, 1);
}

/* Attaches and detaches, and counts when it is attached. */
static void *counts_when_attached(void *argument)
{
    struct world *w = argument;

    thread_start(&held, w->gil, NULL);
    announce(&w->said, 1);
    while (!seen(&w->done)) {
        thread_detach(&held);
        tempt();
        thread_attach(&held);
        w->stops++;
    }
    thread_stop(&held);
    announce(&w->said, 2);
    return NULL;
}

/* Holds it and counts in its place. */
static void *counts_in_its_name(void *argument)
{
    struct world *w = argument;
    struct thread self = { 0 };

    thread_start(&self, w->gil, NULL);
    while (!seen(&w->go)) {
        if (thread_hold(&held)) {
            w->stops++;
            thread_let_go(&held);
        }
        safepoint(&self);
    }
    thread_stop(&self);
    return NULL;
}

/* `stops` is nobody's at once: of the thread, of who holds it, of who has stopped both. */
static void test_a_thread_that_is_held_does_not_count_as_stopped(void **state)
{
    struct world w;
    pthread_t ids[2];

    open_world(&w, state);
    launch(&ids[0], 1, counts_when_attached, &w);
    wait_detached(&w.main, &w.said, 1);
    launch(&ids[1], 1, counts_in_its_name, &w);
    for (int i = 0; i < ROUNDS; i++) {
        int64_t before;

        world_stop(&w.main);
        before = w.stops;
        tempt();
        if (w.stops++ != before)
            announce(&w.wrong, 1);
        world_start(&w.main);
        wait_detached(&w.main, &w.said, 1);
    }
    announce(&w.go, 1); /* who is held must not leave before who holds it */
    thread_detach(&w.main);
    join(&ids[1], 1);
    thread_attach(&w.main);
    close_world(&w, ids, 1);
}

/* The stopper waits for one that passes no safe point until its name is told. */
static _Atomic int told;
static const char *told_name;

static void take_the_name(const struct thread *late, uint64_t waited_ns)
{
    (void)waited_ns;
    told_name = late->name;
    announce(&told, 1);
}

static void *passes_no_safe_point(void *argument)
{
    struct world *w = argument;
    struct thread self = { .name = "who is late" };

    thread_start(&self, w->gil, NULL);
    announce(&w->said, 1);
    wait_until(&told, 1);
    thread_stop(&self);
    return NULL;
}

static void test_who_keeps_the_world_from_stopping_is_named(void **state)
{
    struct world w;
    pthread_t id;

    open_world(&w, state);
    if (w.gil->class->excludes) /* nobody else is attached: there is none to wait for */
        announce(&told, 1);
    else
        announce(&told, 0);
    world_tell_late(take_the_name);
    launch(&id, 1, passes_no_safe_point, &w);
    wait_detached(&w.main, &w.said, 1);
    world_stop(&w.main);
    world_start(&w.main);
    world_tell_late(NULL);
    if (!w.gil->class->excludes)
        assert_string_equal(told_name, "who is late");
    close_world(&w, &id, 1);
}

static void *starts_once(void *argument)
{
    struct world *w = argument;
    struct thread self = { 0 };

    thread_start(&self, w->gil, NULL);
    if (w->epoch != 1)
        announce(&w->wrong, 1);
    thread_stop(&self);
    return NULL;
}

static void test_a_thread_that_starts_meanwhile_waits(void **state)
{
    for (int i = 0; i < 20; i++) {
        struct world w;
        pthread_t ids[4];

        open_world(&w, state);
        world_stop(&w.main);
        launch(ids, 4, starts_once, &w);
        while (world_threads() < 5)
            sched_yield();
        tempt();
        w.epoch = 1;
        world_start(&w.main);
        close_world(&w, ids, 4);
    }
}

static void *leaves_when_told(void *argument)
{
    struct world *w = argument;
    struct thread self = { 0 };

    thread_start(&self, w->gil, NULL);
    compute(&w->work[0]);
    wait_detached(&self, &w->go, 1);
    thread_stop(&self);
    return NULL;
}

static void test_a_thread_that_is_stopped_may_leave_after(void **state)
{
    struct world w;
    pthread_t id;

    open_world(&w, state);
    launch(&id, 1, leaves_when_told, &w);
    wait_detached(&w.main, &w.work[0].rounds, 1);
    world_stop(&w.main);
    announce(&w.go, 1);
    tempt();
    assert_int_equal(world_threads(), 2);
    assert_int_equal(w.work[0].first, 1);
    world_start(&w.main);
    close_world(&w, &id, 1);
}

/* Passes no safe point but one, and stops a world that is not main's. */
static void *is_apart(void *argument)
{
    struct world *w = argument;
    struct thread self = { 0 };
    struct thread_world own = { 0 };
    struct gil *gil = gil_new(w->gil->class, w->gil->param);

    gil->world = &own;
    thread_start(&self, gil, NULL);
    announce(&w->said, 1);
    wait_until(&w->go, 1);
    safepoint(&self);
    world_stop(&self);
    if (world_size(&self) != 1 || !world_is_stopped_by(&self) || !world_is_stopped_by(&w->main))
        announce(&w->wrong, 1);
    world_start(&self);
    announce(&w->said, 2);
    wait_until(&w->go, 2);
    thread_stop(&self);
    if (own.threads)
        announce(&w->wrong, 1);
    gil_delete(gil);
    return NULL;
}

static void test_a_lock_with_a_world_of_its_own_runs_on(void **state)
{
    struct world w;
    pthread_t id;

    open_world(&w, state);
    launch(&id, 1, is_apart, &w);
    wait_until(&w.said, 1);
    world_stop(&w.main);
    assert_int_equal(world_size(&w.main), 1);
    assert_int_equal(world_threads(), 2);
    announce(&w.go, 1);
    wait_until(&w.said, 2);
    world_start(&w.main);
    announce(&w.go, 2);
    close_world(&w, &id, 1);
}

enum { TURNS = 1000, TURNS_TO_MEETING = 4 };

/* The two stoppers go on from here together, and attached both where the lock lets
 * them. Left alone, one would stop the world again before the other, which it has
 * stopped, has come to its own turn: they would never be in each other's way. */
static void meet(struct thread *t, struct world *w, int meeting)
{
    atomic_fetch_add_explicit(&w->said, 1, memory_order_relaxed);
    wait_detached(t, &w->said, 4 * meeting - 2);
    atomic_fetch_add_explicit(&w->said, 1, memory_order_relaxed);
    if (!w->gil->class->excludes)
        wait_until(&w->said, 4 * meeting);
}

static void *stops_the_world(void *argument)
{
    struct world *w = argument;
    struct thread self = { 0 };

    thread_start(&self, w->gil, NULL);
    for (int i = 1; i <= TURNS; i++) {
        world_stop(&self);
        if (atomic_fetch_add_explicit(&w->inside, 1, memory_order_relaxed) ||
            w->work[0].first != w->work[0].second)
            announce(&w->wrong, 1);
        w->stops++;
        atomic_fetch_sub_explicit(&w->inside, 1, memory_order_relaxed);
        world_start(&self);
        safepoint(&self);
        if (i % TURNS_TO_MEETING == 0)
            meet(&self, w, i / TURNS_TO_MEETING);
    }
    thread_stop(&self);
    return NULL;
}

static void test_two_stoppers_take_turns(void **state)
{
    struct world w;
    pthread_t stoppers[2], worker;

    open_world(&w, state);
    thread_stop(&w.main);
    launch(&worker, 1, computes, &w);
    wait_until(&w.work[0].rounds, 1);
    launch(stoppers, 2, stops_the_world, &w);
    join(stoppers, 2);
    close_world(&w, &worker, 1);
    assert_int_equal(w.stops, 2 * TURNS);
}

static const struct promise promises[] = {
    { "an attached thread stops at its safe point",
      test_an_attached_thread_stops_at_its_safe_point },
    { "a thread that only blocks is stopped", test_a_thread_that_only_blocks_is_stopped },
    { "threads that come and go are stopped", test_threads_that_come_and_go_are_stopped },
    { "all of several threads are stopped", test_all_of_several_threads_are_stopped },
    { "a detached thread attaches when the world has started",
      test_a_detached_thread_attaches_when_the_world_has_started },
    { "a thread that is held attaches when it is let go",
      test_a_thread_that_is_held_attaches_when_it_is_let_go },
    { "a thread that is held does not count as stopped",
      test_a_thread_that_is_held_does_not_count_as_stopped },
    { "who keeps the world from stopping is named",
      test_who_keeps_the_world_from_stopping_is_named },
    { "a thread that starts meanwhile waits", test_a_thread_that_starts_meanwhile_waits },
    { "a thread that is stopped may leave after", test_a_thread_that_is_stopped_may_leave_after },
    { "a lock with a world of its own runs on", test_a_lock_with_a_world_of_its_own_runs_on },
    { "two stoppers take turns", test_two_stoppers_take_turns },
    { NULL, NULL },
};

static const struct promise promises_of_exclusion[] = {
    { "a thread that waits for the lock is stopped",
      test_a_thread_that_waits_for_the_lock_is_stopped },
    { NULL, NULL },
};

#define alone_test(f) cmocka_unit_test_setup_teardown(f, start_alone, stop_alone)

int main(void)
{
    const struct CMUnitTest tests[] = {
        alone_test(test_start_registers_and_stop_unregisters),
        alone_test(test_a_failed_start_leaves_nothing),
        alone_test(test_detach_and_attach_keep_errno),
        alone_test(test_detach_tells_the_runtime_first),
        alone_test(test_a_safe_point_without_request_does_nothing),
        alone_test(test_a_merge_request_runs_its_hook_once),
        alone_test(test_a_merge_that_is_not_due_stays_asked),
        alone_test(test_a_gil_request_yields_once_and_detached),
        alone_test(test_a_gil_request_that_is_not_due_waits),
        alone_test(test_a_stop_request_detaches_once),
        alone_test(test_a_stop_answers_a_gil_request_too),
        alone_test(test_stopping_a_world_of_one_returns),
    };
    int failed = cmocka_run_group_tests(tests, NULL, NULL);

    failed += run_promises(promises, gil_list, EVERY_LOCK);
    return failed + run_promises(promises_of_exclusion, gil_list, LOCKS_THAT_EXCLUDE);
}
