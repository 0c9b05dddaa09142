/* watch.c - the class that looks at the clock.
 *
 * When a thread is asked to let go it may have the lock again at once, since nobody
 * waits or nobody was fast enough. Which it was says `last`: every thread that gets the
 * lock writes itself there, so after a yield it is another's name if, and only if,
 * another had the lock in between: it is written and read with the lock held. Locks that
 * do not exclude have no such moment, and never ask.
 */
#include "gil/watch.h"

#include "gil/thread.h"

#include <stdlib.h>
#include <string.h>

static struct watch *watch_of(struct gil *gil)
{
    return (struct watch *)gil->class;
}

/* Relaxed: a window is numbers alone, and who sees it late says so in the header. */
static struct gil_window window_of(struct watch *w)
{
    return (struct gil_window){ atomic_load_explicit(&w->from_ns, memory_order_relaxed),
                                atomic_load_explicit(&w->to_ns, memory_order_relaxed) };
}

/* After the clock: what the window says now holds for this moment. */
static void stand(struct watched *me, const struct gil_window *w, enum gil_stand stand,
                  uint64_t now_ns)
{
    gil_stats_stood(&me->stats, w, me->stand, me->since_ns, now_ns);
    me->stand = stand;
    me->since_ns = now_ns;
}

static void record(struct watched *me, const struct gil_window *w, enum moment_kind kind,
                   uint64_t now_ns)
{
    if (me->traced)
        trace_ring_write(&me->ring, w, (struct moment){ now_ns, kind, 0 });
}

/* It waits from now on. */
static void note_wait(struct watch *w, struct watched *me, enum moment_kind kind)
{
    uint64_t now_ns = clock_ns();
    struct gil_window window = window_of(w);

    stand(me, &window, GIL_WAITING, now_ns);
    record(me, &window, kind, now_ns);
}

/* True: another had it since. */
static bool take_over(struct watch *w, const struct thread *t)
{
    if (!w->own->excludes || w->last == t)
        return false;
    w->last = t;
    return true;
}

/* It has the lock; since `me->since_ns` it waited. */
static struct gil_window note_got(struct watch *w, struct watched *me, uint64_t now_ns)
{
    struct gil_window window = window_of(w);

    gil_stats_waited(&me->stats, &window, me->since_ns, now_ns);
    stand(me, &window, GIL_HELD, now_ns);
    record(me, &window, MOMENT_GOT, now_ns);
    return window;
}

static void acquire(struct gil *gil, struct thread *t)
{
    struct watch *w = watch_of(gil);

    if (t->watched)
        note_wait(w, t->watched, MOMENT_ATTACH);
    w->own->acquire(gil, t);
    take_over(w, t);
    if (t->watched)
        note_got(w, t->watched, clock_ns());
}

static void note_detach(struct watch *w, struct watched *me, uint64_t now_ns)
{
    struct gil_window window = window_of(w);

    me->stats.voluntary += (uint64_t)gil_window_has(&window, now_ns);
    stand(me, &window, GIL_WAITING, now_ns);
    record(me, &window, MOMENT_DETACH, now_ns);
}

static void note_released(struct watch *w, struct watched *me, uint64_t now_ns)
{
    struct gil_window window = window_of(w);

    stand(me, &window, GIL_FREE, now_ns);
    record(me, &window, MOMENT_RELEASED, now_ns);
}

/* Some locks keep who was asked until another has the lock: that is waiting, too. Who was not
 * asked is free at once, and one look at the clock is enough. */
static void release(struct gil *gil, struct thread *t)
{
    struct watch *w = watch_of(gil);
    bool is_asked = atomic_load_explicit(&t->breaker, memory_order_relaxed) & BREAKER_GIL;
    uint64_t now_ns = 0;

    if (t->watched) {
        now_ns = clock_ns();
        note_detach(w, t->watched, now_ns);
    }
    w->own->release(gil, t);
    if (t->watched)
        note_released(w, t->watched, is_asked ? clock_ns() : now_ns);
}

static void note_yielded(struct watch *w, struct watched *me, bool forced)
{
    uint64_t now_ns = clock_ns();
    struct gil_window window = note_got(w, me, now_ns);

    if (!gil_window_has(&window, now_ns))
        return;
    me->stats.forced += forced;
    me->stats.in_vain += !forced;
}

static void yield(struct gil *gil, struct thread *t)
{
    struct watch *w = watch_of(gil);
    bool forced;

    if (t->watched)
        note_wait(w, t->watched, MOMENT_YIELD);
    w->own->yield(gil, t);
    forced = take_over(w, t);
    if (t->watched)
        note_yielded(w, t->watched, forced);
}

/* NULL: there is no memory. */
static struct watched *watched_new(const struct watch *w, const struct thread *t)
{
    struct watched *new = aligned_alloc(_Alignof(struct watched), sizeof *new);

    if (!new)
        return NULL;
    memset(new, 0, sizeof *new);
    new->thread = t;
    new->traced = w->places > 0;
    if (new->traced && trace_ring_init(&new->ring, w->places) < 0) {
        free(new);
        return NULL;
    }
    return new;
}

static void enter(struct gil *gil, struct thread *t)
{
    struct watch *w = watch_of(gil);
    struct watched *new = watched_new(w, t);

    mutex_lock(&w->lock);
    if (new) {
        new->number = w->count++;
        new->next = w->first;
        w->first = new;
    } else {
        w->incomplete = true;
    }
    mutex_unlock(&w->lock);
    t->watched = new;
    if (w->own->enter)
        w->own->enter(gil, t);
}

static void leave(struct gil *gil, struct thread *t)
{
    struct watch *w = watch_of(gil);

    if (t->watched) {
        struct gil_window window = window_of(w);

        stand(t->watched, &window, GIL_ABSENT, clock_ns());
    }
    if (w->own->leave)
        w->own->leave(gil, t);
}

/* A lock that wants its bit set at every safe point sets it itself, which asks nobody; so
 * does a thread that means itself. Before the bit is set: the request comes before what it
 * leads to. */
void watch_asked(struct thread *t)
{
    struct watch *w = watch_of(t->gil);
    const struct thread *self = thread_self;
    uint64_t now_ns;
    struct gil_window window;
    struct moment m;

    if (self == t)
        return;
    now_ns = clock_ns();
    window = window_of(w);
    if (gil_window_has(&window, now_ns))
        atomic_fetch_add_explicit(&t->watched->asked, 1, memory_order_relaxed);
    m = (struct moment){ now_ns, MOMENT_REQUEST, t->watched->number };
    if (self && self->gil == t->gil && self->watched && self->watched->traced) {
        trace_ring_write(&self->watched->ring, &window, m);
    } else if (w->places) {
        mutex_lock(&w->lock);
        trace_ring_write(&w->outsiders, &window, m);
        mutex_unlock(&w->lock);
    }
}

void watch_attached(struct thread *t)
{
    uint64_t now_ns = clock_ns();
    struct gil_window window = window_of(watch_of(t->gil));

    stand(t->watched, &window, GIL_HELD, now_ns);
    record(t->watched, &window, MOMENT_GOT, now_ns);
}

struct watch *watch_begin(struct gil *gil, size_t places)
{
    struct watch *w = aligned_alloc(_Alignof(struct watch), sizeof *w);

    if (!w)
        return NULL;
    memset(w, 0, sizeof *w);
    w->gil = gil;
    w->own = gil->class;
    w->class = *gil->class;
    w->class.enter = enter;
    w->class.leave = leave;
    w->class.acquire = acquire;
    w->class.release = release;
    w->class.yield = yield;
    w->places = places;
    atomic_init(&w->from_ns, UINT64_MAX);
    atomic_init(&w->to_ns, UINT64_MAX);
    mutex_init(&w->lock);
    if (places && trace_ring_init(&w->outsiders, places) < 0) {
        free(w);
        return NULL;
    }
    gil->class = &w->class;
    return w;
}

void watch_open(struct watch *w)
{
    atomic_store_explicit(&w->from_ns, clock_ns(), memory_order_relaxed);
}

void watch_close(struct watch *w)
{
    atomic_store_explicit(&w->to_ns, clock_ns(), memory_order_relaxed);
}

void watch_end(struct watch *w)
{
    struct watched *next;

    w->gil->class = w->own;
    for (struct watched *each = w->first; each; each = next) {
        next = each->next;
        trace_ring_fini(&each->ring);
        free(each);
    }
    trace_ring_fini(&w->outsiders);
    mutex_fini(&w->lock);
    free(w);
}

void watch_take(const struct watched *of, struct gil_stats *stats)
{
    *stats = of->stats;
    stats->requests = atomic_load_explicit(&of->asked, memory_order_relaxed);
}
