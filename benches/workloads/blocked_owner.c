/* blocked_owner.c - one thread makes objects and then waits while others drop them.
 *
 * How much memory is held back by an owner that is blocked in a call: CPython gh-157838
 * tells of 20 GB where 10 were needed. The owner makes some thousand objects, hands them
 * over, and waits, detached, until the workers have dropped them all. In that moment, in
 * which nobody needs any of them, `held_back` are those not destroyed: all of them under
 * `biased`, none where whoever drops the last reference destroys.
 *
 * A worker takes a chunk by the lock, and with it all that the owner did to its objects; so
 * the counts are right even where they are plain and there is no lock.
 */
#include "benches/waiting.h"
#include "objects/exception.h"
#include "objects/object.h"

#include <stdlib.h>

enum { OBJECTS };
enum { CHUNK = 64, TALLIES = 64 };

struct item {
    struct object head;
    size_t chunk; /* set once */
};

static struct mutex lock = MUTEX_INIT;
static pthread_cond_t changed = PTHREAD_COND_INITIALIZER;
static struct object **slot;   /* owned, with what is in it: the owner's or a chunk's taker's */
static size_t slots;           /* set once */
static size_t taken, dropped;  /* lock; of `slots` in this round */
static uint64_t dropped_ever;  /* lock */
static uint64_t held_back;     /* lock; the most */

/* By chunk, for each is dropped by one worker. Static, for an object may be destroyed after
 * teardown. */
static struct {
    _Alignas(128) _Atomic uint64_t objects; /* atomic */
} destroyed[TALLIES];

static void item_destroy(struct object *o)
{
    atomic_fetch_add_explicit(&destroyed[((struct item *)o)->chunk % TALLIES].objects, 1,
                              memory_order_relaxed);
}

static const struct type item_type = {
    .name = "item", .size_bytes = sizeof(struct item), .destroy = item_destroy,
};

static uint64_t destroyed_ever(void)
{
    uint64_t sum = 0;

    for (int i = 0; i < TALLIES; i++)
        sum += atomic_load_explicit(&destroyed[i].objects, memory_order_relaxed);
    return sum;
}

static int setup(struct job *job)
{
    for (int i = 0; i < TALLIES; i++)
        atomic_store_explicit(&destroyed[i].objects, 0, memory_order_relaxed);
    slots = taken = dropped = (size_t)job->param[OBJECTS];
    dropped_ever = held_back = 0;
    slot = calloc(slots, sizeof(struct object *));
    if (slot)
        return 0;
    exception_set_no_memory();
    return -1;
}

static int fill(struct worker *w)
{
    for (size_t i = 0; i < slots; i++) {
        struct object *o = object_new(&item_type, sizeof(struct item));

        if (!o)
            return -1;
        ((struct item *)o)->chunk = i / CHUNK;
        publish(o);
        slot[i] = o;
        safepoint(w->thread);
    }
    worker_count(w, slots);
    return 0;
}

/* Detached before there is something to take, so that nothing is dropped beside an owner
 * that still passes safe points. */
static void hand_over_and_wait(struct worker *w)
{
    wait_begin(w->thread, &lock);
    taken = dropped = 0;
    pthread_cond_broadcast(&changed);
    while (dropped < slots && !job_stopping(w->job))
        cond_wait(&changed, &lock);
    wait_end(w->thread, &lock);
}

static int own(struct worker *w)
{
    if (job_stopping(w->job)) /* some may be left in the slots */
        return 0;
    if (fill(w) < 0)
        return -1;
    hand_over_and_wait(w);
    return 0;
}

/* The first slot of the caller's chunk; `slots`: the job is stopping. */
static size_t take_chunk(struct worker *w)
{
    size_t begin;

    wait_begin(w->thread, &lock);
    while (taken == slots && !job_stopping(w->job))
        cond_wait(&changed, &lock);
    begin = taken;
    taken += slots - taken < CHUNK ? slots - taken : CHUNK;
    wait_end(w->thread, &lock);
    return begin;
}

/* The last to do so looks what is held back, and wakes the owner. */
static void report_dropped(size_t count)
{
    mutex_lock(&lock);
    dropped += count;
    dropped_ever += count;
    if (dropped == slots) {
        uint64_t dead = dropped_ever - destroyed_ever();

        held_back = dead > held_back ? dead : held_back;
        pthread_cond_broadcast(&changed);
    }
    mutex_unlock(&lock);
}

static int drop(struct worker *w)
{
    size_t begin = take_chunk(w), end = begin + CHUNK < slots ? begin + CHUNK : slots;

    if (begin == end)
        return 0;
    for (size_t i = begin; i < end; i++) {
        struct object *o = slot[i];

        slot[i] = NULL;
        decref(o);
        safepoint(w->thread);
    }
    report_dropped(end - begin);
    worker_count(w, end - begin);
    return 0;
}

static void interrupt(struct job *job)
{
    (void)job;
    wake_all(&lock, &changed);
}

static int check(struct job *job, uint64_t ops)
{
    uint64_t gone = destroyed_ever();

    job->held_back = held_back;
    job->handed_over = dropped_ever < slots ? 0 : slots; /* or nobody has looked */
    if (dropped_ever == ops && gone == ops)
        return 0;
    exception_set(&runtime_error, "%llu objects dropped, %llu destroyed",
                  (unsigned long long)ops, (unsigned long long)gone);
    return -1;
}

static void teardown(struct job *job)
{
    (void)job;
    for (size_t i = 0; i < slots && slot; i++)
        xdecref(slot[i]);
    free(slot);
    slot = NULL;
}

const struct workload workload_blocked_owner = {
    .about = "one thread makes objects and waits while others drop them: what is held back",
    .unit = "object", .kind = KIND_MIXED, .shares = SHARES_HANDOVER, .least_threads = 1,
    .alone = "wait for one another in the kernel",
    .param = { { "objects", "made before each wait", 4096, 1, 1 << 24 } },
    .roles = {
        { .name = "worker", .per_thread = 1, .step = drop },
        { .name = "owner", .fixed = 1, .step = own },
    },
    .setup = setup, .interrupt = interrupt, .check = check, .teardown = teardown,
};
