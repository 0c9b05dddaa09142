/* test_isolated.c - each isolated workload as several jobs at once, in one process.
 *
 * Each job belongs to an interpreter of its own: a lock, a register and a collector. Under
 * policies whose counts need a lock, two threads that count one object under two locks are a data
 * race, which TSan sees; without it a wrong count is what the workloads' own checks find.
 */
#include "benches/workload.h"
#include "gil/gil.h"
#include "objects/exception.h"
#include "objects/heap.h"
#include "objects/interpreter.h"
#include "objects/object.h"
#include "objects/reclaim.h"

#include <pthread.h>
#include <sched.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

enum { JOBS = 2, THREADS = 2, WORKERS_MAX = 8, STEPS = 3, TEXT_BYTES = 160, TIMEOUT_S = 120 };

#define WORKLOAD(name) extern const struct workload workload_##name;
#include "gen/workloads.h"
#undef WORKLOAD
static const struct named_workload list[] = {
#define WORKLOAD(name) { #name, &workload_##name },
#include "gen/workloads.h"
#undef WORKLOAD
    { NULL, NULL },
};

struct seat {
    struct worker worker;
    struct thread thread;
    struct share *share;
    const struct role *role;
    pthread_t os;
    _Atomic int steps;
    char error[TEXT_BYTES]; /* "" if it did not fail */
};

/* A job, and what it runs under. */
struct share {
    const struct named_workload *named;
    struct gil *gil;
    struct job job;
    struct seat seat[WORKERS_MAX];
    uint64_t ops;
};

static struct share share[JOBS];
static _Atomic bool failed;

static void take_error(char *text)
{
    struct object *e = exception_take();

    snprintf(text, TEXT_BYTES, "%s: %s", e ? type_of(e)->name : "nothing is pending",
             e ? exception_message(e) : "");
    xdecref(e);
}

static int step_until_stopped(struct seat *s)
{
    int result = 0;

    while (result == 0 && !atomic_load_explicit(&s->share->job.stopping, memory_order_relaxed)) {
        result = s->role->step(&s->worker);
        atomic_fetch_add_explicit(&s->steps, 1, memory_order_relaxed);
    }
    return result;
}

static int work(struct seat *s)
{
    int result = s->role->begin ? s->role->begin(&s->worker) : 0;

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
    if (thread_start(&s->thread, s->share->gil, &object_hooks) < 0)
        abort();
    if (work(s) < 0) {
        take_error(s->error);
        atomic_store_explicit(&failed, true, memory_order_relaxed);
    }
    if (s->role->end)
        s->role->end(&s->worker);
    thread_stop(&s->thread);
    return NULL;
}

static void lay_out_role(struct share *sh, int number)
{
    const struct role *role = &sh->named->workload->roles[number];

    for (int i = 0; i < role->fixed + role->per_thread * sh->job.threads; i++) {
        struct seat *s = &sh->seat[sh->job.workers++];

        assert_in_range(sh->job.workers, 1, WORKERS_MAX);
        s->share = sh;
        s->role = role;
        s->worker = (struct worker){ .thread = &s->thread, .job = &sh->job, .role = number,
                                     .index = i, .random = 88172645463325252u + (uint64_t)i };
    }
}

static void lay_out(struct share *sh, const struct named_workload *w, int threads)
{
    const struct named_gil *lock = gil_list;

    while (strcmp(lock->name, RC_NEEDS_GIL ? "interval" : "none") != 0)
        lock++;
    memset(sh, 0, sizeof *sh);
    sh->named = w;
    sh->job.workload = w->workload;
    sh->job.threads = threads;
    for (int i = 0; i < PARAM_MAX; i++)
        sh->job.param[i] = w->workload->param[i].standard;
    for (int r = 0; r < ROLE_MAX && w->workload->roles[r].name; r++)
        lay_out_role(sh, r);
    sh->gil = gil_new(lock->class, NULL);
    assert_non_null(sh->gil);
    assert_int_equal(interpreter_begin(sh->gil), 0);
}

/* The calling thread in the share's interpreter for a while. */
static void enter(struct share *sh, struct thread *self)
{
    *self = (struct thread){ .locks_containers = !RC_NEEDS_GIL };
    assert_int_equal(thread_start(self, sh->gil, &object_hooks), 0);
}

static void fail_share(const struct share *sh, const char *where, const char *error)
{
    fail_msg("%s: %s: %s", sh->named->name, where, error);
}

static void set_up(struct share *sh)
{
    struct thread self;
    char error[TEXT_BYTES];

    enter(sh, &self);
    if (sh->named->workload->setup && sh->named->workload->setup(&sh->job) < 0) {
        take_error(error);
        fail_share(sh, "setup", error);
    }
    thread_stop(&self);
}

static void start_workers(struct share *sh)
{
    for (int i = 0; i < sh->job.workers; i++)
        assert_int_equal(pthread_create(&sh->seat[i].os, NULL, seat_main, &sh->seat[i]), 0);
}

static void wait_for_steps(const struct share *sh)
{
    for (int i = 0; i < sh->job.workers; i++)
        while (sh->seat[i].worker.role == 0 &&
               atomic_load_explicit(&sh->seat[i].steps, memory_order_relaxed) < STEPS &&
               !atomic_load_explicit(&failed, memory_order_relaxed))
            sched_yield();
}

static void stop(struct share *sh)
{
    atomic_store_explicit(&sh->job.stopping, true, memory_order_relaxed);
    if (sh->named->workload->interrupt)
        sh->named->workload->interrupt(&sh->job);
}

static void join(struct share *sh)
{
    for (int i = 0; i < sh->job.workers; i++) {
        struct seat *s = &sh->seat[i];

        pthread_join(s->os, NULL);
        if (s->error[0])
            fail_share(sh, s->role->name, s->error);
        if (s->worker.role == 0)
            sh->ops += s->worker.ops;
    }
}

static void settle(void)
{
    rc_quiesce();
    reclaim_all();
}

static void check(struct share *sh)
{
    const struct workload *w = sh->named->workload;
    struct thread self;
    char error[TEXT_BYTES];

    enter(sh, &self);
    settle();
    if (w->check && w->check(&sh->job, sh->ops) < 0) {
        take_error(error);
        fail_share(sh, "check", error);
    }
    if (w->teardown)
        w->teardown(&sh->job);
    settle();
    thread_stop(&self);
    interpreter_end(sh->gil);
    gil_delete(sh->gil);
}

/* All jobs' workers run at the same time. */
static void run(const struct named_workload *w, int threads)
{
    for (int i = 0; i < JOBS; i++)
        lay_out(&share[i], w, threads);
    for (int i = 0; i < JOBS; i++)
        set_up(&share[i]);
    for (int i = 0; i < JOBS; i++)
        start_workers(&share[i]);
    for (int i = 0; i < JOBS; i++)
        wait_for_steps(&share[i]);
    for (int i = 0; i < JOBS; i++)
        stop(&share[i]);
    for (int i = 0; i < JOBS; i++)
        join(&share[i]);
    for (int i = 0; i < JOBS; i++)
        check(&share[i]);
}

static void test_two_jobs_of_each_isolated_workload(void **state)
{
    int isolated = 0;

    (void)state;
    for (const struct named_workload *w = list; w->name; w++)
        if (w->workload->isolated) {
            run(w, THREADS);
            isolated++;
        }
    assert_true(isolated > 30);
}

/* What is isolated shares no more between its workers than reads. */
static void test_who_writes_what_is_shared_is_not_isolated(void **state)
{
    (void)state;
    for (const struct named_workload *w = list; w->name; w++)
        if (w->workload->isolated)
            assert_true(w->workload->shares == SHARES_NOTHING ||
                        w->workload->shares == SHARES_READS);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_two_jobs_of_each_isolated_workload),
        cmocka_unit_test(test_who_writes_what_is_shared_is_not_isolated),
    };

    alarm(TIMEOUT_S); /* a worker that never ends ends the program */
    return cmocka_run_group_tests_name("isolated", tests, NULL, NULL);
}
