/* test_units.c - every workload in every unit, as the lab runs it but only until each worker has
 * done something: it runs, or it says that it cannot.
 *
 * Objects come from a heap that counts them, and that fails when told to.
 */
#include "benches/hosted.h"
#include "benches/workload.h"
#include "coroutines/coroutine.h"
#include "coroutines/hub.h"
#include "coroutines/io.h"
#include "gil/gil.h"
#include "objects/none.h"
#include "objects/tests/testing.h"

#include <pthread.h>
#include <sched.h>
#include <string.h>
#include <unistd.h>

enum { CARRIERS_MOST = 4, SEATS_MOST = 16, POOL = 2, UNITS = 5, TEXT_BYTES = 160, TIMEOUT_S = 240 };

#define WORKLOAD(name) extern const struct workload workload_##name;
#include "gen/workloads.h"
#undef WORKLOAD
static const struct named_workload workloads[] = {
#define WORKLOAD(name) { #name, &workload_##name },
#include "gen/workloads.h"
#undef WORKLOAD
    { NULL, NULL },
};

#define UNIT(name) extern const struct unit unit_##name;
#include "gen/units.h"
#undef UNIT
static const struct named_unit units[] = {
#define UNIT(name) { #name, &unit_##name },
#include "gen/units.h"
#undef UNIT
    { NULL, NULL },
};

/* Its workers sit on carriers. */
static bool is_hosted(const struct unit *unit)
{
    return unit->host && unit->carried != CARRIED_BY_ITSELF && unit->carried != CARRIED_APART;
}

struct seated {
    struct carrier carrier; /* first: it is known by this */
    struct thread thread;
    pthread_t os;
    struct histogram latency[ROLE_MAX];
    struct helper helper[POOL];
    bool at_gate;
};

static struct cell {
    const char *name;
    const struct workload *workload;
    const struct unit *unit;
    struct gil *gil;
    struct thread self;
    struct job job;
    _Atomic int phase, ready;
    int carriers, seats;
    struct seated carried[CARRIERS_MOST];
    struct seat seat[SEATS_MOST];
    _Atomic int failures;
    struct mutex lock;
    char error[TEXT_BYTES]; /* lock; the first */
} cell;

/* ---- the lab's side ---- */

static void take_error(const char *who)
{
    struct object *e = exception_take();

    mutex_lock(&cell.lock);
    if (!*cell.error)
        snprintf(cell.error, sizeof cell.error, "%s: %s (%s)",
                 e ? type_of(e)->name : "nothing is pending", e ? exception_message(e) : "", who);
    mutex_unlock(&cell.lock);
    xdecref(e);
    atomic_fetch_add_explicit(&cell.failures, 1, memory_order_relaxed);
}

static bool failed(void)
{
    return atomic_load_explicit(&cell.failures, memory_order_relaxed) > 0;
}

static void failed_seat(struct carrier *c, struct seat *s)
{
    (void)c;
    take_error(s->role->name);
}

static void wait_at_gate(struct carrier *c)
{
    struct seated *s = (struct seated *)c;

    s->at_gate = true;
    thread_detach(&s->thread);
    atomic_fetch_add_explicit(&cell.ready, 1, memory_order_release);
    while (atomic_load_explicit(&cell.phase, memory_order_relaxed) == PHASE_WAIT)
        sched_yield();
    thread_attach(&s->thread);
}

static void count_helper(struct carrier *c)
{
    int number = atomic_fetch_add_explicit(&c->helpers, 1, memory_order_relaxed);

    assert(number < c->pool);
    c->helper[number].tid = gettid();
}

static int begin_seats(struct carrier *c)
{
    for (int i = 0; i < c->seats; i++) {
        struct seat *s = &c->seat[i];

        s->begun = true;
        if (s->role->begin && s->role->begin(&s->worker) < 0) {
            take_error(s->role->name);
            return -1;
        }
    }
    return 0;
}

static void *carrier_main(void *argument)
{
    struct seated *s = argument;
    struct carrier *c = &s->carrier;

    s->thread.locks_containers = !RC_NEEDS_GIL;
    if (thread_start(&s->thread, cell.gil, &object_hooks) < 0)
        abort();
    if (begin_seats(c) == 0 && c->unit->host(c) < 0)
        take_error("host");
    if (!s->at_gate)
        wait_at_gate(c);
    for (int i = 0; i < c->seats; i++)
        if (c->seat[i].begun && c->seat[i].role->end)
            c->seat[i].role->end(&c->seat[i].worker);
    thread_stop(&s->thread);
    return NULL;
}

static struct carrier *add_carrier(const struct unit *unit)
{
    struct seated *s = &cell.carried[cell.carriers++];

    assert_in_range(cell.carriers, 1, CARRIERS_MOST);
    s->carrier = (struct carrier){
        .unit = unit, .job = &cell.job, .phase = &cell.phase, .thread = &s->thread,
        .seat = &cell.seat[cell.seats], .helper = s->helper,
        .pool = unit->carried == CARRIED_BY_A_POOL ? POOL : 0,
        .ready = wait_at_gate, .failed = failed_seat, .helps = count_helper,
    };
    return &s->carrier;
}

static void add_seat(struct carrier *c, int role, int index)
{
    struct seat *s = &cell.seat[cell.seats++];

    assert_in_range(cell.seats, 1, SEATS_MOST);
    c->seats++;
    s->role = &cell.workload->roles[role];
    s->worker = (struct worker){ .thread = c->thread, .job = &cell.job, .carrier = c,
                                 .role = role, .index = index, .random = 88172645463325252u };
    if (s->role->records_latency)
        c->latency[role] = &((struct seated *)c)->latency[role];
    cell.job.workers++;
}

static void seat_all(int count, int hosts)
{
    const struct role *roles = cell.workload->roles;

    for (int c = 0; c < hosts; c++) {
        struct carrier *carrier = add_carrier(cell.unit);

        for (int r = 0; r < ROLE_MAX && roles[r].name; r++)
            for (int i = roles[r].fixed + c; i < roles[r].fixed + roles[r].per_thread * count;
                 i += hosts)
                add_seat(carrier, r, i);
    }
    for (int r = 0; r < ROLE_MAX && roles[r].name; r++)
        for (int i = 0; i < roles[r].fixed; i++)
            add_seat(add_carrier(&unit_thread), r, i);
}

/* `hosts` carriers, if the unit may be on several. The caller is attached then. */
static void cell_init(const char *name, const struct workload *w, const struct unit *unit,
                      int count, int hosts)
{
    const struct named_gil *lock = gil_list;

    memset(&cell, 0, sizeof cell);
    cell.lock = (struct mutex)MUTEX_INIT;
    cell.name = name;
    cell.workload = cell.job.workload = w;
    cell.unit = unit;
    cell.job.threads = count;
    for (int i = 0; i < PARAM_MAX; i++)
        cell.job.param[i] = w->param[i].standard;
    while (strcmp(lock->name, RC_NEEDS_GIL ? "interval" : "none") != 0)
        lock++;
    cell.gil = gil_new(lock->class, NULL);
    cell.self.locks_containers = !RC_NEEDS_GIL;
    assert_int_equal(thread_start(&cell.self, cell.gil, &object_hooks), 0);
    seat_all(count, unit->carried == CARRIED_BY_ALL ? hosts : 1);
}

static void set_phase(enum phase phase)
{
    atomic_store_explicit(&cell.phase, phase, memory_order_relaxed);
}

/* Returns detached, when all have begun. */
static void start(void)
{
    thread_detach(&cell.self);
    for (int i = 0; i < cell.carriers; i++)
        assert_int_equal(pthread_create(&cell.carried[i].os, NULL, carrier_main, &cell.carried[i]),
                         0);
    while (atomic_load_explicit(&cell.ready, memory_order_acquire) < cell.carriers)
        sched_yield();
}

static bool all_have_done(uint64_t ops)
{
    for (int i = 0; i < cell.seats; i++)
        if (cell.seat[i].worker.role == 0 && worker_ops(&cell.seat[i].worker) < ops)
            return false;
    return true;
}

static void stop(void)
{
    atomic_store_explicit(&cell.job.stopping, true, memory_order_relaxed);
    set_phase(PHASE_OVER);
    if (cell.workload->interrupt)
        cell.workload->interrupt(&cell.job);
    for (int i = 0; i < cell.carriers; i++)
        pthread_join(cell.carried[i].os, NULL);
    thread_attach(&cell.self);
    settle_heap();
}

/* Until each worker of the first role has counted so many. Returns attached. */
static void run(uint64_t ops)
{
    start();
    set_phase(PHASE_WINDOW);
    while (!all_have_done(ops) && !failed())
        sched_yield();
    stop();
}

static bool set_up(void)
{
    if (!cell.workload->setup || cell.workload->setup(&cell.job) == 0)
        return true;
    take_error("setup");
    return false;
}

static void check(void)
{
    uint64_t ops = 0;

    for (int i = 0; i < cell.seats; i++)
        if (cell.seat[i].worker.role == 0)
            ops += worker_ops(&cell.seat[i].worker);
    if (!failed() && cell.workload->check && cell.workload->check(&cell.job, ops) < 0)
        take_error("check");
}

/* All that the cell has made is gone. */
static void cell_fini(void)
{
    fail_allocation(0);
    if (cell.workload->teardown)
        cell.workload->teardown(&cell.job);
    settle_heap();
    rc_finish();
    thread_stop(&cell.self);
    gil_delete(cell.gil);
    if (heap_state.blocks)
        fail_msg("%s has left %lld blocks", cell.name, (long long)heap_state.blocks);
    assert_int_equal(world_threads(), 0);
}

static void expect_no_error(const char *unit)
{
    if (*cell.error)
        fail_msg("%s as %s: %s", cell.name, unit, cell.error);
}

static void expect_latency(void)
{
    for (int i = 0; i < cell.carriers; i++)
        for (int r = 0; r < ROLE_MAX; r++)
            if (cell.carried[i].carrier.latency[r])
                assert_true(cell.carried[i].latency[r].count > 0);
}

/* ---- every workload in every unit ---- */

static void run_whole(const struct named_workload *w, const struct named_unit *u, int hosts)
{
    cell_init(w->name, w->workload, u->unit, UNITS, hosts);
    if (set_up())
        run(1);
    check();
    expect_no_error(u->name);
    expect_latency();
    cell_fini();
}

static void test_every_workload_runs_in_every_unit_or_says_why_not(void **state)
{
    (void)state;
    for (const struct named_workload *w = workloads; w->name; w++)
        for (const struct named_unit *u = units; u->name; u++)
            if (is_hosted(u->unit) &&
                unit_seating(u->unit, w->workload) == SEATING_RIGHT)
                run_whole(w, u, 2);
}

static const struct named_workload *workload_named(const char *name)
{
    const struct named_workload *w = workloads;

    while (strcmp(w->name, name) != 0)
        w++;
    return w;
}

/* Those that are refused are these, and none by mistake. */
static void test_what_is_refused_is_known(void **state)
{
    static const struct {
        const char *workload;
        const struct unit *unit;
        enum seating seating;
    } cases[] = {
        { "fib", &unit_coroutine, SEATING_RIGHT }, { "sleep", &unit_greenlet, SEATING_RIGHT },
        { "echo", &unit_loops, SEATING_RIGHT }, { "cpu_fraction", &unit_hybrid, SEATING_RIGHT },
        { "queue", &unit_greenlet, SEATING_ALONE }, { "queue", &unit_thread, SEATING_RIGHT },
        { "task_switch", &unit_loops, SEATING_ALONE },
        { "echo_spin", &unit_greenlet, SEATING_NOT_CUT },
        { "http", &unit_process, SEATING_NOT_CUT },
        { "http", &unit_greenlet, SEATING_RIGHT },
        { "fetch_many", &unit_hybrid, SEATING_RIGHT }, { "fetch_many", &unit_process, SEATING_RIGHT },
        { "database", &unit_coroutine, SEATING_RIGHT }, { "database", &unit_interpreter, SEATING_RIGHT },
    };

    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
        assert_int_equal(unit_seating(cases[i].unit, workload_named(cases[i].workload)->workload),
                         cases[i].seating);
}

/* ---- what a unit promises, seen by workloads of our own ---- */

static int order[64]; /* which worker had which step; of one thread */
static _Atomic int steps;

static int note_step(struct worker *w)
{
    int at = atomic_fetch_add_explicit(&steps, 1, memory_order_relaxed);

    if (at < 64)
        order[at] = w->index;
    worker_count(w, 1);
    return 0;
}

static const struct workload noting = {
    .kind = KIND_CPU, .roles = { { .name = "noting", .per_thread = 1, .step = note_step } },
};

static void run_own(const struct workload *w, const struct unit *unit, int count, uint64_t ops)
{
    atomic_store_explicit(&steps, 0, memory_order_relaxed);
    cell_init("own", w, unit, count, 1);
    run(ops);
}

static void test_who_computes_gives_way_after_each_step(void **state)
{
    static const struct unit *const hosts[] = { &unit_greenlet, &unit_coroutine, &unit_loops };

    (void)state;
    for (size_t u = 0; u < sizeof hosts / sizeof *hosts; u++) {
        run_own(&noting, hosts[u], 3, 16);
        expect_no_error("own");
        for (int i = 3; i < 45; i++)
            assert_int_equal(order[i], order[i - 3]);
        assert_true(order[0] != order[1] && order[1] != order[2] && order[0] != order[2]);
        cell_fini();
    }
}

static uint64_t turns[64]; /* in which the steps of one worker were */

static int note_switches(struct worker *w)
{
    int at = atomic_fetch_add_explicit(&steps, 1, memory_order_relaxed);

    if (at < 64)
        turns[at] = hub_switches();
    worker_count(w, 1);
    return at % 2 ? io_sleep_ns(0) : 0;
}

static enum turn note_turn(struct frame *f, enum resume how, borrowed argument,
                           struct object **result)
{
    struct worker *w = worker_at(f->reference[0]);
    int at;

    if (how == RESUME_THROW)
        return frame_raise(argument);
    if (f->at++)
        return frame_return(result);
    at = atomic_fetch_add_explicit(&steps, 1, memory_order_relaxed);
    if (at < 64)
        turns[at] = loop_turns(loop_running());
    worker_count(w, 1);
    if (at % 2)
        return frame_return(result);
    *result = none();
    return TURN_YIELD;
}

static const struct body note_body = {
    .name = "note", .kind = COROUTINE, .resume = note_turn, .references = 1,
};

static const struct workload waiting = {
    .kind = KIND_IO, .roles = { { .name = "waiting", .per_thread = 1, .step = note_switches,
                                  .await_step = &note_body } },
};

/* Every second step waits for a turn by itself; the others are followed by one. */
static void test_a_step_takes_one_turn_whether_it_waits_or_not(void **state)
{
    static const struct unit *const hosts[] = { &unit_greenlet, &unit_coroutine };

    (void)state;
    for (int u = 0; u < 2; u++) {
        run_own(&waiting, hosts[u], 1, 64);
        expect_no_error("own");
        for (int i = 1; i < 60; i++)
            assert_int_equal(turns[i] - turns[i - 1], u == 0 ? 2 : 1);
        cell_fini();
    }
}

static struct carrier *computing_for;
static _Atomic int here, elsewhere; /* calls, by the carrier's thread and by others */

static int compute(struct worker *w)
{
    if (w->thread != thread_self) {
        exception_set(&runtime_error, "the worker's thread is another one");
        return -1;
    }
    computing_for = w->carrier;
    atomic_fetch_add_explicit(thread_self == w->carrier->thread ? &here : &elsewhere, 1,
                              memory_order_relaxed);
    return 0;
}

static enum turn await_compute(struct frame *f, enum resume how, borrowed argument,
                               struct object **result)
{
    struct worker *w = worker_at(f->reference[0]);

    if (how == RESUME_THROW)
        return frame_raise(argument);
    if (f->at++) {
        worker_count(w, w->thread == w->carrier->thread);
        return frame_return(result);
    }
    *result = unit_compute(w, compute);
    return *result ? TURN_FROM : TURN_ERROR;
}

static const struct body compute_body = {
    .name = "compute", .kind = COROUTINE, .resume = await_compute, .references = 1,
};

static const struct workload computing = {
    .kind = KIND_MIXED,
    .roles = { { .name = "computing", .per_thread = 1, .step = note_step,
                 .await_step = &compute_body } },
};

static void test_hybrid_computes_in_its_pool_and_others_where_they_are(void **state)
{
    (void)state;
    for (int u = 0; u < 2; u++) {
        atomic_store_explicit(&here, 0, memory_order_relaxed);
        atomic_store_explicit(&elsewhere, 0, memory_order_relaxed);
        run_own(&computing, u ? &unit_hybrid : &unit_coroutine, 1, 3);
        expect_no_error("own");
        assert_int_equal(here > 0, !u);
        assert_int_equal(elsewhere > 0, u);
        if (u)
            assert_int_equal(cell.carried[0].carrier.helpers, POOL);
        cell_fini();
    }
}

static int fail_once(struct worker *w)
{
    worker_count(w, 1);
    if (w->index != 1 || worker_ops(w) != 3)
        return 0;
    exception_set(&runtime_error, "as planned");
    return -1;
}

static const struct workload failing = {
    .kind = KIND_CPU, .roles = { { .name = "failing", .per_thread = 1, .step = fail_once } },
};

/* And the others go on until the end of the window. */
static void test_an_error_is_told_once(void **state)
{
    (void)state;
    for (const struct named_unit *u = units; u->name; u++) {
        if (!is_hosted(u->unit))
            continue;
        run_own(&failing, u->unit, 4, UINT64_MAX);
        assert_string_equal(cell.error, "RuntimeError: as planned (failing)");
        assert_int_equal(cell.failures, 1);
        cell_fini();
    }
}

static void test_operations_may_be_counted_elsewhere(void **state)
{
    static _Atomic uint64_t there = 7;
    struct worker w = { .ops = 3 };

    (void)state;
    assert_int_equal(worker_ops(&w), 3);
    w.ops_elsewhere = &there;
    assert_int_equal(worker_ops(&w), 7);
}

/* ---- no memory ---- */

/* With the n-th allocation failing. True if something failed: MemoryError. */
static bool fail_at(const struct named_workload *w, const struct named_unit *u, int64_t n)
{
    cell_init(w->name, w->workload, u->unit, 3, 2);
    fail_allocation(n);
    if (set_up())
        run(1);
    if (*cell.error && strncmp(cell.error, "MemoryError", 11) != 0)
        fail_msg("%s as %s, %lld: %s", w->name, u->name, (long long)n, cell.error);
    return !failure_waits();
}

static void test_no_memory_is_an_error_and_leaves_nothing(void **state)
{
    static const char *const names[] = { "sleep", "echo" };

    (void)state;
    for (size_t i = 0; i < sizeof names / sizeof *names; i++)
        for (const struct named_unit *u = units; u->name; u++) {
            int64_t n = 1;

            if (!is_hosted(u->unit))
                continue;
            while (n < 200 && fail_at(workload_named(names[i]), u, n)) {
                n += 1 + n / 20;
                cell_fini();
            }
            if (n < 200)
                cell_fini();
            assert_true(n > 8);
        }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_every_workload_runs_in_every_unit_or_says_why_not),
        cmocka_unit_test(test_what_is_refused_is_known),
        cmocka_unit_test(test_who_computes_gives_way_after_each_step),
        cmocka_unit_test(test_a_step_takes_one_turn_whether_it_waits_or_not),
        cmocka_unit_test(test_hybrid_computes_in_its_pool_and_others_where_they_are),
        cmocka_unit_test(test_an_error_is_told_once),
        cmocka_unit_test(test_operations_may_be_counted_elsewhere),
        cmocka_unit_test(test_no_memory_is_an_error_and_leaves_nothing),
    };

    heap = &heap_checked;
    alarm(TIMEOUT_S); /* a worker that never ends ends the program */
    return cmocka_run_group_tests_name("units", tests, NULL, NULL);
}
