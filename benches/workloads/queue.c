/* queue.c - producers make objects and put them in a bounded queue, consumers drop them.
 *
 * The pipeline of a server, and the worst case for biased counts: no object dies on the
 * thread that made it. `handoff` is the same without waiting, between threads that all do
 * both. `threads` is the number of pairs.
 *
 * An object has one owner at any time, and the queue's lock hands over all that the last
 * one did to it; so the counts are right even where they are plain and there is no lock.
 */
#include "benches/waiting.h"
#include "objects/exception.h"
#include "objects/int.h"

enum { CAPACITY = 256, BATCH = 64 };

static struct mutex lock = MUTEX_INIT;
static pthread_cond_t changed = PTHREAD_COND_INITIALIZER;
static struct object *ring[CAPACITY]; /* lock; owned */
static size_t first, length;          /* lock */
static uint64_t produced, sum;        /* lock; the sum is of what is in the queue */

static int setup(struct job *job)
{
    (void)job;
    first = length = 0;
    produced = sum = 0;
    return 0;
}

/* False: it is full, and `o` is still the caller's. */
static bool put(struct object *o)
{
    bool room;

    mutex_lock(&lock);
    room = length < CAPACITY;
    if (room) {
        ring[(first + length++) % CAPACITY] = o;
        produced++;
        sum += (uint64_t)int_value(o);
        pthread_cond_broadcast(&changed);
    }
    mutex_unlock(&lock);
    return room;
}

/* The caller's; NULL: it is empty. */
static struct object *take(void)
{
    struct object *o = NULL;

    mutex_lock(&lock);
    if (length) {
        o = ring[first];
        first = (first + 1) % CAPACITY;
        length--;
        sum -= (uint64_t)int_value(o);
        pthread_cond_broadcast(&changed);
    }
    mutex_unlock(&lock);
    return o;
}

static void wait_while_length_is(struct worker *w, size_t not_this)
{
    wait_begin(w->thread, &lock);
    while (length == not_this && !job_stopping(w->job))
        cond_wait(&changed, &lock);
    wait_end(w->thread, &lock);
}

static int produce(struct worker *w)
{
    for (int i = 0; i < BATCH; i++) {
        struct object *o = int_new((int64_t)worker_random(w));

        if (!o)
            return -1;
        publish(o);
        while (!put(o)) {
            if (job_stopping(w->job)) {
                decref(o);
                return 0;
            }
            wait_while_length_is(w, CAPACITY);
        }
        worker_count(w, 1);
        safepoint(w->thread);
    }
    return 0;
}

static int consume(struct worker *w)
{
    int taken = 0;

    while (taken < BATCH) {
        struct object *o = take();

        if (o) {
            decref(o);
            taken++;
        } else if (job_stopping(w->job)) {
            break;
        } else {
            wait_while_length_is(w, 0);
        }
        safepoint(w->thread);
    }
    worker_count(w, (uint64_t)taken);
    return 0;
}

static void interrupt(struct job *job)
{
    (void)job;
    wake_all(&lock, &changed);
}

/* Drops what is left in the queue. */
static void teardown(struct job *job)
{
    struct object *o;

    (void)job;
    while ((o = take()))
        decref(o);
}

/* What was produced has been consumed or is still there, each as it was. */
static int check(struct job *job, uint64_t ops)
{
    uint64_t left = 0;

    (void)job;
    mutex_lock(&lock);
    for (size_t i = 0; i < length; i++)
        left += (uint64_t)int_value(ring[(first + i) % CAPACITY]);
    bool right = produced == ops + length && left == sum;
    mutex_unlock(&lock);
    if (right)
        return 0;
    exception_set(&runtime_error, "%llu produced, %llu consumed, and the sum is off by %lld",
                  (unsigned long long)produced, (unsigned long long)ops,
                  (long long)(left - sum));
    return -1;
}

const struct workload workload_queue = {
    .about = "producers put objects in a bounded queue, consumers drop them (threads: pairs)",
    .unit = "object", .kind = KIND_MIXED, .shares = SHARES_HANDOVER, .least_threads = 1,
    .alone = "wait for one another in the kernel",
    .roles = {
        { .name = "consumer", .per_thread = 1, .step = consume },
        { .name = "producer", .per_thread = 1, .step = produce },
    },
    .setup = setup, .interrupt = interrupt, .check = check, .teardown = teardown,
};
