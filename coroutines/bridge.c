/* bridge.c - futures of jobs, and jobs of coroutines. */
#include "coroutines/bridge.h"

#include "coroutines/coroutine.h"
#include "coroutines/task.h"
#include "coroutines/thread_pool.h"
#include "objects/container.h"
#include "objects/exception.h"
#include "objects/function.h"
#include "objects/none.h"
#include "objects/tuple.h"
#include "objects/weakref.h"

#include <assert.h>

/* ---- a future of a job ---- */

/* The job holds the future by the notice, as long as it is not done. */
struct job_future {
    struct future_object future;
    struct object *job;       /* owned; NULL: there is none yet, or none any more */
    struct job_notice notice; /* of the job */
    struct mail *mail;        /* the notice's; NULL: it has been sent */
    _Atomic bool expected;    /* atomic; the loop waits for the letter */
};

static const struct type job_future_type;

static struct job_future *as_job_future(borrowed o)
{
    assert(type_of(o) == &job_future_type);
    return (struct job_future *)o;
}

static void forget_job(struct job_future *f)
{
    struct object *job = f->job;

    f->job = NULL;
    xdecref(job);
}

/* By whoever is the first. Relaxed: it says nothing of anything else. */
static bool ends_expectation(struct job_future *f)
{
    return atomic_exchange_explicit(&f->expected, false, memory_order_relaxed);
}

/* By the loop's thread. */
static void expect_no_more(struct job_future *f)
{
    if (ends_expectation(f))
        loop_expect(f->future.loop, -1);
}

/* If the job cannot be cancelled any more, its result is dropped when it comes. */
static int cancel_with_job(borrowed o, borrowed message)
{
    struct job_future *f = as_job_future(o);
    int cancelled = future_cancel_plain(o, message);
    struct object *job = f->job;

    if (cancelled > 0)
        expect_no_more(f);
    if (cancelled <= 0 || !job)
        return cancelled;
    f->job = NULL;
    job_cancel(job);
    decref(job);
    return cancelled;
}

static void job_future_destroy(struct object *o)
{
    struct job_future *f = as_job_future(o);

    forget_job(f);
    mail_free(f->mail);
    future_destroy(o);
}

static void job_future_clear(struct object *o)
{
    forget_job(as_job_future(o));
    future_clear(o);
}

static void job_future_traverse(borrowed o, void (*visit)(borrowed held, void *argument),
                                void *argument)
{
    if (as_job_future(o)->job)
        visit(as_job_future(o)->job, argument);
    future_traverse(o, visit, argument);
}

static const struct type job_future_type = {
    .name = "Future", .size_bytes = sizeof(struct job_future), .destroy = job_future_destroy,
    .clear = job_future_clear, .unfinished = future_unfinished, .finish = future_finish_unseen,
    .traverse = job_future_traverse, .iterate = incref, .next = future_next, .await = incref,
    .repr = future_repr,
};

/* ---- its end ---- */

/* A new reference to what the future is to raise; if it cannot be made, MemoryError. */
static struct object *raised_in_loop(borrowed e)
{
    struct object *converted;

    if (type_of(e) == &job_cancelled_error) {
        converted = exception_new(&cancelled_error, "%s", exception_message(e));
    } else if (exception_is(e, &stop_iteration)) {
        converted = exception_new(&runtime_error,
                                  "StopIteration interacts badly with generators and cannot be "
                                  "raised into a Future");
        if (converted)
            exception_set_cause(converted, e);
    } else {
        return incref(e);
    }
    return converted ? converted : exception_take();
}

static void copy_outcome(struct future_object *f, borrowed job)
{
    if (job_is_cancelled(job))
        future_end_cancelled(f, NULL, NULL);
    else if (as_job(job)->failed)
        future_fail(f, raised_in_loop(as_job(job)->outcome));
    else
        future_finish(f, incref(as_job(job)->outcome));
}

static int take_outcome(borrowed loop, borrowed future, borrowed job)
{
    loop_enter(loop, "wrap_future");
    expect_no_more(as_job_future(future));
    if (!future_done(future))
        copy_outcome(as_future(future), job);
    forget_job(as_job_future(future));
    return 0;
}

/* The future is not the letter's: it may be what the collector is clearing. */
static int take_end(borrowed loop, borrowed nothing, borrowed unused)
{
    (void)nothing, (void)unused;
    loop_enter(loop, "wrap_future");
    loop_expect(loop, -1);
    return 0;
}

/* By whoever has completed the job; or it has died undone, and what is told is that nothing will
 * come. From the sending on the loop may have the future and drop it,
 * but for the notice's reference, which keeps both until the loop has been woken. */
static void tell_loop(struct job_notice *n, borrowed job)
{
    struct object *future = n->held;
    struct job_future *f = as_job_future(future);
    struct mail *mail = f->mail;

    if (job) {
        f->mail = NULL;
        loop_send(f->future.loop, mail, take_outcome, future, job);
    } else if (ends_expectation(f)) {
        f->mail = NULL;
        loop_send(f->future.loop, mail, take_end, none(), NULL);
    }
    decref(future);
}

/* ---- its beginning ---- */

/* One that waits for no job yet, and has all that it will need. */
static struct object *job_future_new(borrowed loop)
{
    struct object *o;
    struct job_future *f;

    if (loop_check(loop) < 0)
        return NULL;
    o = container_new(&job_future_type, sizeof(struct job_future));
    if (!o)
        return NULL;
    f = as_job_future(o);
    future_init(&f->future, loop, cancel_with_job);
    f->job = NULL;
    atomic_init(&f->expected, false);
    f->mail = mail_new();
    if (f->mail)
        return o;
    decref(o);
    return NULL;
}

static void wait_for_job(struct job_future *f, borrowed job)
{
    f->job = incref(job);
    atomic_store_explicit(&f->expected, true, memory_order_relaxed);
    loop_expect(f->future.loop, 1);
    f->notice = (struct job_notice){ .held = incref(&f->future.head), .end = tell_loop };
    job_notify(job, &f->notice);
}

struct object *wrap_future(borrowed loop, borrowed job)
{
    struct object *future;

    if (future_is(job))
        return incref(job);
    if (type_of(job) != &job_type) {
        exception_set(&type_error, "concurrent.futures.Future is expected, got %s",
                      type_of(job)->name);
        return NULL;
    }
    future = job_future_new(loop);
    if (future)
        wait_for_job(as_job_future(future), job);
    return future;
}

/* ---- calls in an executor ---- */

static struct object *call_in(borrowed loop, borrowed executor, borrowed function,
                              borrowed const *arguments, size_t count)
{
    struct object *future = job_future_new(loop), *job;

    if (!future)
        return NULL;
    job = executor_submit(executor, function, arguments, count);
    if (!job) {
        decref(future);
        return NULL;
    }
    wait_for_job(as_job_future(future), job);
    decref(job);
    return future;
}

/* Borrowed from the loop; NULL: it could not be made, or was shut down. */
static borrowed own_executor(borrowed loop)
{
    struct default_executor *own = loop_default_executor(loop);

    if (loop_check(loop) < 0)
        return NULL;
    if (own->over) {
        exception_set(&runtime_error, "Executor shutdown has been called");
        return NULL;
    }
    if (!own->executor)
        own->executor = thread_pool_new(&(struct pool_options){ .name = "asyncio" });
    return own->executor;
}

struct object *run_in_executor(borrowed loop, borrowed executor, borrowed function,
                               borrowed const *arguments, size_t count)
{
    if (!executor)
        executor = own_executor(loop);
    return executor ? call_in(loop, executor, function, arguments, count) : NULL;
}

int set_default_executor(borrowed loop, borrowed executor)
{
    struct default_executor *own = loop_default_executor(loop);
    struct object *before = own->executor;

    if (type_of(executor) != &thread_pool_type) {
        exception_set(&type_error, "executor must be ThreadPoolExecutor instance");
        return -1;
    }
    if (loop_check(loop) < 0)
        return -1;
    own->executor = incref(executor);
    xdecref(before);
    return 0;
}

/* ---- its end ---- */

static struct object *shut_down(borrowed closure, borrowed const *arguments, size_t count)
{
    (void)closure;
    (void)count;
    return executor_shutdown(arguments[0], true, false) < 0 ? NULL : none();
}

/* By a thread of its own, which leaves when it has done that. */
static struct object *shut_down_elsewhere(borrowed loop, borrowed executor)
{
    struct object *function = function_new("shutdown_default_executor", shut_down, 1, NULL);
    struct object *pool = NULL, *future = NULL;

    if (function)
        pool = thread_pool_new(&(struct pool_options){ .name = "asyncio-shutdown", .workers = 1 });
    if (pool)
        future = call_in(loop, pool, function, &executor, 1);
    xdecref(function);
    xdecref(pool);
    return future;
}

struct object *shutdown_default_executor(borrowed loop)
{
    struct default_executor *own = loop_default_executor(loop);
    struct object *future;

    if (loop_check(loop) < 0)
        return NULL;
    if (own->executor) {
        future = shut_down_elsewhere(loop, own->executor);
    } else {
        future = future_new(loop);
        if (future)
            future_finish(as_future(future), none());
    }
    if (future)
        own->over = true;
    return future;
}

/* ---- to_thread ---- */

enum { FUNCTION, ARGUMENTS, TO_THREAD_REFERENCES };

static enum turn to_thread(struct frame *f, enum resume how, borrowed argument,
                           struct object **result)
{
    const struct tuple_object *row;
    borrowed loop;

    if (how == RESUME_THROW)
        return frame_raise(argument);
    if (f->at++) {
        *result = incref(argument);
        return TURN_RETURN;
    }
    loop = loop_running_needed();
    if (!loop)
        return TURN_ERROR;
    row = (const struct tuple_object *)f->reference[ARGUMENTS];
    *result = run_in_executor(loop, NULL, f->reference[FUNCTION], (borrowed const *)row->item,
                              row->length);
    return *result ? TURN_FROM : TURN_ERROR;
}

static const struct body to_thread_body = {
    .name = "to_thread", .kind = COROUTINE, .resume = to_thread,
    .references = TO_THREAD_REFERENCES,
};

struct object *to_thread_new(borrowed function, borrowed const *arguments, size_t count)
{
    struct object *row = tuple_new(count, (struct object *const *)arguments), *coroutine;

    if (!row)
        return NULL;
    coroutine = generator_new(&to_thread_body, (borrowed[]){ function, row }, 2);
    decref(row);
    return coroutine;
}

/* ---- a job of a coroutine ---- */

/* What a loop has of it: first in a letter, then as what its task calls when it is done. If it is
 * dropped before, that is the job's end. */
struct errand {
    struct object head;
    struct object *coroutine;    /* of the loop's thread; owned; NULL: it has been begun */
    struct object *job;          /* set once; owned */
    struct canceller *canceller; /* of the loop's thread; owned; NULL: it is the job's */
};

/* What the job has of it. It leads to the task, which it does not keep alive: the loop does, and
 * a loop that has been closed should not be waited for. */
struct canceller {
    struct job_notice notice; /* holds a weak reference to the task */
    struct mail *mail;        /* owned */
};

static struct errand *as_errand(borrowed o)
{
    return (struct errand *)o;
}

static void canceller_free(struct canceller *c /* may be NULL */)
{
    if (!c)
        return;
    mail_free(c->mail);
    heap_free_table(c, sizeof *c);
}

static void errand_clear(struct object *o)
{
    struct errand *e = as_errand(o);
    struct object *coroutine = e->coroutine;

    e->coroutine = NULL;
    xdecref(coroutine);
}

static void errand_destroy(struct object *o)
{
    struct errand *e = as_errand(o);

    errand_clear(o);
    canceller_free(e->canceller);
    job_abandon(e->job);
    decref(e->job);
}

static void errand_traverse(borrowed o, void (*visit)(borrowed held, void *argument),
                            void *argument)
{
    if (as_errand(o)->coroutine)
        visit(as_errand(o)->coroutine, argument);
    visit(as_errand(o)->job, argument);
}

static const struct type errand_type = {
    .name = "errand", .size_bytes = sizeof(struct errand), .destroy = errand_destroy,
    .clear = errand_clear, .traverse = errand_traverse,
};

/* ---- its end ---- */

static int cancel_task(borrowed loop, borrowed task, borrowed unused)
{
    (void)unused;
    loop_enter(loop, "run_coroutine_threadsafe");
    return future_cancel(task, NULL) < 0 ? -1 : 0;
}

/* The job is done: if it was cancelled, by any thread, the loop's is to cancel the task. */
static void tell_task(struct job_notice *n, borrowed job)
{
    struct canceller *c = (struct canceller *)n;
    struct object *task = job && job_is_cancelled(job) ? weakref_get(n->held) : NULL;
    struct mail *mail = c->mail;

    if (task) {
        c->mail = NULL;
        loop_send(future_loop(task), mail, cancel_task, task, NULL);
        decref(task);
    }
    decref(n->held);
    canceller_free(c);
}

static void complete_job(borrowed job, borrowed task)
{
    borrowed e = as_future(task)->exception;
    int result;

    if (job_set_running(job) != 1) {
        exception_restore(NULL); /* it was cancelled, or somebody else has completed it */
        return;
    }
    as_future(task)->tells = false;
    result = e ? job_set_exception(job, e) : job_set_result(job, as_future(task)->result);
    if (result < 0)
        exception_restore(NULL);
}

static int task_is_done(borrowed loop, borrowed errand, borrowed task)
{
    borrowed job = as_errand(errand)->job;

    loop_enter(loop, "run_coroutine_threadsafe");
    if (future_cancelled(task))
        job_abandon(job);
    else
        complete_job(job, task);
    return 0;
}

/* ---- its beginning ---- */

/* The task will complete the job, and the job may cancel the task. */
static int join(borrowed task, borrowed errand)
{
    struct errand *e = as_errand(errand);
    struct object *weak = weakref_new(task, NULL);

    if (!weak)
        return -1;
    if (future_on_done(task, task_is_done, errand, false) < 0) {
        decref(weak);
        return -1;
    }
    e->canceller->notice = (struct job_notice){ .held = weak, .end = tell_task };
    job_notify(e->job, &e->canceller->notice);
    e->canceller = NULL;
    return 0;
}

/* One that nothing will be heard of is not to be run. */
static int begin_task(borrowed loop, borrowed coroutine, borrowed errand)
{
    struct object *task = task_new(loop, coroutine, NULL);
    int result = task ? join(task, errand) : -1;

    if (task && result < 0) {
        struct object *pending = exception_take();

        future_cancel(task, NULL);
        exception_restore(pending);
    }
    xdecref(task);
    return result;
}

static int fail_job(borrowed job)
{
    struct object *e = exception_take();

    if (job_set_running(job) != 1 || job_set_exception(job, e) < 0)
        exception_restore(NULL);
    exception_restore(e);
    return -1;
}

static int begin(borrowed loop, borrowed errand, borrowed unused)
{
    struct errand *e = as_errand(errand);
    struct object *coroutine = e->coroutine;
    int result;

    (void)unused;
    loop_enter(loop, "run_coroutine_threadsafe");
    e->coroutine = NULL;
    if (job_is_done(e->job)) {
        result = generator_close(coroutine, NULL);
        job_abandon(e->job);
    } else {
        result = begin_task(loop, coroutine, errand) < 0 ? fail_job(e->job) : 0;
    }
    decref(coroutine);
    return result;
}

static struct canceller *canceller_new(void)
{
    struct canceller *c = heap_alloc_table(sizeof *c);

    if (!c) {
        exception_set_no_memory();
        return NULL;
    }
    c->mail = mail_new();
    if (c->mail)
        return c;
    canceller_free(c);
    return NULL;
}

static struct object *errand_new(borrowed coroutine, borrowed job)
{
    struct canceller *canceller = canceller_new();
    struct object *o = canceller ? container_new(&errand_type, sizeof(struct errand)) : NULL;

    if (!o) {
        canceller_free(canceller);
        return NULL;
    }
    as_errand(o)->coroutine = incref(coroutine);
    as_errand(o)->job = incref(job);
    as_errand(o)->canceller = canceller;
    return o;
}

struct object *run_coroutine_threadsafe(borrowed loop, borrowed coroutine)
{
    struct object *job, *errand = NULL;

    if (type_of(coroutine) != &coroutine_type) {
        exception_set(&type_error, "A coroutine object is required");
        return NULL;
    }
    job = job_new(NULL, NULL, 0, BLOCK_SPIN);
    if (job)
        errand = errand_new(coroutine, job);
    if (errand && loop_push_threadsafe(loop, begin, errand, NULL) == 0) {
        decref(errand);
        return job;
    }
    xdecref(errand);
    xdecref(job);
    return NULL;
}
