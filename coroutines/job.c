/* job.c - states of a job, who waits for it, and who is called when it is done.
 *
 * Each job has a lock of a byte, held for a few instructions: while it is held nothing is
 * destroyed, called or waited for. What is told and called is done after it:
 *
 *   1. The state changes under the lock, and from CANCELLED on nothing is added to the list
 *      of callbacks. So whoever makes it done takes that list whole, and calls each once.
 *   2. A follower is told under the lock, and taken off the list in the same step. So after
 *      job_unfollow it is neither on the list nor being told, and may be gone.
 *   3. The outcome is written before FINISHED is stored with release, and never changes. So
 *      who has loaded FINISHED with acquire reads it without the lock.
 *   4. `function` and the arguments are read by the thread that runs the job, alone: a queue
 *      gives a job to one thread.
 *   5. Whether a program's callback follows is known in the step that makes the job done (1):
 *      who adds one later calls it itself.
 */
#include "coroutines/job.h"

#include "coroutines/deadlock.h"
#include "objects/collector.h"
#include "objects/exception.h"
#include "objects/function.h"
#include "objects/none.h"

#include <assert.h>
#include <inttypes.h>
#include <stdio.h>

static _Atomic(job_error *) told_of_errors;

void job_tell_errors(job_error *tell)
{
    atomic_store_explicit(&told_of_errors, tell, memory_order_release);
}

void job_report(const char *what, borrowed job)
{
    job_error *tell = atomic_load_explicit(&told_of_errors, memory_order_acquire);
    struct object *e = exception_take();

    if (tell && e)
        tell(what, job, e);
    xdecref(e);
}

/* ---- the object ---- */

static size_t size_for(size_t count)
{
    return sizeof(struct job_object) + count * sizeof(struct object *);
}

static size_t job_size(borrowed o)
{
    return size_for(as_job(o)->count);
}

/* It outlives the function: neither copies it. */
static const char *name_of(borrowed function)
{
    return type_of(function) == &function_type ? function_name(function) : type_of(function)->name;
}

struct object *job_new(borrowed function, borrowed const *arguments, size_t count, uint32_t spin)
{
    struct job_object *j = (struct job_object *)container_new(&job_type, size_for(count));

    if (!j)
        return NULL;
    atomic_init(&j->state, JOB_PENDING);
    bytelock_init(&j->lock);
    j->failed = false;
    j->count = (uint16_t)count;
    j->spin = spin;
    j->outcome = NULL;
    j->function = function ? incref(function) : NULL;
    atomic_init(&j->name, function ? name_of(function) : NULL);
    j->followers = NULL;
    j->notices = NULL;
    j->end = &j->notices;
    atomic_init(&j->staff, NULL);
    atomic_init(&j->hand, NULL);
    for (size_t i = 0; i < count; i++)
        j->argument[i] = incref(arguments[i]);
    publish(&j->head);
    return &j->head;
}

void job_drop_call(borrowed job)
{
    struct job_object *j = as_job(job);
    struct object *function = j->function;

    if (!function)
        return;
    j->function = NULL;
    atomic_store_explicit(&j->name, NULL, memory_order_relaxed);
    for (int i = 0; i < j->count; i++) {
        struct object *argument = j->argument[i];

        j->argument[i] = NULL;
        decref(argument);
    }
    decref(function);
}

static void end_all(struct job_notice *first, borrowed job /* may be NULL */)
{
    while (first) {
        struct job_notice *next = first->next;

        first->end(first, job);
        first = next;
    }
}

/* Nobody else can reach it. */
static void job_clear(struct object *o)
{
    struct job_object *j = as_job(o);
    struct object *outcome = j->outcome;
    struct job_notice *notices = j->notices;

    j->outcome = NULL;
    j->notices = NULL;
    j->end = &j->notices;
    job_drop_call(o);
    end_all(notices, NULL);
    xdecref(outcome);
}

static void job_traverse(borrowed o, void (*visit)(borrowed held, void *argument), void *argument)
{
    const struct job_object *j = as_job(o);

    if (j->function)
        visit(j->function, argument);
    for (int i = 0; i < j->count; i++)
        if (j->argument[i])
            visit(j->argument[i], argument);
    if (j->outcome)
        visit(j->outcome, argument);
    for (const struct job_notice *n = j->notices; n; n = n->next)
        visit(n->held, argument);
}

static void job_repr(borrowed o, char *text, size_t size_bytes)
{
    static const char *const said[] = { "pending", "running", "cancelled", "cancelled",
                                        "finished" };
    enum job_state state = job_state(o);
    char outcome[80] = "";

    if (state == JOB_FINISHED)
        snprintf(outcome, sizeof outcome, " %s %s", as_job(o)->failed ? "raised" : "returned",
                 type_of(as_job(o)->outcome)->name);
    snprintf(text, size_bytes, "<Future at %#" PRIxPTR " state=%s%s>", (uintptr_t)o, said[state],
             outcome);
}

const struct type job_type = {
    .name = "Future", .size_of = job_size, .destroy = job_clear, .clear = job_clear,
    .traverse = job_traverse, .repr = job_repr,
};

/* ---- who is told ---- */

/* Under the lock. */
static void set_state(struct job_object *j, enum job_state state)
{
    atomic_store_explicit(&j->state, state, memory_order_release);
}

static enum job_state locked_state(const struct job_object *j)
{
    return atomic_load_explicit(&j->state, memory_order_relaxed);
}

static bool concerns(const struct follower *f, enum job_state state)
{
    return state >= (f->of_result ? JOB_CANCELLED : JOB_CANCELLED_AND_NOTIFIED);
}

/* Under the lock; NULL: none is to be told any more. */
static struct follower *take_follower(struct job_object *j)
{
    struct follower **link = &j->followers, *f;

    while (*link && !concerns(*link, locked_state(j)))
        link = &(*link)->next;
    f = *link;
    if (f)
        *link = f->next;
    return f;
}

/* One after the other, as each must be woken without the lock. */
static void tell_followers(struct job_object *j)
{
    struct follower *f;

    do {
        _Atomic uint32_t *word = NULL;
        bool sleeps = false;

        bytelock_lock(&j->lock);
        f = take_follower(j);
        if (f)
            word = f->tell(f, j->failed);
        if (word)
            sleeps = block_mark(word);
        bytelock_unlock(&j->lock);
        if (sleeps)
            block_wake(word);
    } while (f);
}

bool job_follow(borrowed job, struct follower *f)
{
    struct job_object *j = as_job(job);
    struct follower **link = &j->followers;
    bool follows;

    f->next = NULL;
    bytelock_lock(&j->lock);
    follows = !concerns(f, locked_state(j));
    if (follows) {
        while (*link)
            link = &(*link)->next;
        *link = f;
    }
    bytelock_unlock(&j->lock);
    return follows;
}

void job_unfollow(borrowed job, struct follower *f)
{
    struct job_object *j = as_job(job);
    struct follower **link = &j->followers;

    bytelock_lock(&j->lock);
    while (*link && *link != f)
        link = &(*link)->next;
    if (*link)
        *link = f->next;
    bytelock_unlock(&j->lock);
}

/* ---- who is called ---- */

static void call_back(borrowed job, borrowed callable)
{
    struct object *result = call(callable, &job, 1);

    if (result)
        decref(result);
    else
        job_report("exception calling callback", job);
}

/* A callback: a notice that stands alone and holds what is called. */
static void end_callback(struct job_notice *n, borrowed job)
{
    if (job)
        call_back(job, n->held);
    decref(n->held);
    heap_free_table(n, sizeof *n);
}

/* What was pending stays so. */
static void call_all(borrowed job, struct job_notice *first)
{
    struct object *pending;

    if (!first)
        return;
    pending = exception_take();
    end_all(first, job);
    exception_restore(pending);
}

/* Under the lock: nobody adds any more (1). */
static struct job_notice *take_notices(struct job_object *j)
{
    struct job_notice *first = j->notices;

    j->notices = NULL;
    return first;
}

/* Under the lock. What is not a program's is short and waits for nothing. */
static bool calls_program(const struct job_object *j)
{
    const struct job_notice *n = j->notices;

    while (n && n->end != end_callback)
        n = n->next;
    return n;
}

/* False: it is done. */
static bool add_notice(struct job_object *j, struct job_notice *n)
{
    bool added;

    bytelock_lock(&j->lock);
    added = locked_state(j) < JOB_CANCELLED;
    if (added) {
        *j->end = n;
        j->end = &n->next;
    }
    bytelock_unlock(&j->lock);
    return added;
}

void job_notify(borrowed job, struct job_notice *n)
{
    publish(n->held);
    n->next = NULL;
    if (!add_notice(as_job(job), n))
        call_all(job, n);
}

int job_add_done_callback(borrowed job, borrowed callable)
{
    struct job_notice *n = heap_alloc_table(sizeof *n);

    if (!n) {
        exception_set_no_memory();
        return -1;
    }
    *n = (struct job_notice){ .held = incref(callable), .end = end_callback };
    job_notify(job, n);
    return 0;
}

/* ---- cancelling, running, completing ---- */

bool job_cancel(borrowed job)
{
    struct job_object *j = as_job(job);
    struct job_notice *notices = NULL;
    enum job_state state;

    bytelock_lock(&j->lock);
    state = locked_state(j);
    if (state == JOB_PENDING) {
        set_state(j, JOB_CANCELLED);
        notices = take_notices(j);
    }
    bytelock_unlock(&j->lock);
    if (state != JOB_PENDING)
        return state != JOB_RUNNING && state != JOB_FINISHED;
    tell_followers(j);
    call_all(job, notices);
    return true;
}

int job_set_running(borrowed job)
{
    struct job_object *j = as_job(job);
    enum job_state state;

    atomic_store_explicit(&j->hand, deadlock_self, memory_order_relaxed);
    bytelock_lock(&j->lock);
    state = locked_state(j);
    if (state == JOB_PENDING)
        set_state(j, JOB_RUNNING);
    else if (state == JOB_CANCELLED)
        set_state(j, JOB_CANCELLED_AND_NOTIFIED);
    bytelock_unlock(&j->lock);
    if (likely(state == JOB_PENDING))
        return 1;
    if (state == JOB_CANCELLED) {
        tell_followers(j);
        return 0;
    }
    exception_set(&runtime_error, "Future in unexpected state");
    return -1;
}

static SLOW_PATH int refuse(borrowed job, enum job_state state)
{
    static const char *const names[] = { "PENDING", "RUNNING", "CANCELLED",
                                         "CANCELLED_AND_NOTIFIED", "FINISHED" };
    char repr[120];

    object_repr(job, repr, sizeof repr);
    exception_set(&invalid_state_error, "%s: %s", names[state], repr);
    return -1;
}

/* Who is told that it is done, before anybody can see that. `tell` may be NULL. */
struct teller {
    void (*tell)(void *argument);
    void *argument;
};

static int complete(borrowed job, borrowed outcome, bool failed, struct teller done)
{
    struct job_object *j = as_job(job);
    struct job_notice *notices = NULL;
    bool followed = false;
    enum job_state state;

    publish(outcome);
    incref(outcome);
    bytelock_lock(&j->lock);
    state = locked_state(j);
    if (likely(state < JOB_CANCELLED)) {
        if (done.tell && !calls_program(j))
            done.tell(done.argument);
        j->outcome = (struct object *)outcome;
        j->failed = failed;
        set_state(j, JOB_FINISHED);
        notices = take_notices(j);
        followed = j->followers;
    }
    bytelock_unlock(&j->lock);
    if (unlikely(state >= JOB_CANCELLED)) {
        decref((struct object *)outcome);
        return refuse(job, state);
    }
    if (followed)
        tell_followers(j);
    call_all(job, notices);
    return 0;
}

int job_set_result(borrowed job, borrowed result)
{
    return complete(job, result, false, (struct teller){ 0 });
}

int job_set_exception(borrowed job, borrowed e)
{
    return complete(job, e, true, (struct teller){ 0 });
}

void job_fail(borrowed job)
{
    struct object *e = exception_take();

    assert(e);
    if (job_set_exception(job, e) < 0)
        exception_restore(NULL);
    decref(e);
}

void job_abandon(borrowed job)
{
    if (job_cancel(job) && job_state(job) == JOB_CANCELLED)
        job_set_running(job);
}

/* Who cannot complete it was not the only one to try, which a program may do. */
void job_run(borrowed job, void (*done)(void *argument), void *argument)
{
    struct job_object *j = as_job(job);
    struct object *outcome = call(j->function, (borrowed const *)j->argument, j->count);
    bool failed = !outcome;

    job_drop_call(job);
    if (unlikely(failed))
        outcome = exception_take();
    assert(outcome);
    if (complete(job, outcome, failed, (struct teller){ done, argument }) < 0)
        exception_restore(NULL);
    decref(outcome);
}

/* ---- waiting ---- */

static _Atomic uint32_t *tell_waiting(struct follower *f, bool failed)
{
    (void)failed;
    return &((struct waiting *)f)->word;
}

/* False: the wait has ended without it, and the exception that says so is pending. */
static bool wait_until(borrowed job, uint64_t deadline_ns)
{
    struct waiting w = { .follower = { .of_result = true, .tell = tell_waiting }, .job = job,
                         .hand = deadlock_self };
    bool ended = false;

    if (job_is_done(job) || !job_follow(job, &w.follower))
        return true;
    if (w.hand)
        deadlock_enter(&w);
    block_until(&w.word, deadline_ns, as_job(job)->spin);
    if (w.hand)
        ended = deadlock_leave(&w);
    job_unfollow(job, &w.follower);
    if (likely(job_is_done(job)))
        return true;
    if (ended)
        exception_set(&runtime_error, "this wait was part of a deadlock");
    else
        exception_set(&timeout_error, "%s", "");
    return false;
}

/* Whether it has an outcome. If not an exception is pending. */
static bool wait_for_outcome(borrowed job, uint64_t deadline_ns)
{
    if (unlikely(job_state(job) != JOB_FINISHED) && !wait_until(job, deadline_ns))
        return false;
    if (likely(job_state(job) == JOB_FINISHED))
        return true;
    exception_set(&job_cancelled_error, "%s", "");
    return false;
}

struct object *job_result_until(borrowed job, uint64_t deadline_ns)
{
    if (!wait_for_outcome(job, deadline_ns))
        return NULL;
    if (likely(!as_job(job)->failed))
        return incref(as_job(job)->outcome);
    exception_raise(incref(as_job(job)->outcome));
    return NULL;
}

struct object *job_result(borrowed job, uint64_t timeout_ns)
{
    if (likely(job_state(job) == JOB_FINISHED))
        return job_result_until(job, 0);
    return job_result_until(job, block_deadline(timeout_ns));
}

struct object *job_exception(borrowed job, uint64_t timeout_ns)
{
    if (!wait_for_outcome(job, block_deadline(timeout_ns)))
        return NULL;
    return as_job(job)->failed ? incref(as_job(job)->outcome) : none();
}
