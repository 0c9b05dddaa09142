/* ring_thread.c - threads in a ring pass a token on: ring.h.
 *
 * Each unit is a thread of the runtime, under the same lock as the one that starts it, and bound as
 * that is. One that waits is detached, and looks a few times before it sleeps (coroutines/block.h).
 */
#include "benches/ring.h"
#include "coroutines/recruit.h"
#include "coroutines/block.h"

#include <errno.h>
#include <stdlib.h>

enum { SPIN = RING_UNITS + 1 };
enum { UNITS_MOST = 1000 };

/* Where a token is handed over: who waits for it takes it. */
struct place {
    _Alignas(128) _Atomic uint32_t full; /* block.h */
    struct object *token;                /* owned; NULL: it could not be made, or there is none */
};

struct state {
    int64_t units, started;
    uint32_t spin;
    bool ends;             /* set before the last token of all */
    _Atomic int64_t there; /* threads that have not left, and the worker until it ends */
    _Atomic uint32_t gone; /* block.h */
    struct place place[];  /* of each unit, and behind them the worker's */
};

static void give(struct place *p, struct object *token /* steals; may be NULL */)
{
    if (token)
        publish(token);
    p->token = token;
    block_end(&p->full);
}

static struct object *take(struct place *p, uint32_t spin)
{
    struct object *token;

    block_until(&p->full, BLOCK_FOREVER, spin);
    token = p->token;
    p->token = NULL;
    /* The next is given by who waits, now, for what this one is for. */
    atomic_store_explicit(&p->full, 0, memory_order_relaxed);
    return token;
}

/* A unit that has no memory passes nothing on, and the worker tells. */
static void pass_on(struct state *s, struct place *p)
{
    struct object *token = take(p, s->spin);

    if (token)
        token = ring_turn(token);
    if (!token)
        exception_restore(NULL);
    give(p + 1, token);
}

static void leave(void *kept)
{
    struct state *s = kept;

    if (atomic_fetch_sub_explicit(&s->there, 1, memory_order_acq_rel) == 1)
        block_end(&s->gone);
}

struct start {
    struct recruit recruit;
    struct place *place;
};

/* The last round is the one that passes the end on. */
static void be_unit(struct thread *self, struct recruit *r)
{
    struct state *s = r->kept;
    struct place *p = ((struct start *)r)->place;
    bool ends = false;

    recruit_ready(r);
    while (!ends) {
        block_until(&p->full, BLOCK_FOREVER, s->spin);
        ends = s->ends;
        pass_on(s, p);
        safepoint(self);
    }
}

static int start_unit(struct state *s, struct place *p)
{
    struct start start = {
        .recruit = { .name = "unit", .body = be_unit, .after = leave, .kept = s }, .place = p,
    };

    atomic_fetch_add_explicit(&s->there, 1, memory_order_relaxed);
    errno = recruit_start(&start.recruit);
    if (!errno) {
        s->started++;
        return 0;
    }
    atomic_fetch_sub_explicit(&s->there, 1, memory_order_relaxed);
    exception_set_errno("pthread_create");
    return -1;
}

/* From the last to the first: so those that have started pass on what they are given. */
static int begin(struct worker *w)
{
    int64_t units = w->job->param[RING_UNITS];
    size_t size_bytes = sizeof(struct state) + ((size_t)units + 1) * sizeof(struct place);
    struct state *s = aligned_alloc(128, (size_bytes + 127) / 128 * 128);

    w->state = s;
    if (!s) {
        exception_set_no_memory();
        return -1;
    }
    *s = (struct state){ .units = units, .spin = (uint32_t)w->job->param[SPIN], .there = 1 };
    for (int64_t i = 0; i <= units; i++)
        s->place[i] = (struct place){ .token = NULL };
    while (s->started < units)
        if (start_unit(s, &s->place[units - s->started - 1]) < 0)
            return -1;
    return 0;
}

static int step(struct worker *w)
{
    struct state *s = w->state;
    struct object *token = int_new(0);

    if (!token)
        return -1;
    give(&s->place[0], token);
    token = take(&s->place[s->units], s->spin);
    if (!token)
        exception_set_no_memory();
    return ring_end_lap(w, token);
}

/* The end goes round as a token does. Then nobody is on the way to a place that is freed here. */
static void end(struct worker *w)
{
    struct state *s = w->state;

    if (!s)
        return;
    s->ends = true;
    if (s->started) {
        give(&s->place[s->units - s->started], NULL);
        take(&s->place[s->units], s->spin);
    }
    leave(s);
    block_until(&s->gone, BLOCK_FOREVER, s->spin);
    free(s);
    w->state = NULL;
}

const struct workload workload_ring_thread = {
    .about = "threads in a ring pass a token on, under the same lock", .unit = "hand-over",
    .kind = KIND_IO, .shares = SHARES_HANDOVER, .least_threads = 1, .has_threads = true,
    .alone = "wait for their ring in the kernel",
    .param = { { "units", RING_ABOUT, RING_UNITS_STANDARD, 1, UNITS_MOST },
               { "spin", "how often a unit looks before it sleeps", BLOCK_SPIN, 0, 1000000 } },
    .roles = { { .name = "first", .per_thread = 1, .begin = begin, .step = step, .end = end } },
};
