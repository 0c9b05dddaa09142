/* bare_pool.c - the same without objects: two threads, a ring, a lock, a word to sleep on.
 *
 * A call is a struct that stands ready, with a word for its result. There is nothing to make,
 * to count or to publish, and no lock of a runtime to let go of. Threads rest, look and sleep as
 * those of pool_submit do (coroutines/thread_pool.c).
 */
#include "benches/micro.h"

#include "benches/workload.h"
#include "coroutines/block.h"
#include "gil/futex.h"
#include "objects/exception.h"

#include <pthread.h>

enum { WORKERS = 2, BURST = 64, RING = 128 };

struct bare_call {
    uint64_t (*function)(uint64_t argument);
    uint64_t argument, result;
    _Atomic uint32_t done; /* block.h */
};

struct bare_worker {
    _Alignas(128) _Atomic uint32_t wake; /* block.h */
    struct bare_worker *next_idle;       /* lock */
    pthread_t id;                        /* set once */
};

static struct {
    _Alignas(128) pthread_mutex_t lock;
    struct bare_call *ring[RING]; /* lock */
    uint32_t first, length;       /* lock */
    bool stopping;                /* lock */
    struct bare_worker *idle;     /* lock; who came last first */
    struct bare_worker workers[WORKERS];
    struct bare_call calls[BURST];
} bare;

static uint64_t do_nothing(uint64_t argument)
{
    return argument;
}

/* As block_until, by a thread that is none of the runtime. */
static void wait_until_over(_Atomic uint32_t *word)
{
    for (int i = 0; i < BLOCK_SPIN; i++) {
        if (block_is_over(word))
            return;
        relax();
    }
    while (!(atomic_fetch_or_explicit(word, BLOCK_SLEEPS, memory_order_acq_rel) & BLOCK_OVER))
        futex_wait(word, BLOCK_SLEEPS);
}

/* NULL: there is none now, and if there may be one later, the worker is idle. */
static struct bare_call *take_or_rest(struct bare_worker *w, bool *stay)
{
    struct bare_call *call = NULL;

    pthread_mutex_lock(&bare.lock);
    *stay = bare.length || !bare.stopping;
    if (bare.length) {
        call = bare.ring[bare.first++ % RING];
        bare.length--;
    } else if (*stay) {
        atomic_store_explicit(&w->wake, 0, memory_order_relaxed);
        w->next_idle = bare.idle;
        bare.idle = w;
    }
    pthread_mutex_unlock(&bare.lock);
    return call;
}

static void *work(void *argument)
{
    struct bare_call *call;
    bool stay = true;

    while (stay)
        if ((call = take_or_rest(argument, &stay))) {
            call->result = call->function(call->argument);
            block_end(&call->done);
        } else if (stay) {
            wait_until_over(&((struct bare_worker *)argument)->wake);
        }
    return NULL;
}

static struct bare_worker *take_idle(void)
{
    struct bare_worker *w = bare.idle;

    if (w)
        bare.idle = w->next_idle;
    return w;
}

static void put(struct bare_call *call)
{
    struct bare_worker *idle;

    call->function = do_nothing;
    atomic_store_explicit(&call->done, 0, memory_order_relaxed);
    pthread_mutex_lock(&bare.lock);
    bare.ring[(bare.first + bare.length++) % RING] = call;
    idle = take_idle();
    pthread_mutex_unlock(&bare.lock);
    if (idle)
        block_end(&idle->wake);
}

static void stop(int started)
{
    struct bare_worker *idle;

    pthread_mutex_lock(&bare.lock);
    bare.stopping = true;
    while ((idle = take_idle()))
        block_end(&idle->wake);
    pthread_mutex_unlock(&bare.lock);
    for (int i = 0; i < started; i++)
        pthread_join(bare.workers[i].id, NULL);
    pthread_mutex_destroy(&bare.lock);
}

static void teardown(void)
{
    stop(WORKERS);
}

static int setup(void)
{
    int started, error = 0;

    pthread_mutex_init(&bare.lock, NULL);
    bare.first = bare.length = 0;
    bare.idle = NULL;
    bare.stopping = false;
    for (started = 0; started < WORKERS && !error; started += !error)
        error = pthread_create(&bare.workers[started].id, NULL, work, &bare.workers[started]);
    if (!error)
        return 0;
    stop(started);
    errno = error;
    exception_set_errno("pthread_create");
    return -1;
}

MEASURED static void run(uint64_t iterations)
{
    for (uint64_t done = 0; done < iterations; done += BURST) {
        for (int i = 0; i < BURST; i++)
            put(&bare.calls[i]);
        for (int i = 0; i < BURST; i++) {
            wait_until_over(&bare.calls[i].done);
            barrier(bare.calls[i].result);
        }
    }
}

const struct micro micro_bare_pool = {
    .about = "the same by two bare threads, a ring and a futex: what pool_submit cannot beat",
    .once = true, .setup = setup, .run = run, .teardown = teardown,
};
