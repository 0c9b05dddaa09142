/* last_words.c - a destructor that reads what two threads wrote.
 *
 * A worker makes a note with two references, hands one over by a shared ring, and then
 * writes its word and drops the other. Who takes the note out of the ring writes the
 * second word and drops its reference. Whoever drops the last destroys the note, and
 * the destructor hears both words. A decref that orders too little loses a word: TSan
 * sees the race, and `check` the missing sum (once counts are quiesced: a policy may
 * destroy late). An all-relaxed decref gets through `handoff`, `churn` and `shared_read`.
 */
#include "benches/workload.h"
#include "objects/exception.h"
#include "objects/object.h"

#include <stdatomic.h>

enum { SLOTS = 256, TALLIES = 64 };

struct note {
    struct object head;
    int maker;      /* set once */
    int32_t first;  /* by its maker, until it drops its reference; 1: said */
    int32_t second; /* by its taker, likewise */
};

static _Atomic(struct object *) ring[SLOTS]; /* owned; NULL only outside setup .. teardown */

/* By maker, or all destructors would fight for one line. Static, for a note may be
 * destroyed after teardown. */
static struct {
    _Alignas(128) _Atomic uint64_t words; /* atomic */
} heard[TALLIES];

static void note_destroy(struct object *o)
{
    const struct note *note = (const struct note *)o;

    atomic_fetch_add_explicit(&heard[note->maker % TALLIES].words,
                              (uint64_t)(note->first + note->second), memory_order_relaxed);
}

static const struct type note_type = {
    .name = "note", .size_bytes = sizeof(struct note), .destroy = note_destroy,
};

/* Release: the taker must see the note whole. Acquire: we are the taker. */
static struct object *swap(int slot, struct object *o)
{
    return atomic_exchange_explicit(&ring[slot], o, memory_order_acq_rel);
}

/* A new note in this slot with both words still to be said; the note that was there. */
static struct object *pass_on(int slot, int maker, struct object **own)
{
    struct object *o = object_new(&note_type, sizeof(struct note));
    struct note *note = (struct note *)o;

    *own = o;
    if (!o)
        return NULL;
    note->maker = maker;
    note->first = note->second = 0;
    publish(o);
    return swap(slot, incref(o));
}

static void say(int32_t *word, struct object *note)
{
    *word = 1;
    barrier(note);
    decref(note);
}

static int setup(struct job *job)
{
    (void)job;
    for (int i = 0; i < TALLIES; i++)
        atomic_store_explicit(&heard[i].words, 0, memory_order_relaxed);
    for (int i = 0; i < SLOTS; i++) {
        struct object *own;

        pass_on(i, i, &own);
        if (!own)
            return -1;
        say(&((struct note *)own)->first, own);
    }
    return 0;
}

static int step(struct worker *w)
{
    for (int i = 0; i < SLOTS; i++) {
        struct object *own, *taken = pass_on(i, w->index, &own);

        if (!own)
            return -1;
        say(&((struct note *)own)->first, own);
        say(&((struct note *)taken)->second, taken);
        safepoint(w->thread);
    }
    worker_count(w, SLOTS);
    return 0;
}

static uint64_t words_heard(void)
{
    uint64_t sum = 0;

    for (int i = 0; i < TALLIES; i++)
        sum += atomic_load_explicit(&heard[i].words, memory_order_relaxed);
    return sum;
}

/* As many notes were taken, and so destroyed, as were made by the workers. While
 * objects are parked none is destroyed, and the audit counts. */
static int check(struct job *job, uint64_t ops)
{
    uint64_t sum = words_heard();

    (void)job;
    if (sum == 2 * ops || parking)
        return 0;
    exception_set(&runtime_error, "heard %llu words of %llu", (unsigned long long)sum,
                  (unsigned long long)(2 * ops));
    return -1;
}

static void teardown(struct job *job)
{
    (void)job;
    for (int i = 0; i < SLOTS; i++)
        xdecref(swap(i, NULL));
}

const struct workload workload_last_words = {
    .about = "a destructor that reads what two threads wrote",
    .unit = "note", .kind = KIND_CPU, .shares = SHARES_WRITES, .least_threads = 1,
    .roles = { { .name = "worker", .per_thread = 1, .step = step } },
    .setup = setup, .check = check, .teardown = teardown,
};
