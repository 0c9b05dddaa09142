/* test_workloads.c - every workload, as the lab runs it but only for a few steps.
 *
 * Objects come from a heap that counts them, so what a workload does not free is seen
 * in every build, and that refuses memory when told to, so every failure path is run.
 */
#include "benches/workload.h"
#include "gil/gil.h"
#include "objects/exception.h"
#include "objects/heap.h"
#include "objects/object.h"

#include <pthread.h>
#include <sched.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

#include <cmocka.h>

#include "gil/tests/open_files.h"

enum { THREADS = 3, WORKERS_MAX = 8, STEPS = 3, TEXT_BYTES = 160, TIMEOUT_S = 240,
       ALLOCATIONS_MOST = 3000 };

#define WORKLOAD(name) extern const struct workload workload_##name;
#include "gen/workloads.h"
#undef WORKLOAD
static const struct named_workload list[] = {
#define WORKLOAD(name) { #name, &workload_##name },
#include "gen/workloads.h"
#undef WORKLOAD
    { NULL, NULL },
};

extern const struct heap heap_system;

static _Atomic int64_t alive;            /* objects, and tables of containers */
static _Atomic int64_t allowed = INT64_MAX; /* allocations; then there is no memory */

static void *counted_alloc(size_t size_bytes)
{
    void *memory;

    if (atomic_fetch_sub_explicit(&allowed, 1, memory_order_relaxed) <= 0)
        return NULL;
    memory = heap_system.alloc(size_bytes);
    if (memory)
        atomic_fetch_add_explicit(&alive, 1, memory_order_relaxed);
    return memory;
}

static void counted_free(void *memory, size_t size_bytes)
{
    atomic_fetch_sub_explicit(&alive, 1, memory_order_relaxed);
    heap_system.free(memory, size_bytes);
}

static const struct heap counted_heap = {
    .about = "the system's, counted", .alloc = counted_alloc, .free = counted_free,
};

static void allow_allocations(int64_t count)
{
    atomic_store_explicit(&allowed, count, memory_order_relaxed);
}

struct seat {
    struct worker worker;
    struct thread thread;
    pthread_t os;
    const struct role *role;
    struct histogram latency;
    bool began;             /* by the worker; for others once it has ended */
    _Atomic int steps;      /* that ended within the window */
    char error[TEXT_BYTES]; /* "" if it did not fail */
};

static struct cell {
    const char *name;
    const struct workload *workload;
    struct gil *gil;
    struct thread self;
    struct job job;
    struct seat seat[WORKERS_MAX];
    _Atomic bool failed;
    uint64_t ops;
    char error[TEXT_BYTES]; /* of setup */
} cell;

static void take_error(char *text)
{
    struct object *e = exception_take();

    snprintf(text, TEXT_BYTES, "%s: %s", e ? type_of(e)->name : "nothing is pending",
             e ? exception_message(e) : "");
    xdecref(e);
}

static bool failed(void)
{
    return atomic_load_explicit(&cell.failed, memory_order_relaxed);
}

static bool stopping(void)
{
    return atomic_load_explicit(&cell.job.stopping, memory_order_relaxed);
}

static int steps_of(const struct seat *s)
{
    return atomic_load_explicit(&s->steps, memory_order_relaxed);
}

static int step_until_stopped(struct seat *s)
{
    int result = 0;

    while (result == 0 && !stopping()) {
        result = s->role->step(&s->worker);
        if (!stopping()) /* the last may have been interrupted */
            atomic_store_explicit(&s->steps, steps_of(s) + 1, memory_order_relaxed);
    }
    return result;
}

static int work(struct seat *s)
{
    int result = s->role->begin ? s->role->begin(&s->worker) : 0;

    s->began = result == 0;
    if (result < 0)
        return result;
    if (s->role->outside)
        thread_detach(&s->thread);
    result = step_until_stopped(s);
    if (s->role->outside)
        thread_attach(&s->thread);
    return result;
}

static void *seat_main(void *argument)
{
    struct seat *s = argument;

    s->thread.locks_containers = !RC_NEEDS_GIL;
    if (thread_start(&s->thread, cell.gil, &object_hooks) < 0)
        abort();
    if (work(s) < 0) {
        take_error(s->error);
        atomic_store_explicit(&cell.failed, true, memory_order_relaxed);
    }
    if (s->role->end)
        s->role->end(&s->worker);
    thread_stop(&s->thread);
    return NULL;
}

static void seat_worker(const struct role *role, int number, int index)
{
    struct seat *s = &cell.seat[cell.job.workers++];

    assert_in_range(cell.job.workers, 1, WORKERS_MAX);
    s->role = role;
    s->worker = (struct worker){ .thread = &s->thread, .job = &cell.job, .role = number,
                                 .index = index, .random = 88172645463325252u + (uint64_t)index };
    if (role->records_latency)
        s->worker.latency = &s->latency;
}

/* A workload's parameter as usual; but of sites there are fewer, and they take less to answer. */
static int64_t standard(const struct param *p)
{
    if (p->name && strcmp(p->name, "sites") == 0)
        return p->standard / 4;
    return p->name && strcmp(p->name, "delay_us") == 0 ? p->standard / 10 : p->standard;
}

/* Nobody is started yet; the caller is attached. */
static void cell_init(const struct named_workload *w, int threads)
{
    const struct named_gil *lock = gil_list;

    memset(&cell, 0, sizeof cell);
    while (strcmp(lock->name, RC_NEEDS_GIL ? "interval" : "none") != 0)
        lock++;
    cell.name = w->name;
    cell.workload = cell.job.workload = w->workload;
    cell.job.threads = threads;
    for (int i = 0; i < PARAM_MAX; i++)
        cell.job.param[i] = standard(&w->workload->param[i]);
    for (int r = 0; r < ROLE_MAX && w->workload->roles[r].name; r++) {
        const struct role *role = &w->workload->roles[r];

        for (int i = 0; i < role->fixed + role->per_thread * threads; i++)
            seat_worker(role, r, i);
    }
    cell.gil = gil_new(lock->class, NULL);
    cell.self.locks_containers = !RC_NEEDS_GIL;
    assert_int_equal(thread_start(&cell.self, cell.gil, &object_hooks), 0);
}

static int cell_setup(void)
{
    int result = cell.workload->setup ? cell.workload->setup(&cell.job) : 0;

    if (result < 0)
        take_error(cell.error);
    return result;
}

/* `role` -1: all of them. Returns detached. */
static void start_workers(int role)
{
    thread_detach(&cell.self);
    for (int i = 0; i < cell.job.workers; i++)
        if (role < 0 || cell.seat[i].worker.role == role)
            assert_int_equal(pthread_create(&cell.seat[i].os, NULL, seat_main, &cell.seat[i]), 0);
}

/* Until each worker of the first role has made so many steps, or one has failed. */
static void wait_for_steps(int steps)
{
    for (int i = 0; i < cell.job.workers; i++)
        while (cell.seat[i].worker.role == 0 && steps_of(&cell.seat[i]) < steps && !failed())
            sched_yield();
}

static void interrupt(void)
{
    if (cell.workload->interrupt)
        cell.workload->interrupt(&cell.job);
}

/* Returns attached, with counts quiesced. */
static void join_workers(void)
{
    for (int i = 0; i < cell.job.workers; i++)
        if (cell.seat[i].os)
            pthread_join(cell.seat[i].os, NULL);
    for (int i = 0; i < cell.job.workers; i++)
        if (cell.seat[i].worker.role == 0)
            cell.ops += cell.seat[i].worker.ops;
    thread_attach(&cell.self);
    rc_quiesce();
}

static void stop_workers(void)
{
    atomic_store_explicit(&cell.job.stopping, true, memory_order_relaxed);
    interrupt();
    join_workers();
}

static int cell_check(uint64_t ops)
{
    return cell.workload->check ? cell.workload->check(&cell.job, ops) : 0;
}

/* All that the cell has made is gone. */
static void cell_fini(void)
{
    allow_allocations(INT64_MAX);
    if (cell.workload->teardown)
        cell.workload->teardown(&cell.job);
    rc_quiesce();
    rc_finish();
    thread_stop(&cell.self);
    gil_delete(cell.gil);
    if (alive)
        fail_msg("%s has left %lld objects", cell.name, (long long)alive);
    assert_int_equal(world_threads(), 0);
}

static void expect_no_errors(void)
{
    for (int i = 0; i < cell.job.workers; i++)
        if (cell.seat[i].error[0])
            fail_msg("%s: %s %d: %s", cell.name, cell.seat[i].role->name,
                     cell.seat[i].worker.index, cell.seat[i].error);
}

/* Runs the cell that was made up to its check, which is right. */
static void run_to_check(int steps)
{
    if (cell_setup() < 0)
        fail_msg("%s: setup: %s", cell.name, cell.error);
    start_workers(-1);
    wait_for_steps(steps);
    stop_workers();
    expect_no_errors();
    if (cell_check(cell.ops) < 0) {
        take_error(cell.error);
        fail_msg("%s: check: %s", cell.name, cell.error);
    }
}

static void run_cell(const struct named_workload *w, int threads, int64_t parameter)
{
    cell_init(w, threads);
    if (parameter >= 0)
        cell.job.param[0] = parameter;
    run_to_check(STEPS);
}

/* What each role counted, and recorded if it is one that records. */
static void expect_counts(void)
{
    const struct seat *first = &cell.seat[0];

    /* A step of who is counted elsewhere is only a look; the last may have been interrupted. */
    if (cell.ops + 1 < (uint64_t)steps_of(first) && !first->worker.ops_elsewhere)
        fail_msg("%s: %llu operations in %d steps", cell.name, (unsigned long long)cell.ops,
                 steps_of(first));
    for (int i = 0; i < cell.job.workers; i++) {
        const struct seat *s = &cell.seat[i];

        assert_int_equal(s->latency.count, s->role->records_latency ? s->worker.ops : 0);
    }
}

static void test_every_workload_is_right(void **state)
{
    (void)state;
    for (const struct named_workload *w = list; w->name; w++) {
        int files = open_files();

        for (int threads = w->workload->least_threads; threads <= THREADS;
             threads += threads ? 2 : 1) {
            run_cell(w, threads, -1);
            expect_counts();
            cell_fini();
        }
        assert_int_equal(open_files(), files);
    }
}

/* A parameter that is 0 or 1 and nothing between, as the other of the two. */
static void test_every_workload_is_right_with_a_switch_turned(void **state)
{
    (void)state;
    for (const struct named_workload *w = list; w->name; w++)
        for (int i = 0; i < PARAM_MAX; i++) {
            const struct param *p = &w->workload->param[i];

            if (!p->name || p->least != 0 || p->most != 1)
                continue;
            cell_init(w, 2);
            cell.job.param[i] = !p->standard;
            run_to_check(STEPS);
            cell_fini();
        }
}

static const struct named_workload *find(const char *name)
{
    const struct named_workload *w = list;

    while (strcmp(w->name, name) != 0)
        w++;
    return w;
}

/* A few steps do not end a simulation, and only its end has an answer. */
static void test_richards_ends_right(void **state)
{
    (void)state;
    cell_init(find("richards"), 2);
    run_to_check(64);
    cell_fini();
}

static void test_cpu_fraction_from_all_cpu_to_all_waiting(void **state)
{
    (void)state;
    for (int waits_percent = 0; waits_percent <= 100; waits_percent += 100) {
        run_cell(find("cpu_fraction"), 2, waits_percent);
        cell_fini();
    }
}

/* Those that make another workload of it, and are no switches. */
static void test_with_other_parameters(void **state)
{
    static const struct {
        const char *name;
        int64_t parameter;
    } cases[] = {
        { "binary_trees", 0 }, { "blocked_owner", 1 }, { "blocked_owner", 1000 }, { "config", 0 },
        { "config", 1 }, { "create_run_drop", 1 }, { "create_run_drop", 11 }, { "delegation", 1 },
        { "delegation", 100 }, { "echo_open", 100000 }, { "ping", 0 }, { "ring_generator", 1 },
        { "ring_greenlet", 1 }, { "ring_stackful", 1 }, { "ring_task", 1 }, { "ring_thread", 1 },
        { "wake_up", 100 },
    };

    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        run_cell(find(cases[i].name), 3, cases[i].parameter);
        cell_fini();
    }
}

/* None, some and all of them. */
static void test_timers_are_cancelled_as_many_as_are_asked_for(void **state)
{
    (void)state;
    for (int percent = 0; percent <= 100; percent += 50) {
        cell_init(find("timers"), 2);
        cell.job.param[1] = percent;
        run_to_check(STEPS);
        cell_fini();
    }
}

static uint64_t ops_of(const struct seat *s)
{
    return atomic_load_explicit(&s->worker.ops, memory_order_relaxed);
}

/* Twice, for it begins anew when it has got there. */
static void test_nbody_has_the_known_energy_after_1000_advances(void **state)
{
    (void)state;
    cell_init(find("nbody"), 1);
    assert_int_equal(cell_setup(), 0);
    start_workers(-1);
    while (ops_of(&cell.seat[0]) < 2000 && !failed())
        sched_yield();
    stop_workers();
    expect_no_errors();
    cell_fini();
}

/* What is held back while the owner is blocked: everything, or at most 1 %, as the policy
 * says of itself. (One that may be later than the next safe point holds back for other
 * reasons, too.) Three times three steps are three rounds. */
static void test_a_blocked_owner_holds_back_what_the_policy_says(void **state)
{
    enum { OBJECTS = 192 };

    (void)state;
    run_cell(find("blocked_owner"), 3, OBJECTS);
    assert_int_equal(cell.job.handed_over, OBJECTS);
    if (RC_LATE_DETACHED)
        assert_int_equal(cell.job.held_back, OBJECTS);
    else if (RC_LATE_SAFEPOINTS <= 1)
        assert_in_range(cell.job.held_back, 0, OBJECTS / 100);
    cell_fini();
}

/* Where the answer is a number of operations, one more or less is wrong. */
static void test_check_refuses_a_wrong_number(void **state)
{
    (void)state;
    run_cell(find("last_words"), 2, -1);
    assert_int_equal(cell_check(cell.ops + 1), -1);
    assert_int_equal(cell_check(cell.ops - 1), -1);
    cell_fini();
    run_cell(find("queue"), 2, -1);
    assert_int_equal(cell_check(cell.ops + 1), -1);
    assert_int_equal(cell_check(cell.ops - 1), -1);
    cell_fini();
    run_cell(find("blocked_owner"), 2, -1);
    assert_int_equal(cell_check(cell.ops + 1), -1);
    assert_int_equal(cell_check(cell.ops - 1), -1);
    cell_fini();
    run_cell(find("cycles"), 2, -1);
    assert_int_equal(cell_check(cell.ops + 1), -1);
    assert_int_equal(cell_check(cell.ops - 1), -1);
    cell_fini();
    run_cell(find("create_run_drop"), 2, -1);
    assert_int_equal(cell_check(cell.ops + 1), -1);
    assert_int_equal(cell_check(cell.ops - 1), -1);
    cell_fini();
    run_cell(find("wake_up"), 2, -1);
    assert_int_equal(cell_check(cell.ops + 100), -1);
    cell_fini();
    run_cell(find("echo"), 2, -1);
    assert_int_equal(cell_check(cell.ops + 3), -1);
    assert_int_equal(cell_check(cell.ops - 3), -1);
    cell_fini();
    run_cell(find("http"), 2, -1);
    assert_int_equal(cell_check(cell.ops + 3), -1);
    assert_int_equal(cell_check(cell.ops - 3), -1);
    cell_fini();
    run_cell(find("fetch_many"), 2, -1);
    assert_int_equal(cell_check(cell.ops + 1), -1);
    assert_int_equal(cell_check(cell.ops - 1), -1);
    cell_fini();
    run_cell(find("echo_spin"), 0, -1);
    assert_int_equal(cell_check(cell.ops + 2), -1);
    assert_int_equal(cell_check(cell.ops - 2), -1);
    cell_fini();
}

/* Alone, dict_count loses nothing and says so; with others it may, but finds no more
 * updates than were made. */
static void test_dict_count_reports_what_is_lost(void **state)
{
    (void)state;
    run_cell(find("dict_count"), 1, -1);
    assert_int_equal(cell.job.lost, 0);
    assert_int_equal(cell_check(cell.ops + 1), -1);
    cell_fini();
    run_cell(find("dict_count"), 3, -1);
    if (RC_NEEDS_GIL)
        assert_int_equal(cell.job.lost, 0);
    assert_true(cell.job.lost < cell.ops);
    assert_int_equal(cell_check(cell.ops - cell.job.lost - 1), -1);
    cell_fini();
}

static bool is_waiting(struct seat *s)
{
    return atomic_load_explicit(&s->thread.state, memory_order_relaxed) == THREAD_DETACHED &&
           world_threads() == 1 + THREADS;
}

/* One role alone: clients that nobody answers, servers that nobody asks. */
static void start_blocked(const struct named_workload *w, int role)
{
    int started = 0;

    cell_init(w, THREADS);
    assert_int_equal(cell_setup(), 0);
    start_workers(role);
    for (int i = 0; i < cell.job.workers; i++)
        started += cell.seat[i].os != 0;
    assert_int_equal(started, THREADS);
    for (int i = 0; i < cell.job.workers; i++)
        while (cell.seat[i].os && !is_waiting(&cell.seat[i]))
            sched_yield();
}

static void test_interrupt_ends_workers_that_wait(void **state)
{
    static const struct {
        const char *name;
        int role;
    } cases[] = {
        { "echo", 0 }, { "echo", 1 }, { "queue", 0 }, { "queue", 1 }, { "blocked_owner", 0 },
        { "wake_up", 0 }, { "wake_up", 1 }, { "echo_served", 1 }, { "http", 1 },
    };

    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        start_blocked(find(cases[i].name), cases[i].role);
        atomic_store_explicit(&cell.job.stopping, true, memory_order_relaxed);
        interrupt();
        interrupt();
        join_workers();
        expect_no_errors();
        cell_fini();
    }
}

/* Sites that will not answer in an hour: nobody waits for them, and what has not come is no answer. */
static void test_slow_sites_are_left_alone_at_the_end(void **state)
{
    const struct named_workload *w = find("fetch_many");
    int delay = 0;

    (void)state;
    while (strcmp(w->workload->param[delay].name, "delay_us") != 0)
        delay++;
    cell_init(w, THREADS);
    cell.job.param[delay] = w->workload->param[delay].most;
    assert_int_equal(cell_setup(), 0);
    start_workers(-1);
    for (int i = 0; i < cell.job.workers; i++)
        while (!is_waiting(&cell.seat[i]))
            sched_yield();
    stop_workers();
    expect_no_errors();
    assert_int_equal(cell.ops, 0);
    assert_int_equal(cell_check(cell.ops), 0);
    cell_fini();
}

/* More connections than the sites can have, or than there may be descriptors: it is said. */
static void test_too_many_sites_are_refused(void **state)
{
    (void)state;
    cell_init(find("fetch_many"), 1);
    cell.job.threads = 10000;
    assert_int_equal(cell_setup(), -1);
    assert_non_null(strstr(cell.error, "OSError: 50000 connections"));
    cell_fini();
}

/* Or one of its kinds: who writes and who reads are told differently. */
static bool is_os_error(const char *text)
{
    return !strncmp(text, "OSError:", 8) || !strncmp(text, "BrokenPipeError:", 16) ||
           !strncmp(text, "ConnectionResetError:", 21);
}

/* A connection that ends before the window does is an error, and not a fast step. */
static void test_a_lost_connection_is_an_error(void **state)
{
    (void)state;
    for (int role = 0; role < 2; role++) {
        start_blocked(find("echo"), role);
        interrupt();
        join_workers();
        for (int i = 0; i < cell.job.workers; i++)
            if (cell.seat[i].os && !is_os_error(cell.seat[i].error))
                fail_msg("echo: %s", cell.seat[i].error);
        cell_fini();
    }
}

static void limit_files(rlim_t limit)
{
    struct rlimit files;

    assert_int_equal(getrlimit(RLIMIT_NOFILE, &files), 0);
    files.rlim_cur = limit;
    assert_int_equal(setrlimit(RLIMIT_NOFILE, &files), 0);
}

/* Whichever socket cannot be opened: it is said, and all that were are closed once. */
static void test_setup_closes_what_it_opened(void **state)
{
    int files = open_files(), failures = 0, successes = 0;
    struct rlimit before;

    (void)state;
    assert_int_equal(getrlimit(RLIMIT_NOFILE, &before), 0);
    for (rlim_t limit = 3; limit < 40 && !successes; limit++) {
        cell_init(find("echo"), THREADS);
        limit_files(limit);
        if (cell_setup() < 0) {
            failures++;
            assert_memory_equal(cell.error, "OSError", 7);
        } else {
            successes++;
        }
        limit_files(before.rlim_cur);
        cell_fini();
        assert_int_equal(open_files(), files);
    }
    assert_true(failures >= 2 * THREADS);
    assert_int_equal(successes, 1);
}

/* With memory for `count` objects only. True if something failed: MemoryError. */
static bool run_short_of_memory(const struct named_workload *w, int64_t count)
{
    const char *error = cell.error;

    cell_init(w, w->workload->least_threads > 1 ? w->workload->least_threads : 1);
    allow_allocations(count);
    if (cell_setup() == 0) {
        start_workers(-1);
        wait_for_steps(STEPS);
        stop_workers();
    }
    for (int i = 0; i < cell.job.workers && !*error; i++)
        error = cell.seat[i].error;
    if (*error && strncmp(error, "MemoryError", 11) != 0)
        fail_msg("%s: %s", w->name, error);
    return *error;
}

/* Each allocation of setup and begin fails once, and of those of the steps some. */
static int64_t more_memory(int64_t count)
{
    return count < 48 || !cell.seat[0].began ? count + 1 : count + count / 8;
}

static bool makes_no_objects(const struct named_workload *w)
{
    return strcmp(w->name, "empty") == 0 || strcmp(w->name, "baton") == 0 ||
           strcmp(w->name, "echo_bare") == 0 || strcmp(w->name, "echo_served") == 0 ||
           strcmp(w->name, "file") == 0; /* a thread's own record */
}

static void test_no_memory_is_an_error_and_leaves_nothing(void **state)
{
    (void)state;
    for (const struct named_workload *w = list; w->name; w++) {
        int64_t count = 0;

        while (count < ALLOCATIONS_MOST && run_short_of_memory(w, count)) {
            count = more_memory(count);
            cell_fini();
        }
        if (count < ALLOCATIONS_MOST)
            cell_fini(); /* enough for three steps */
        if (count == 0 && !makes_no_objects(w))
            fail_msg("%s: makes no objects", w->name);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_every_workload_is_right),
        cmocka_unit_test(test_every_workload_is_right_with_a_switch_turned),
        cmocka_unit_test(test_richards_ends_right),
        cmocka_unit_test(test_cpu_fraction_from_all_cpu_to_all_waiting),
        cmocka_unit_test(test_with_other_parameters),
        cmocka_unit_test(test_timers_are_cancelled_as_many_as_are_asked_for),
        cmocka_unit_test(test_nbody_has_the_known_energy_after_1000_advances),
        cmocka_unit_test(test_a_blocked_owner_holds_back_what_the_policy_says),
        cmocka_unit_test(test_check_refuses_a_wrong_number),
        cmocka_unit_test(test_dict_count_reports_what_is_lost),
        cmocka_unit_test(test_interrupt_ends_workers_that_wait),
        cmocka_unit_test(test_slow_sites_are_left_alone_at_the_end),
        cmocka_unit_test(test_too_many_sites_are_refused),
        cmocka_unit_test(test_a_lost_connection_is_an_error),
        cmocka_unit_test(test_setup_closes_what_it_opened),
        cmocka_unit_test(test_no_memory_is_an_error_and_leaves_nothing),
    };

    heap = &counted_heap;
    alarm(TIMEOUT_S); /* a worker that never ends ends the program */
    return cmocka_run_group_tests_name("workloads", tests, NULL, NULL);
}
