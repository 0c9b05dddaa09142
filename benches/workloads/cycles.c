/* cycles.c - each thread makes small rings of objects and drops them.
 *
 * A list that holds itself; two dicts that hold each other; an instance whose dict holds the
 * instance. No count of them reaches zero: they are garbage, and only the cycle collector
 * finds it, for which it stops all threads. How often, and how long, `lab show --pauses` says.
 *
 * Each ring holds a bead, whose destructor is counted. In the end a last collection of all
 * must have destroyed as many as there were rings.
 *
 * Where counts may go wrong nothing is collected: with plain counts and no lock. There each
 * worker opens its rings by itself: that is the same work without the collector.
 */
#include "benches/field.h"
#include "benches/job_state.h"
#include "benches/program.h"
#include "objects/collector.h"
#include "objects/dict.h"
#include "objects/exception.h"
#include "objects/list.h"

enum { ROUNDS = 32, RINGS = 3, TALLIES = 64 };
enum { RING, BEAD, NAMES };

/* By maker, or all destructors would fight for one line. */
struct tally {
    _Alignas(128) _Atomic uint64_t beads; /* atomic; that were destroyed */
};

struct bead {
    struct object head;
    struct tally *tally; /* set once */
};

/* A worker's own, so that threads share nothing. */
struct text {
    struct object *names, *class; /* owned */
    const struct thread *thread;  /* which has them */
};

static void bead_destroy(struct object *o)
{
    atomic_fetch_add_explicit(&((struct bead *)o)->tally->beads, 1, memory_order_relaxed);
}

static const struct type bead_type = {
    .name = "bead", .size_bytes = sizeof(struct bead), .destroy = bead_destroy,
};

static struct object *bead_new(struct tally *tally)
{
    struct object *o = object_new(&bead_type, sizeof(struct bead));

    if (o)
        ((struct bead *)o)->tally = tally;
    return o;
}

/* Each makes a ring of new objects around the bead, and opens it again if it is told to. 0,
 * or -1. */

static int ring_of_list(const struct text *text, borrowed bead, bool open)
{
    struct object *list = list_new();
    int result = -1;

    (void)text;
    if (list && list_append(list, bead) == 0)
        result = list_append(list, list);
    if (open && result == 0)
        xdecref(list_pop(list));
    xdecref(list);
    return result;
}

static int ring_of_dicts(const struct text *text, borrowed bead, bool open)
{
    borrowed ring = tuple_get(text->names, RING);
    struct object *one = dict_new(), *other = dict_new();
    int result = -1;

    if (one && other && dict_set(one, tuple_get(text->names, BEAD), bead) == 0 &&
        dict_set(one, ring, other) == 0)
        result = dict_set(other, ring, one);
    if (open && result == 0)
        result = dict_delete(other, ring);
    xdecref(one);
    xdecref(other);
    return result;
}

static int ring_of_instance(const struct text *text, borrowed bead, bool open)
{
    struct object *o = instance_new(text->class);
    int result = -1;

    if (o && field_set(text->names, o, BEAD, bead) == 0)
        result = field_set(text->names, o, RING, o);
    if (open && result == 0)
        result = attribute_delete(o, tuple_get(text->names, RING));
    xdecref(o);
    return result;
}

typedef int make_ring(const struct text *text, borrowed bead, bool open);

static make_ring *const make[RINGS] = { ring_of_list, ring_of_dicts, ring_of_instance };

static int setup(struct job *job)
{
    struct tally *destroyed = aligned_alloc(128, TALLIES * sizeof *destroyed);

    job->state = destroyed;
    if (!destroyed) {
        exception_set_no_memory();
        return -1;
    }
    for (int i = 0; i < TALLIES; i++)
        atomic_init(&destroyed[i].beads, 0);
    return 0;
}

static int begin(struct worker *w)
{
    static const char *const words[NAMES] = { "ring", "bead" };
    struct text *text = calloc(1, sizeof *text);

    w->state = text;
    if (!text) {
        exception_set_no_memory();
        return -1;
    }
    text->names = program_names(NAMES, words);
    text->class = class_new("Ring", NULL);
    text->thread = w->thread;
    return text->names && text->class ? 0 : -1;
}

/* Another thread goes on (benches/units/hybrid.c): from now on rings that one has dropped, and only
 * the collector will find there, lead to what the next one uses. */
static void change_thread(struct text *text, const struct thread *thread)
{
    publish(text->names);
    publish(text->class);
    text->thread = thread;
}

static int step(struct worker *w)
{
    struct tally *destroyed = w->job->state;
    struct text *text = w->state;
    bool open = !collector_works();

    if (unlikely(text->thread != w->thread))
        change_thread(text, w->thread);
    for (int i = 0; i < ROUNDS * RINGS; i++) {
        struct object *bead = bead_new(&destroyed[w->index % TALLIES]);
        int result = bead ? make[i % RINGS](text, bead, open) : -1;

        xdecref(bead);
        if (result < 0)
            return -1;
        safepoint(w->thread);
    }
    worker_count(w, ROUNDS * RINGS);
    return 0;
}

static void end(struct worker *w)
{
    struct text *text = w->state;

    if (!text)
        return;
    xdecref(text->class);
    xdecref(text->names);
    free(text);
}

/* A last time, for what was dropped since the last collection. */
static void collect_the_rest(void)
{
    collect(GENERATION_ALL);
    rc_quiesce();
}

static int check(struct job *job, uint64_t ops)
{
    const struct tally *destroyed = job->state;
    uint64_t sum = 0;

    collect_the_rest();
    for (int i = 0; i < TALLIES; i++)
        sum += atomic_load_explicit(&destroyed[i].beads, memory_order_relaxed);
    if (sum == ops)
        return 0;
    exception_set(&runtime_error, "of %llu rings %llu were collected", (unsigned long long)ops,
                  (unsigned long long)sum);
    return -1;
}

/* After a failure nobody has checked. */
static void teardown(struct job *job)
{
    collect_the_rest();
    job_state_free(job);
}

const struct workload workload_cycles = {
    .about = "each thread makes small rings of objects, which only the collector frees",
    .unit = "ring", .kind = KIND_CPU, .shares = SHARES_NOTHING, .least_threads = 1,
    .isolated = true,
    .roles = { { .name = "worker", .per_thread = 1, .begin = begin, .step = step, .end = end } },
    .setup = setup, .check = check, .teardown = teardown,
};
