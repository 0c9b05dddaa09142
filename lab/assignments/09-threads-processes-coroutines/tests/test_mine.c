/* test_mine.c - what is asked of the workload of assignment 09.
 *
 * An operation computes for a share of its time and waits for the rest. It is run by a thread, as a
 * greenlet and as a task of a loop, beside somebody who only looks whether he is let run while the
 * operation waits. How much it computes is told by the objects that it makes, not by a clock. The
 * heap counts them, and refuses memory when told to.
 */
#include "benches/hosted.h"
#include "coroutines/coroutine.h"
#include "gil/gil.h"
#include "gil/mutex.h"
#include "objects/exception.h"
#include "objects/heap.h"
#include "objects/none.h"

#include <pthread.h>
#include <sched.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include <cmocka.h>

extern const struct workload workload_mine;
extern const struct gil_class gil_interval;
extern const struct heap heap_system;
extern const struct unit unit_coroutine, unit_greenlet;

enum { WAITS_PERCENT, OPERATION_US }; /* its parameters */
enum {
    SHORT_US = 2000,
    LONG_US = 20000,
    OPERATIONS = 5,
    TURNS = 5,
    ALLOCATIONS_MOST = 200,
    TIMEOUT_S = 110
};

/* ---- a heap that counts and fails ---- */

static _Atomic int64_t alive, made;
static _Atomic int64_t failing; /* the how-manieth allocation from now on fails; 0: none */

static void *counted_alloc(size_t size_bytes)
{
    void *memory;

    if (atomic_load_explicit(&failing, memory_order_relaxed) > 0 &&
        atomic_fetch_sub_explicit(&failing, 1, memory_order_relaxed) == 1)
        return NULL;
    memory = heap_system.alloc(size_bytes);
    if (memory)
        atomic_fetch_add_explicit(&alive, 1, memory_order_relaxed);
    atomic_fetch_add_explicit(&made, 1, memory_order_relaxed);
    return memory;
}

static void counted_free(void *memory, size_t size_bytes)
{
    atomic_fetch_sub_explicit(&alive, 1, memory_order_relaxed);
    heap_system.free(memory, size_bytes);
}

static const struct heap counted_heap = {
    .about = "the system's, counted",
    .alloc = counted_alloc,
    .free = counted_free,
};

/* ---- a cell: the thread itself is the worker's carrier ---- */

enum { MINE, LOOKER, SEATS };

static struct {
    struct gil *gil;
    struct thread self;
    struct job job;
    struct carrier carrier;
    struct seat seat[SEATS];
    struct histogram latency;
    _Atomic int phase;
    struct object *error; /* owned; NULL: none. The first */
    _Atomic bool inside;  /* mine is in an operation */
    int operations;       /* that it has ended */
    int looks, most;      /* how often the other ran within this one, and within any */
} cell;

static const struct role *role(void)
{
    return &workload_mine.roles[0];
}

static void begin_operation(void)
{
    cell.looks = 0;
    atomic_store_explicit(&cell.inside, true, memory_order_relaxed);
}

static void end_operation(void)
{
    atomic_store_explicit(&cell.inside, false, memory_order_relaxed);
    cell.most = cell.looks > cell.most ? cell.looks : cell.most;
    if (++cell.operations == OPERATIONS)
        atomic_store_explicit(&cell.phase, PHASE_OVER, memory_order_relaxed);
}

static void look(void)
{
    cell.looks += atomic_load_explicit(&cell.inside, memory_order_relaxed);
}

static void take_error(void)
{
    struct object *e = exception_take();

    if (cell.error)
        xdecref(e);
    else
        cell.error = e;
    atomic_store_explicit(&cell.phase, PHASE_OVER, memory_order_relaxed);
}

static int step_mine(struct worker *w)
{
    int result;

    begin_operation();
    result = role()->step(w);
    end_operation();
    return result;
}

static enum turn await_mine(struct frame *f, enum resume how, borrowed argument,
                            struct object **result)
{
    struct object *operation;

    if (f->at++) {
        end_operation();
        return how == RESUME_THROW ? frame_raise(argument) : frame_return(result);
    }
    begin_operation();
    operation = generator_new(role()->await_step, (borrowed[]){ f->reference[0] }, 1);
    *result = operation ? await_iterator(operation) : NULL;
    xdecref(operation);
    return *result ? TURN_FROM : TURN_ERROR;
}

static int step_looker(struct worker *w)
{
    (void)w;
    look();
    return 0;
}

static const struct body await_mine_body = {
    .name = "mine",
    .kind = COROUTINE,
    .resume = await_mine,
    .references = 1,
};

static const struct role seated[SEATS] = {
    [MINE] = { .name = "mine", .step = step_mine, .await_step = &await_mine_body },
    [LOOKER] = { .name = "looker", .step = step_looker },
};

static void begin_window(struct carrier *c)
{
    (void)c;
    atomic_store_explicit(&cell.phase, PHASE_WINDOW, memory_order_relaxed);
}

static void failed_seat(struct carrier *c, struct seat *s)
{
    (void)c, (void)s;
    take_error();
}

static void job_init(struct job *job, int64_t waits_percent, int64_t operation_us)
{
    *job = (struct job){ .workload = &workload_mine, .threads = 1, .workers = 1 };
    for (int i = 0; i < PARAM_MAX; i++)
        job->param[i] = workload_mine.param[i].standard;
    job->param[WAITS_PERCENT] = waits_percent;
    job->param[OPERATION_US] = operation_us;
}

static struct worker *mine(void)
{
    return &cell.seat[MINE].worker;
}

static void cell_init(int64_t waits_percent, int64_t operation_us)
{
    memset(&cell, 0, sizeof cell);
    job_init(&cell.job, waits_percent, operation_us);
    cell.carrier = (struct carrier){ .job = &cell.job,
                                     .phase = &cell.phase,
                                     .thread = &cell.self,
                                     .seats = SEATS,
                                     .seat = cell.seat,
                                     .ready = begin_window,
                                     .failed = failed_seat,
                                     .latency = { &cell.latency } };
    for (int i = 0; i < SEATS; i++) {
        cell.seat[i].role = &seated[i];
        cell.seat[i].worker = (struct worker){ .thread = &cell.self,
                                               .job = &cell.job,
                                               .carrier = &cell.carrier,
                                               .index = i,
                                               .latency = &cell.latency,
                                               .random = 4711 };
    }
    cell.gil = gil_new(&gil_interval, NULL);
    assert_non_null(cell.gil);
    assert_int_equal(thread_start(&cell.self, cell.gil, &object_hooks), 0);
}

/* 0, or -1 and what is pending is kept. */
static int cell_begin(void)
{
    int result = workload_mine.setup ? workload_mine.setup(&cell.job) : 0;

    if (result == 0 && role()->begin)
        result = role()->begin(mine());
    if (result < 0)
        take_error();
    return result;
}

static void job_fini(struct job *job, struct worker *w)
{
    if (role()->end)
        role()->end(w);
    if (workload_mine.teardown)
        workload_mine.teardown(job);
}

static void cell_fini(void)
{
    atomic_store_explicit(&failing, 0, memory_order_relaxed);
    xdecref(cell.error);
    xdecref(exception_take());
    job_fini(&cell.job, mine());
    rc_quiesce();
    rc_finish();
    thread_stop(&cell.self);
    gil_delete(cell.gil);
    if (alive)
        fail_msg("it has left %lld objects behind", (long long)alive);
}

/* The test fails, and the next begins as if it had not. */
__attribute__((format(printf, 1, 2))) static void fault(const char *format, ...)
{
    char text[200];
    va_list more;

    va_start(more, format);
    vsnprintf(text, sizeof text, format, more);
    va_end(more);
    cell_fini();
    fail_msg("%s", text);
}

static void expect_no_error(void)
{
    if (cell.error)
        fault("it raised %s: %s", type_of(cell.error)->name, exception_message(cell.error));
}

/* One operation of a thread. */
static void operate(struct worker *w)
{
    if (role()->step(w) < 0) {
        take_error();
        expect_no_error();
    }
}

/* OPERATIONS as such a unit, beside the looker. */
static void host(const struct unit *unit)
{
    if (cell_begin() == 0 && unit->host(&cell.carrier) < 0)
        take_error();
}

/* ---- one by one ---- */

static void test_it_says_what_it_is(void **state)
{
    (void)state;
    assert_string_equal(workload_mine.param[WAITS_PERCENT].name, "waits_percent");
    assert_string_equal(workload_mine.param[OPERATION_US].name, "operation_us");
    assert_non_null(role()->step);
    assert_non_null(role()->await_step);
    assert_int_equal(role()->await_step->kind, COROUTINE);
    assert_int_equal(role()->per_thread, 1);
    assert_null(workload_mine.roles[1].name);
    assert_true(workload_mine.shares == SHARES_NOTHING && workload_mine.isolated);
    assert_null(workload_mine.alone);
}

/* What is done is counted, once, when it is done; and how long it took is recorded. */
static void expect_counts(void)
{
    if (worker_ops(mine()) != OPERATIONS || cell.latency.count != OPERATIONS)
        fault("of %d operations it has counted %d, and recorded %d", OPERATIONS,
              (int)worker_ops(mine()), (int)cell.latency.count);
}

static void test_an_operation_is_counted_once(void **state)
{
    (void)state;
    cell_init(50, SHORT_US);
    assert_int_equal(cell_begin(), 0);
    for (int i = 1; i <= OPERATIONS; i++) {
        operate(mine());
        if (worker_ops(mine()) != (uint64_t)i)
            fault("after %d operations it has counted %d", i, (int)worker_ops(mine()));
    }
    expect_counts();
    cell_fini();
}

static void test_an_operation_of_a_greenlet_is_counted_once(void **state)
{
    (void)state;
    cell_init(50, SHORT_US);
    host(&unit_greenlet);
    expect_no_error();
    expect_counts();
    cell_fini();
}

static void test_an_operation_of_a_task_is_counted_once(void **state)
{
    (void)state;
    cell_init(50, SHORT_US);
    host(&unit_coroutine);
    expect_no_error();
    expect_counts();
    cell_fini();
}

/* How many objects one operation makes. */
static int64_t work_of(int64_t waits_percent, int64_t operation_us, const struct unit *unit)
{
    int64_t before;

    cell_init(waits_percent, operation_us);
    if (unit) {
        assert_int_equal(cell_begin(), 0);
        before = made;
        cell.operations = OPERATIONS - 1; /* it is the last */
        if (unit->host(&cell.carrier) < 0)
            take_error();
        expect_no_error();
    } else {
        assert_int_equal(cell_begin(), 0);
        before = made;
        operate(mine());
    }
    before = made - before;
    cell_fini();
    return before;
}

/* Of one that takes twice as long twice as many, of one that waits for half of it half as many. */
static void expect_shares(const struct unit *unit)
{
    int64_t all = work_of(0, LONG_US, unit), half = work_of(50, LONG_US, unit),
            double_all = work_of(0, 2 * LONG_US, unit), none = work_of(100, LONG_US, unit);

    if (all < 500)
        fail_msg("an operation that only computes makes %lld objects", (long long)all);
    if (half < all * 4 / 10 || half > all * 6 / 10)
        fail_msg("%lld objects, and where half of it waits %lld", (long long)all, (long long)half);
    if (double_all < all * 18 / 10 || double_all > all * 22 / 10)
        fail_msg("%lld objects, and in twice the time %lld", (long long)all, (long long)double_all);
    if (none > all / 10)
        fail_msg("%lld objects, and where all of it waits %lld", (long long)all, (long long)none);
}

static void test_an_operation_computes_its_share(void **state)
{
    (void)state;
    expect_shares(NULL);
}

static void test_an_operation_of_a_task_computes_its_share(void **state)
{
    (void)state;
    expect_shares(&unit_coroutine);
}

/* Who is kept from the processor has done less then, and not waited less: no clock says when it
 * is enough. */
static void test_each_operation_computes_the_same(void **state)
{
    int64_t first = 0;

    (void)state;
    cell_init(0, SHORT_US);
    assert_int_equal(cell_begin(), 0);
    for (int i = 0; i < OPERATIONS; i++) {
        int64_t before = made;

        operate(mine());
        if (i && made - before != first)
            fault("one makes %lld objects, the next %lld", (long long)first,
                  (long long)(made - before));
        first = made - before;
    }
    cell_fini();
}

/* No bound from above: that is the kernel's affair. */
static void test_an_operation_waits_its_share(void **state)
{
    (void)state;
    cell_init(100, LONG_US);
    assert_int_equal(cell_begin(), 0);
    for (int i = 0; i < OPERATIONS; i++) {
        uint64_t start_ns = clock_ns();

        operate(mine());
        if (clock_ns() - start_ns < LONG_US * NS_PER_US)
            fault("an operation that waits for all of %d us was over before", LONG_US);
    }
    cell_fini();
}

static void test_an_operation_of_a_task_waits_its_share(void **state)
{
    uint64_t start_ns = clock_ns();

    (void)state;
    cell_init(100, LONG_US);
    host(&unit_coroutine);
    expect_no_error();
    if (clock_ns() - start_ns < (uint64_t)OPERATIONS * LONG_US * NS_PER_US)
        fault("%d operations that wait for all of %d us were over before", OPERATIONS, LONG_US);
    cell_fini();
}

static uint64_t processor_ns(void)
{
    struct timespec t;

    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &t);
    return (uint64_t)t.tv_sec * NS_PER_S + (uint64_t)t.tv_nsec;
}

static void test_an_operation_that_waits_takes_no_processor(void **state)
{
    uint64_t start_ns, took_ns;

    (void)state;
    cell_init(100, LONG_US);
    assert_int_equal(cell_begin(), 0);
    start_ns = processor_ns();
    for (int i = 0; i < OPERATIONS; i++)
        operate(mine());
    took_ns = processor_ns() - start_ns;
    if (took_ns > (uint64_t)OPERATIONS * LONG_US * NS_PER_US / 4)
        fault("of %d ms of waiting it took %d ms of the processor", OPERATIONS * LONG_US / 1000,
              (int)(took_ns / NS_PER_MS));
    cell_fini();
}

/* As in two interpreters, or before and after a fork: each has what it was set up with. */
static void test_two_jobs_have_nothing_in_common(void **state)
{
    struct job waits;
    struct worker other;
    int64_t before, computed, waited;

    (void)state;
    cell_init(0, SHORT_US);
    assert_int_equal(cell_begin(), 0);
    job_init(&waits, 100, SHORT_US);
    other = (struct worker){ .thread = &cell.self, .job = &waits, .carrier = &cell.carrier };
    assert_int_equal(workload_mine.setup(&waits), 0);
    if (role()->begin)
        assert_int_equal(role()->begin(&other), 0);
    before = made;
    operate(mine());
    computed = made - before;
    operate(&other);
    waited = made - before - computed;
    job_fini(&waits, &other);
    if (computed < 50 || waited > computed / 2)
        fault("of two jobs the one that computes makes %lld objects, the one that waits %lld",
              (long long)computed, (long long)waited);
    cell_fini();
}

/* ---- in company ---- */

static void *works(void *argument)
{
    struct thread self = { 0 };
    struct worker *w = argument;

    if (thread_start(&self, cell.gil, &object_hooks) < 0)
        abort();
    w->thread = &self;
    while (atomic_load_explicit(&cell.phase, memory_order_relaxed) != PHASE_OVER)
        if (step_mine(w) < 0)
            take_error();
    thread_stop(&self);
    return NULL;
}

/* Whoever waits for the lock has it while the operation waits, time and again: a safe point lets
 * him in once. */
static void test_while_a_thread_waits_another_has_the_lock(void **state)
{
    pthread_t os;

    (void)state;
    cell_init(100, LONG_US);
    assert_int_equal(cell_begin(), 0);
    thread_detach(&cell.self);
    assert_int_equal(pthread_create(&os, NULL, works, mine()), 0);
    while (atomic_load_explicit(&cell.phase, memory_order_relaxed) != PHASE_OVER) {
        thread_attach(&cell.self);
        look();
        thread_detach(&cell.self);
        sched_yield();
    }
    pthread_join(os, NULL);
    thread_attach(&cell.self);
    expect_no_error();
    if (cell.most < TURNS)
        fault("while it waited another thread had the lock %d times", cell.most);
    cell_fini();
}

static void expect_looks(const struct unit *unit, const char *who)
{
    cell_init(100, LONG_US);
    host(unit);
    expect_no_error();
    if (cell.most < TURNS)
        fault("while it waited another %s of its thread had %d turns", who, cell.most);
    cell_fini();
}

static void test_while_a_greenlet_waits_others_run(void **state)
{
    (void)state;
    expect_looks(&unit_greenlet, "greenlet");
}

static void test_while_a_task_waits_others_run(void **state)
{
    (void)state;
    expect_looks(&unit_coroutine, "task");
}

/* Two threads, each with a worker of one job, which computes. */
static void test_two_threads_compute_beside_each_other(void **state)
{
    pthread_t os;

    (void)state;
    cell_init(50, SHORT_US);
    assert_int_equal(cell_begin(), 0);
    cell.seat[LOOKER].worker.latency = NULL;
    if (role()->begin)
        assert_int_equal(role()->begin(&cell.seat[LOOKER].worker), 0);
    thread_detach(&cell.self);
    assert_int_equal(pthread_create(&os, NULL, works, mine()), 0);
    thread_attach(&cell.self);
    for (int i = 0; i < OPERATIONS; i++)
        operate(&cell.seat[LOOKER].worker);
    thread_detach(&cell.self);
    pthread_join(os, NULL);
    thread_attach(&cell.self);
    if (role()->end)
        role()->end(&cell.seat[LOOKER].worker);
    expect_no_error();
    expect_counts();
    assert_int_equal(worker_ops(&cell.seat[LOOKER].worker), OPERATIONS);
    cell_fini();
}

static enum step send_none(struct object *g, struct object **result)
{
    struct object *nothing = none();
    enum step step = generator_send(g, nothing, result);

    decref(nothing);
    return step;
}

/* What is thrown into a task that waits, as when it is cancelled, is what it ends with. */
static void cancel_operation(struct object *operation)
{
    struct object *got = NULL;
    enum step step = send_none(operation, &got);

    if (step == STEP_ERROR)
        return;
    decref(got);
    if (step == STEP_RETURN) {
        exception_set(&runtime_error, "a task was at its end before it had waited");
        return;
    }
    exception_set(&value_error, "cancelled");
    if (generator_throw(operation, exception_take(), &got) != STEP_ERROR) {
        decref(got);
        exception_set(&runtime_error, "a task that was cancelled went on");
    } else if (exception_matches(&value_error)) {
        xdecref(exception_take());
    }
}

static enum turn cancel(struct frame *f, enum resume how, borrowed argument, struct object **result)
{
    struct object *operation =
        generator_new(role()->await_step, (borrowed[]){ f->reference[0] }, 1);

    (void)how, (void)argument;
    assert_non_null(operation);
    cancel_operation(operation);
    decref(operation);
    atomic_store_explicit(&cell.phase, PHASE_OVER, memory_order_relaxed);
    return exception_pending() ? TURN_ERROR : frame_return(result);
}

static const struct body cancel_body = {
    .name = "cancel",
    .kind = COROUTINE,
    .resume = cancel,
    .references = 1,
};

static const struct role cancelling = { .name = "mine", .await_step = &cancel_body };

static void test_a_task_that_is_cancelled_gives_up(void **state)
{
    (void)state;
    cell_init(100, LONG_US);
    cell.seat[MINE].role = &cancelling;
    host(&unit_coroutine);
    expect_no_error();
    if (worker_ops(mine()))
        fault("an operation that was cancelled is counted");
    cell_fini();
}

/* ---- no memory ---- */

/* The n-th allocation fails. True: it was asked for; what came of it is MemoryError, or nothing. */
static bool run_short(int64_t n, const struct unit *unit)
{
    bool asked;

    cell_init(50, 10);
    atomic_store_explicit(&failing, n, memory_order_relaxed);
    if (unit)
        host(unit);
    else if (cell_begin() == 0 && role()->step(mine()) < 0)
        take_error();
    asked = atomic_load_explicit(&failing, memory_order_relaxed) == 0;
    if (exception_pending())
        fault("allocation %lld failed: it goes on, and an exception is pending", (long long)n);
    if (cell.error && type_of(cell.error) != &memory_error)
        fault("allocation %lld failed: %s: %s", (long long)n, type_of(cell.error)->name,
              exception_message(cell.error));
    cell_fini();
    return asked;
}

static void test_no_memory_is_said_and_leaves_nothing(void **state)
{
    static const struct unit *const units[] = { NULL, &unit_coroutine };

    (void)state;
    for (int i = 0; i < 2; i++) {
        int64_t n = 1;

        while (n < ALLOCATIONS_MOST && run_short(n, units[i]))
            n += 1 + n / 16;
        assert_true(n > 3);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_it_says_what_it_is),
        cmocka_unit_test(test_an_operation_is_counted_once),
        cmocka_unit_test(test_an_operation_of_a_greenlet_is_counted_once),
        cmocka_unit_test(test_an_operation_of_a_task_is_counted_once),
        cmocka_unit_test(test_each_operation_computes_the_same),
        cmocka_unit_test(test_an_operation_computes_its_share),
        cmocka_unit_test(test_an_operation_of_a_task_computes_its_share),
        cmocka_unit_test(test_an_operation_waits_its_share),
        cmocka_unit_test(test_an_operation_of_a_task_waits_its_share),
        cmocka_unit_test(test_an_operation_that_waits_takes_no_processor),
        cmocka_unit_test(test_two_jobs_have_nothing_in_common),
        cmocka_unit_test(test_while_a_thread_waits_another_has_the_lock),
        cmocka_unit_test(test_while_a_greenlet_waits_others_run),
        cmocka_unit_test(test_while_a_task_waits_others_run),
        cmocka_unit_test(test_two_threads_compute_beside_each_other),
        cmocka_unit_test(test_a_task_that_is_cancelled_gives_up),
        cmocka_unit_test(test_no_memory_is_said_and_leaves_nothing),
    };

    heap = &counted_heap;
    alarm(TIMEOUT_S);
    return cmocka_run_group_tests_name("assignment 09", tests, NULL, NULL);
}
