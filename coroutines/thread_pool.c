/* thread_pool.c - workers, and the queue from which they take jobs.
 *
 * The object and the pool are two: workers hold the pool, and nobody but the program holds
 * the object, so that dropping it can end them. The last of all to go frees the pool.
 *
 * Why no wake-up is lost. A worker that finds the queue empty puts itself on the list of idle
 * ones in the same critical section. Who puts a job in the queue takes an idle worker off
 * that list, if there is one, in the same critical section, and then ends its wait. So
 *   1. if the queue is not empty, no worker is idle that nobody is about to wake;
 *   2. each worker is woken once for each time it was idle, by the one who took it off the
 *      list, and looks at the queue again. It may find that empty, for a busy one came first.
 *
 * When a worker is started. One that has done its call says that it is free before the
 * result can be seen. So who has the result of the only call, and submits another, finds a
 * free worker, and no second one is started; whatever the scheduler does. But if the job has
 * a program's callbacks it says so after them: they may wait for a job of this very pool,
 * for which there must be another worker.
 *
 * Locks. `lock` is held for a few instructions, by threads that are attached or are no
 * threads of the runtime any more; under it nothing is destroyed, started or waited for.
 */
#include "coroutines/thread_pool.h"

#include "coroutines/deadlock.h"
#include "coroutines/recruit.h"
#include "gil/mutex.h"
#include "objects/collector.h"
#include "objects/exception.h"
#include "objects/function.h"
#include "objects/tuple.h"

#include <assert.h>
#include <stdio.h>
#include <unistd.h>

enum { NAME_BYTES = 64, THREADS_MOST = 32, THREADS_MORE = 4 };

struct worker;

struct pool {
    struct staff staff; /* set once */
    char name[NAME_BYTES];      /* set once; of the staff */
    uint32_t spin;              /* set once */
    struct mutex lock;
    struct job_queue queue;     /* lock */
    struct worker *idle;        /* lock; who came last first */
    struct worker *workers;     /* lock */
    uint32_t alive, started;    /* lock; workers: now, and ever */
    bool stopping;              /* lock; nothing more is accepted */
    bool broken;                /* lock; neither, and nothing is done any more */
    bool dropped;               /* lock; the object is gone */
    _Atomic uint32_t left;      /* block.h: over when it is stopping and no worker is left */
};

/* Stands on the thread's own stack. */
struct worker {
    struct thread *thread; /* set once */
    struct hand hand;      /* set once */
    struct pool *pool;     /* set once */
    _Atomic uint32_t wake; /* block.h */
    _Atomic bool busy;     /* itself; read under pool->lock: it has a job */
    struct worker *next_idle;    /* pool->lock */
    struct worker *next, **link; /* pool->lock */
};

struct thread_pool {
    struct executor_object head;
    struct pool *pool;                        /* set once */
    struct object *initialiser, *arguments;   /* set once; owned; NULL: there is none */
};

static struct thread_pool *as_thread_pool(borrowed o)
{
    assert(type_of(o) == &thread_pool_type);
    return (struct thread_pool *)o;
}

static struct pool *pool_of(borrowed executor)
{
    return as_thread_pool(executor)->pool;
}

static const char after_shutdown[] = "cannot schedule new futures after shutdown";
static const char cannot_start[] = "can't start new thread";
static const char initialiser_failed[] =
    "A thread initializer failed, the thread pool is not usable anymore";

/* ---- idle workers ---- */

/* Off the list; NULL: there is none. */
static struct worker *take_idle(struct pool *p)
{
    struct worker *w = p->idle;

    if (w)
        p->idle = w->next_idle;
    return w;
}

static void wake_all(struct pool *p)
{
    struct worker *w;

    do {
        mutex_lock(&p->lock);
        w = take_idle(p);
        mutex_unlock(&p->lock);
        if (w)
            block_end(&w->wake);
    } while (w);
}

/* Relaxed: who submits after it has seen a result sees that the worker was free before. */
static uint32_t free_workers(const struct pool *p)
{
    uint32_t free = 0;

    for (const struct worker *w = p->workers; w; w = w->next)
        free += !atomic_load_explicit(&w->busy, memory_order_relaxed);
    return free;
}

static void become_free(void *argument)
{
    atomic_store_explicit(&((struct worker *)argument)->busy, false, memory_order_relaxed);
}

/* ---- a worker's life ---- */

/* The next job, the caller's; or NULL, and if it is to `stay` it is idle now. */
static struct object *take_or_rest(struct worker *w, bool *stay)
{
    struct pool *p = w->pool;
    struct object *job;

    mutex_lock(&p->lock);
    job = job_queue_take(&p->queue);
    *stay = job || !p->stopping;
    if (job) {
        atomic_store_explicit(&w->busy, true, memory_order_relaxed);
    } else if (*stay) {
        atomic_store_explicit(&w->wake, 0, memory_order_relaxed);
        w->next_idle = p->idle;
        p->idle = w;
    }
    mutex_unlock(&p->lock);
    return job;
}

/* NULL: there will be no more. */
static struct object *next_job(struct worker *w)
{
    struct object *job;
    bool stay;

    while (!(job = take_or_rest(w, &stay)) && stay)
        block_until(&w->wake, BLOCK_FOREVER, w->pool->spin);
    return job;
}

static void run(struct worker *w, struct object *job /* steals */)
{
    if (likely(job_set_running(job) == 1)) {
        job_run(job, become_free, w);
    } else {
        exception_restore(NULL); /* it was cancelled, or somebody else has set its result */
        job_drop_call(job);
    }
    become_free(w); /* if it had callbacks to run */
    decref(job);
}

static void break_pool(struct pool *p)
{
    struct job_queue queue;

    mutex_lock(&p->lock);
    p->stopping = p->broken = true;
    queue = p->queue;
    p->queue = (struct job_queue){ 0 };
    mutex_unlock(&p->lock);
    wake_all(p);
    job_queue_fail(&queue, &broken_thread_pool, initialiser_failed);
}

/* Drops both. False: it has failed. */
static bool initialise(struct object *function, struct object *arguments)
{
    struct object *result;

    if (!function)
        return true;
    result = call(function, (borrowed const *)((struct tuple_object *)arguments)->item,
                  tuple_length(arguments));
    decref(function);
    decref(arguments);
    if (!result)
        return false;
    decref(result);
    return true;
}

static void work(struct worker *w)
{
    struct object *job;

    deadlock_self = &w->hand;
    while ((job = next_job(w))) {
        run(w, job);
        safepoint(w->thread);
    }
    deadlock_self = NULL;
}

/* Unlocking is the last that is done to the pool: who finds it over takes the lock before it
 * frees. */
static void leave_pool(void *kept)
{
    struct pool *p = kept;
    bool sleeps = false, last;

    mutex_lock(&p->lock);
    p->alive--;
    if (!p->alive && p->stopping)
        sleeps = block_mark(&p->left);
    last = !p->alive && p->dropped;
    mutex_unlock(&p->lock);
    if (sleeps)
        block_wake(&p->left);
    if (last)
        heap_free_table(p, sizeof *p);
}

static void remove_worker(struct worker *w)
{
    mutex_lock(&w->pool->lock);
    *w->link = w->next;
    if (w->next)
        w->next->link = w->link;
    mutex_unlock(&w->pool->lock);
}

static void add_worker(struct worker *w)
{
    struct pool *p = w->pool;

    mutex_lock(&p->lock);
    w->next = p->workers;
    w->link = &p->workers;
    if (w->next)
        w->next->link = &w->next;
    p->workers = w;
    mutex_unlock(&p->lock);
}

/* What a new worker is given. */
struct start {
    struct recruit recruit;
    struct object *initialiser, *arguments; /* owned by the worker, once it runs */
};

static void live(struct thread *self, struct recruit *r)
{
    struct start *start = (struct start *)r;
    struct object *initialiser = start->initialiser, *arguments = start->arguments;
    struct worker w = { .thread = self, .pool = r->kept };

    w.hand = (struct hand){ self->name, &w.pool->staff };
    add_worker(&w);
    recruit_ready(r);
    if (initialise(initialiser, arguments)) {
        work(&w);
    } else {
        job_report("Exception in initializer:", NULL);
        break_pool(w.pool);
    }
    remove_worker(&w);
}

/* ---- starting one ---- */

/* One that has been counted as alive. False: it could not be started. */
static bool start_worker(const struct thread_pool *executor, uint32_t number)
{
    char name[NAME_BYTES + 16];
    struct start start = { .recruit = { .name = name, .body = live, .after = leave_pool,
                                        .kept = executor->pool } };

    snprintf(name, sizeof name, "%s_%u", executor->pool->name, number);
    if (executor->initialiser) {
        start.initialiser = incref(executor->initialiser);
        start.arguments = incref(executor->arguments);
    }
    if (recruit_start(&start.recruit) == 0)
        return true;
    xdecref(start.initialiser);
    xdecref(start.arguments);
    return false;
}

/* Of a worker that could not be started, and of the job for which it should have been. If
 * nobody is left to do it, it is taken back; and others fail, whose submits relied on that
 * worker. */
static int give_up_worker(struct pool *p, borrowed job)
{
    struct job_queue queue = { 0 };
    bool queued = false, sleeps = false;

    mutex_lock(&p->lock);
    if (!--p->alive) {
        queued = job_queue_remove(&p->queue, job);
        queue = p->queue;
        p->queue = (struct job_queue){ 0 };
        sleeps = p->stopping && block_mark(&p->left);
    }
    mutex_unlock(&p->lock);
    if (sleeps)
        block_wake(&p->left);
    job_queue_fail(&queue, &runtime_error, cannot_start);
    if (!queued)
        return 0;
    decref((struct object *)job); /* the queue's */
    exception_set(&runtime_error, "%s", cannot_start);
    return -1;
}

/* ---- submit ---- */

static int refuse(bool broken)
{
    if (broken)
        exception_set(&broken_thread_pool, "%s", initialiser_failed);
    else
        exception_set(&runtime_error, "%s", after_shutdown);
    return -1;
}

/* 0: the job is in the queue, and if *start, a worker of this *number is to be started. -1: it
 * is not. */
static int put(struct pool *p, struct object *job, bool *start, uint32_t *number)
{
    struct worker *idle = NULL;
    bool stopping, broken;

    mutex_lock(&p->lock);
    stopping = p->stopping;
    broken = p->broken;
    if (likely(!stopping)) {
        job_queue_put(&p->queue, incref(job));
        idle = take_idle(p);
        *start = !idle && p->alive < p->staff.most && free_workers(p) < p->queue.length;
        if (*start) {
            p->alive++;
            *number = p->started++;
        }
    }
    mutex_unlock(&p->lock);
    if (idle)
        block_end(&idle->wake);
    return likely(!stopping) ? 0 : refuse(broken);
}

static struct object *submit(borrowed executor, borrowed function, borrowed const *arguments,
                             size_t count)
{
    struct pool *p = pool_of(executor);
    struct object *job = job_new(function, arguments, count, p->spin);
    bool start = false;
    uint32_t number;

    if (!job)
        return NULL;
    atomic_store_explicit(&as_job(job)->staff, &p->staff, memory_order_relaxed);
    if (put(p, job, &start, &number) == 0 &&
        (!start || start_worker(as_thread_pool(executor), number) || give_up_worker(p, job) == 0))
        return job;
    decref(job);
    return NULL;
}

/* ---- shutdown ---- */

/* `queue` has what was queued, if it is to be cancelled. */
static void stop(struct pool *p, bool cancel, struct job_queue *queue)
{
    mutex_lock(&p->lock);
    p->stopping = true;
    if (cancel) {
        *queue = p->queue;
        p->queue = (struct job_queue){ 0 };
    }
    if (!p->alive)
        block_mark(&p->left);
    mutex_unlock(&p->lock);
    wake_all(p);
}

static int shut_down_pool(borrowed executor, bool wait, bool cancel)
{
    struct pool *p = pool_of(executor);
    struct job_queue queue = { 0 };

    stop(p, cancel, &queue);
    job_queue_cancel(&queue);
    if (!wait)
        return 0;
    if (deadlock_self && deadlock_self->staff == &p->staff) {
        exception_set(&runtime_error, "cannot join current thread");
        return -1;
    }
    block_until(&p->left, BLOCK_FOREVER, p->spin);
    return 0;
}

/* ---- the object ---- */

static void thread_pool_destroy(struct object *o)
{
    struct thread_pool *executor = as_thread_pool(o);
    struct pool *p = executor->pool;
    struct job_queue queue;
    bool last;

    if (p) {
        stop(p, false, &queue);
        mutex_lock(&p->lock);
        p->dropped = true;
        last = !p->alive;
        mutex_unlock(&p->lock);
        if (last)
            heap_free_table(p, sizeof *p);
    }
    xdecref(executor->initialiser);
    xdecref(executor->arguments);
}

static void thread_pool_traverse(borrowed o, void (*visit)(borrowed held, void *argument),
                                 void *argument)
{
    const struct thread_pool *executor = as_thread_pool(o);

    if (executor->initialiser) {
        visit(executor->initialiser, argument);
        visit(executor->arguments, argument);
    }
}

/* It cannot be emptied: what it holds is older than it is. */
const struct type thread_pool_type = {
    .name = "ThreadPoolExecutor", .size_bytes = sizeof(struct thread_pool),
    .destroy = thread_pool_destroy, .traverse = thread_pool_traverse,
};

static const struct executor_class thread_pool_class = { submit, shut_down_pool, NULL };

/* NULL: MemoryError. */
static struct pool *pool_new(const struct pool_options *options)
{
    static _Atomic unsigned made;
    struct pool *p = heap_alloc_table(sizeof *p);

    if (!p) {
        exception_set_no_memory();
        return NULL;
    }
    *p = (struct pool){ .lock = MUTEX_INIT, .spin = options->spin };
    if (options->name)
        snprintf(p->name, sizeof p->name, "%s", options->name);
    else
        snprintf(p->name, sizeof p->name, "ThreadPoolExecutor-%u",
                 atomic_fetch_add_explicit(&made, 1, memory_order_relaxed));
    p->staff = (struct staff){ p->name, (uint32_t)options->workers };
    return p;
}

static int standard_workers(void)
{
    long processors = sysconf(_SC_NPROCESSORS_ONLN);

    return processors + THREADS_MORE < THREADS_MOST ? (int)processors + THREADS_MORE : THREADS_MOST;
}

/* Its initialiser's arguments are those of no call yet. 0, or -1. */
static int keep_initialiser(struct thread_pool *executor, const struct pool_options *options)
{
    if (!options->initialiser)
        return 0;
    executor->arguments =
        tuple_new(options->count, (struct object *const *)options->arguments);
    if (!executor->arguments)
        return -1;
    executor->initialiser = incref(options->initialiser);
    return 0;
}

struct object *thread_pool_new(const struct pool_options *given)
{
    struct pool_options options = given ? *given : (struct pool_options){ 0 };
    struct thread_pool *executor;

    if (pool_options_check(&options, standard_workers()) < 0)
        return NULL;
    executor = (struct thread_pool *)container_new(&thread_pool_type, sizeof *executor);
    if (!executor)
        return NULL;
    executor->head.class = &thread_pool_class;
    executor->initialiser = executor->arguments = NULL;
    executor->pool = pool_new(&options);
    if (!executor->pool || keep_initialiser(executor, &options) < 0) {
        decref(&executor->head.head);
        return NULL;
    }
    publish(&executor->head.head);
    return &executor->head.head;
}

uint32_t thread_pool_workers(borrowed executor)
{
    struct pool *p = pool_of(executor);
    uint32_t alive;

    mutex_lock(&p->lock);
    alive = p->alive;
    mutex_unlock(&p->lock);
    return alive;
}
