/* handoff.c - objects made by one thread and dropped by another.
 *
 * Workers swap fresh objects into a shared ring and drop what they take out, so where
 * they run at the same time most objects die on a thread that did not make them: the
 * worst case for a policy that favours the maker. (Beside a global lock they seldom do:
 * in one slice a thread walks the ring many times and meets its own.)
 *
 * An object has one owner at any time, and the swap hands over all that the last one
 * did to it; so the counts are right even where they are plain and there is no lock.
 */
#include "benches/workload.h"
#include "objects/exception.h"
#include "objects/int.h"

#include <stdatomic.h>

enum { SLOTS = 256 };

static _Atomic(struct object *) ring[SLOTS]; /* owned; NULL only outside setup .. teardown */

/* Release: the taker must see the object whole. Acquire: we are the taker. */
static struct object *swap(int slot, struct object *o)
{
    return atomic_exchange_explicit(&ring[slot], o, memory_order_acq_rel);
}

static struct object *new_published(int value)
{
    struct object *o = int_new(value);

    if (o)
        publish(o);
    return o;
}

static int setup(struct job *job)
{
    (void)job;
    for (int i = 0; i < SLOTS; i++) {
        struct object *o = new_published(i);

        if (!o)
            return -1;
        swap(i, o);
    }
    return 0;
}

static int step(struct worker *w)
{
    for (int i = 0; i < SLOTS; i++) {
        struct object *fresh = new_published(i);

        if (!fresh)
            return -1;
        decref(swap(i, fresh));
        safepoint(w->thread);
    }
    worker_count(w, SLOTS);
    return 0;
}

/* The workers have gone: the ring alone owns what is in it, each in its place. */
static int check(struct job *job, uint64_t ops)
{
    (void)job;
    (void)ops;
    for (int i = 0; i < SLOTS; i++) {
        borrowed o = atomic_load_explicit(&ring[i], memory_order_acquire);

        if (int_value(o) == i && refcount(o) == 1)
            continue;
        exception_set(&runtime_error, "slot %d holds %lld with %lld references", i,
                      (long long)int_value(o), (long long)refcount(o));
        return -1;
    }
    return 0;
}

static void teardown(struct job *job)
{
    (void)job;
    for (int i = 0; i < SLOTS; i++)
        xdecref(swap(i, NULL));
}

const struct workload workload_handoff = {
    .about = "objects made by one thread and dropped by another",
    .unit = "object", .kind = KIND_CPU, .shares = SHARES_HANDOVER, .least_threads = 1,
    .roles = { { .name = "worker", .per_thread = 1, .step = step } },
    .setup = setup, .check = check, .teardown = teardown,
};
