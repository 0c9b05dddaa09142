/* pipeline.c - a producer and a consumer that pass items on by what their unit has for that.
 *
 *     thread                  a bounded queue under a mutex, on whose condition both wait
 *     greenlet                hub_sync.h's queue: who waits goes to the hub
 *     coroutine, loops, ...   asyncio's queue: who waits is woken by the loop
 *
 * A pair is on one carrier, so an item stays on its thread but where units are threads. Processes
 * share no objects: between them an item is what each result of the unit `process` is, made by a
 * worker and read by its parent (--unit process:bytes=64).
 *
 * Items are numbers in their order, and the consumer looks at each. Nobody ends what waits in a
 * loop; so there a wait ends by itself after WAIT_NS, which is long beside any.
 */
#include "benches/hosted.h"
#include "benches/job_state.h"
#include "benches/waiting.h"
#include "coroutines/coroutine.h"
#include "coroutines/hub_sync.h"
#include "coroutines/queue.h"
#include "coroutines/timeout.h"
#include "objects/int.h"

enum { CAPACITY = 64, BATCH = 32, WAIT_NS = 10 * NS_PER_MS };
enum { CONSUMER, PRODUCER }; /* roles */

struct pair {
    _Alignas(128) struct mutex lock; /* of threads, as all down to `length` */
    pthread_cond_t changed;
    struct object *ring[CAPACITY]; /* lock; owned */
    size_t first, length;          /* lock */

    struct object *queue; /* owned; its carrier's; NULL: they are threads */
    uint64_t made;        /* the producer */
    uint64_t taken;       /* the consumer */
    uint64_t left;        /* at the end, in the queue */
};

static struct pair *pair_of(const struct worker *w)
{
    return (struct pair *)w->job->state + w->index;
}

static int setup(struct job *job)
{
    struct pair *pairs = aligned_alloc(128, (size_t)job->threads * sizeof *pairs);

    job->state = pairs;
    if (!pairs) {
        exception_set_no_memory();
        return -1;
    }
    for (int i = 0; i < job->threads; i++)
        pairs[i] = (struct pair){ .lock = MUTEX_INIT, .changed = PTHREAD_COND_INITIALIZER };
    return 0;
}

static bool awaits(const struct worker *w)
{
    return w->carrier->unit->awaits;
}

/* The consumer is the first to begin. */
static int begin_consumer(struct worker *w)
{
    struct pair *p = pair_of(w);

    if (!w->carrier || w->carrier->unit->carried == CARRIED_BY_ITSELF)
        return 0;
    p->queue = awaits(w) ? queue_new(CAPACITY) : hub_queue_new(CAPACITY);
    return p->queue ? 0 : -1;
}

static void end_consumer(struct worker *w)
{
    struct pair *p = pair_of(w);

    if (!p->queue)
        return;
    p->left = awaits(w) ? queue_size(p->queue) : hub_queue_length(p->queue);
    decref(p->queue);
    p->queue = NULL;
}

/* 0, and it is counted; -1: it is not the next one. */
static int take_item(struct worker *w, struct object *item /* steals */)
{
    struct pair *p = pair_of(w);
    int64_t number = int_value(item);

    decref(item);
    if (number == (int64_t)p->taken++) {
        worker_count(w, 1);
        return 0;
    }
    exception_set(&runtime_error, "item %lld came instead of %llu", (long long)number,
                  (unsigned long long)p->taken - 1);
    return -1;
}

static void count_made(struct worker *w)
{
    pair_of(w)->made++;
    worker_count(w, 1);
}

/* ---- threads ---- */

/* False: it is full, and `o` is still the caller's. */
static bool ring_put(struct pair *p, struct object *o)
{
    bool room;

    mutex_lock(&p->lock);
    room = p->length < CAPACITY;
    if (room) {
        p->ring[(p->first + p->length++) % CAPACITY] = o;
        pthread_cond_signal(&p->changed);
    }
    mutex_unlock(&p->lock);
    return room;
}

/* The caller's; NULL: it is empty. */
static struct object *ring_take(struct pair *p)
{
    struct object *o = NULL;

    mutex_lock(&p->lock);
    if (p->length) {
        o = p->ring[p->first];
        p->first = (p->first + 1) % CAPACITY;
        p->length--;
        pthread_cond_signal(&p->changed);
    }
    mutex_unlock(&p->lock);
    return o;
}

static void wait_while_length_is(struct worker *w, struct pair *p, size_t not_this)
{
    wait_begin(w->thread, &p->lock);
    while (p->length == not_this && !job_stopping(w->job))
        cond_wait(&p->changed, &p->lock);
    wait_end(w->thread, &p->lock);
}

static int produce_in_ring(struct worker *w, struct pair *p, struct object *item /* steals */)
{
    publish(item);
    while (!ring_put(p, item)) {
        if (job_stopping(w->job)) {
            decref(item);
            return 0;
        }
        wait_while_length_is(w, p, CAPACITY);
    }
    count_made(w);
    return 0;
}

static int consume_from_ring(struct worker *w, struct pair *p)
{
    struct object *item = ring_take(p);

    if (item)
        return take_item(w, item);
    wait_while_length_is(w, p, 0);
    return 0;
}

/* ---- greenlets ---- */

static int produce_in_hub(struct worker *w, struct pair *p, struct object *item /* steals */)
{
    int put = hub_queue_put(p->queue, item, clock_ns() + WAIT_NS);

    decref(item);
    if (put > 0)
        count_made(w);
    return put < 0 ? -1 : 0;
}

static int consume_from_hub(struct worker *w, struct pair *p)
{
    struct object *item;
    int got = hub_queue_get(p->queue, &item, clock_ns() + WAIT_NS);

    return got > 0 ? take_item(w, item) : got;
}

/* ---- both ---- */

static int produce(struct worker *w)
{
    struct pair *p = pair_of(w);

    for (int i = 0; i < BATCH && !job_stopping(w->job); i++) {
        struct object *item = int_new((int64_t)p->made);
        int result = -1;

        if (item)
            result = p->queue ? produce_in_hub(w, p, item) : produce_in_ring(w, p, item);
        if (result < 0)
            return -1;
        safepoint(w->thread);
    }
    return 0;
}

static int consume(struct worker *w)
{
    struct pair *p = pair_of(w);

    for (int i = 0; i < BATCH && !job_stopping(w->job); i++) {
        if ((p->queue ? consume_from_hub(w, p) : consume_from_ring(w, p)) < 0)
            return -1;
        safepoint(w->thread);
    }
    return 0;
}

/* ---- tasks ---- */

enum { WORKER, TIMEOUT, ITEM, REFERENCES }; /* of a frame; only the producer's has an item */
enum { BEGINS, WAITS };

/* As many as there is room for; how many, or -1. */
static int produce_at_once(struct worker *w)
{
    struct pair *p = pair_of(w);
    int done = 0;

    for (; done < BATCH && !queue_full(p->queue); done++) {
        struct object *item = int_new((int64_t)p->made);
        int result = item ? queue_put_nowait(p->queue, item) : -1;

        xdecref(item);
        if (result < 0)
            return -1;
        count_made(w);
        safepoint(w->thread);
    }
    return done;
}

static int consume_at_once(struct worker *w)
{
    struct pair *p = pair_of(w);
    int done = 0;

    for (; done < BATCH && !queue_empty(p->queue); done++) {
        struct object *item = queue_get_nowait(p->queue);

        if (!item || take_item(w, item) < 0)
            return -1;
        safepoint(w->thread);
    }
    return done;
}

/* What is awaited; NULL: MemoryError. */
static struct object *new_wait(struct frame *f, struct worker *w)
{
    struct pair *p = pair_of(w);

    if (w->role == CONSUMER)
        return queue_get(p->queue);
    f->reference[ITEM] = int_new((int64_t)p->made);
    return f->reference[ITEM] ? queue_put(p->queue, f->reference[ITEM]) : NULL;
}

static enum turn wait(struct frame *f, struct worker *w, struct object **result)
{
    f->reference[TIMEOUT] = timeout_after(WAIT_NS);
    if (!f->reference[TIMEOUT] || timeout_enter(f->reference[TIMEOUT]) < 0)
        return TURN_ERROR;
    f->at = WAITS;
    *result = new_wait(f, w);
    if (*result)
        return TURN_FROM;
    timeout_exit(f->reference[TIMEOUT]);
    return TURN_ERROR;
}

/* It has failed, or nothing has come. */
static enum turn end_wait(struct frame *f, borrowed thrown, struct object **result)
{
    if (f->at != WAITS)
        return frame_raise(thrown);
    exception_restore(incref(thrown));
    timeout_exit(f->reference[TIMEOUT]);
    if (!exception_matches(&timeout_error))
        return TURN_ERROR;
    exception_restore(NULL);
    return frame_return(result);
}

static enum turn take_wait(struct frame *f, struct worker *w, borrowed value,
                           struct object **result)
{
    if (timeout_exit(f->reference[TIMEOUT]) < 0)
        return TURN_ERROR;
    if (w->role == PRODUCER)
        count_made(w);
    else if (take_item(w, incref(value)) < 0)
        return TURN_ERROR;
    return frame_return(result);
}

static enum turn await(struct frame *f, enum resume how, borrowed argument, struct object **result)
{
    struct worker *w = worker_at(f->reference[WORKER]);
    int done;

    if (how == RESUME_THROW)
        return end_wait(f, argument, result);
    if (f->at == WAITS)
        return take_wait(f, w, argument, result);
    done = w->role == PRODUCER ? produce_at_once(w) : consume_at_once(w);
    if (done < 0)
        return TURN_ERROR;
    return done ? frame_return(result) : wait(f, w, result);
}

static const struct body await_step = {
    .name = "pipeline_step", .kind = COROUTINE, .resume = await, .references = REFERENCES,
};

/* ---- the job ---- */

static void interrupt(struct job *job)
{
    struct pair *pairs = job->state;

    for (int i = 0; pairs && i < job->threads; i++)
        wake_all(&pairs[i].lock, &pairs[i].changed);
}

/* Nobody else is there any more. */
static int check(struct job *job, uint64_t ops) NO_LOCK_ANALYSIS
{
    const struct pair *pairs = job->state;
    uint64_t made = 0, left = 0;

    for (int i = 0; i < job->threads; i++) {
        made += pairs[i].made;
        left += pairs[i].left + pairs[i].length;
    }
    if (made == ops + left)
        return 0;
    exception_set(&runtime_error, "of %llu items %llu came, and %llu are left",
                  (unsigned long long)made, (unsigned long long)ops, (unsigned long long)left);
    return -1;
}

static void teardown(struct job *job)
{
    struct pair *pairs = job->state;
    struct object *o;

    for (int i = 0; pairs && i < job->threads; i++)
        while ((o = ring_take(&pairs[i])))
            decref(o);
    job_state_free(job);
}

const struct workload workload_pipeline = {
    .about = "a producer and a consumer that pass items on as their unit does (threads: pairs)",
    .unit = "item", .kind = KIND_MIXED, .shares = SHARES_HANDOVER, .least_threads = 1,
    .roles = {
        { .name = "consumer", .per_thread = 1, .begin = begin_consumer, .step = consume,
          .end = end_consumer, .await_step = &await_step },
        { .name = "producer", .per_thread = 1, .step = produce, .await_step = &await_step },
    },
    .setup = setup, .interrupt = interrupt, .check = check, .teardown = teardown,
};
