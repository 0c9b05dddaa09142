/* hybrid.c - workers are tasks of one event loop, and what computes is called in a pool of threads.
 *
 * What programs of one loop do that must compute as well (run_in_executor, coroutines/bridge.h):
 * the loop goes on meanwhile. Cost: beside coroutine's a job, a letter and two wake-ups for each
 * call. A worker's objects change hands with each call, but one thread at a time has them.
 */
#include "benches/hosted.h"
#include "coroutines/block.h"
#include "coroutines/bridge.h"
#include "coroutines/thread_pool.h"
#include "objects/exception.h"
#include "objects/function.h"
#include "objects/none.h"

#include <stdlib.h>

struct hybrid {
    struct carrier *carrier;
    struct object *loop, *pool, *call; /* owned */
    _Atomic int missing;               /* threads of the pool that have not come */
    _Atomic uint32_t all_here;         /* block.h */
};

/* In the pool. What the worker records meanwhile would be recorded by two threads into one
 * histogram: it is left out. */
static struct object *call_worker(borrowed closure, borrowed const *arguments, size_t count)
{
    struct seat *s = seat_at(arguments[0]);
    struct worker *w = &s->worker;
    struct thread *own = w->thread;
    struct histogram *latency = w->latency;
    int result;

    (void)closure, (void)count;
    w->thread = thread_self;
    w->latency = NULL;
    result = s->compute(w);
    w->thread = own;
    w->latency = latency;
    return result < 0 ? NULL : none();
}

static struct object *compute_in_pool(struct carrier *c, struct seat *s)
{
    struct hybrid *h = c->state;

    return run_in_executor(h->loop, h->pool, h->call, (borrowed[]){ s->address }, 1);
}

/* Each thread of the pool, before all else. */
static struct object *join_pool(borrowed closure, borrowed const *arguments, size_t count)
{
    struct hybrid *h = (struct hybrid *)(uintptr_t)int_value(arguments[0]);

    (void)closure, (void)count;
    h->carrier->helps(h->carrier);
    return none();
}

/* Keeps a thread until all are there. */
static struct object *meet(borrowed closure, borrowed const *arguments, size_t count)
{
    struct hybrid *h = (struct hybrid *)(uintptr_t)int_value(arguments[0]);

    (void)closure, (void)count;
    if (atomic_fetch_sub_explicit(&h->missing, 1, memory_order_relaxed) == 1)
        block_end(&h->all_here);
    block_until(&h->all_here, BLOCK_FOREVER, BLOCK_SPIN);
    return none();
}

static int wait_for(struct object *job /* steals */)
{
    struct object *pending = exception_take(), *result = job_result(job, BLOCK_FOREVER);
    int status = result ? 0 : -1;

    decref(job);
    xdecref(result);
    if (pending)
        exception_restore(pending);
    return status;
}

/* If one cannot be started the others must not wait for it. */
static int start_threads(struct hybrid *h, borrowed function, borrowed address, int threads)
{
    struct object **jobs = calloc((size_t)threads, sizeof *jobs);
    int submitted = 0, result = 0;

    if (!jobs) {
        exception_set_no_memory();
        return -1;
    }
    while (submitted < threads &&
           (jobs[submitted] = executor_submit(h->pool, function, (borrowed[]){ address }, 1)))
        submitted++;
    if (submitted < threads) {
        block_end(&h->all_here);
        result = -1;
    }
    for (int i = 0; i < submitted; i++)
        if (wait_for(jobs[i]) < 0)
            result = -1;
    free(jobs);
    return result;
}

static struct object *new_pool(borrowed initialiser, borrowed address, int threads)
{
    return thread_pool_new(&(struct pool_options){
        .workers = threads, .workers_given = true, .name = "pool", .initialiser = initialiser,
        .arguments = (borrowed[]){ address }, .count = 1 });
}

static int fill(struct hybrid *h, borrowed address, int threads)
{
    struct object *join = function_new("join_pool", join_pool, 1, NULL);
    struct object *stay = join ? function_new("meet", meet, 1, NULL) : NULL;
    int result = -1;

    h->call = stay ? function_new("compute", call_worker, 1, NULL) : NULL;
    h->pool = h->call ? new_pool(join, address, threads) : NULL;
    if (h->pool)
        result = start_threads(h, stay, address, threads);
    xdecref(join);
    xdecref(stay);
    return result;
}

/* The pool's threads are there before the ramp: later they would be started in it, and placed
 * where the loop's is. */
static int open_pool(struct carrier *c, borrowed loop)
{
    struct hybrid *h = calloc(1, sizeof *h);
    struct object *address = h ? int_new((int64_t)(uintptr_t)h) : NULL;
    int result = -1;

    c->state = h;
    if (!h)
        exception_set_no_memory();
    if (address) {
        h->carrier = c;
        h->loop = incref(loop);
        atomic_store_explicit(&h->missing, c->pool, memory_order_relaxed);
        c->compute = compute_in_pool;
        result = fill(h, address, c->pool);
    }
    xdecref(address);
    return result;
}

/* Keeps what is pending. */
static void close_pool(struct carrier *c)
{
    struct hybrid *h = c->state;
    struct object *pending = exception_take();

    c->compute = NULL;
    c->state = NULL;
    if (h && h->pool && executor_shutdown(h->pool, true, true) < 0)
        exception_restore(NULL);
    if (h) {
        xdecref(h->pool);
        xdecref(h->call);
        xdecref(h->loop);
    }
    free(h);
    exception_restore(pending);
}

static int host(struct carrier *c)
{
    static const struct hosted_around around = { open_pool, close_pool };

    return hosted_run_tasks_with(c, &around);
}

const struct unit unit_hybrid = {
    .about = "tasks of one event loop; what computes is called in a pool of so many threads",
    .carried = CARRIED_BY_A_POOL, .awaits = true, .param = { UNIT_URING_PARAM }, .host = host,
};
