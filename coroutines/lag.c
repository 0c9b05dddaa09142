/* lag.c - the loop's books, and the watchdog that reads who runs. */
#include "coroutines/lag.h"

#include "gil/lookout.h"
#include "gil/mutex.h"
#include "objects/exception.h"
#include "objects/heap.h"

#include <assert.h>

struct lag *lag_new(void)
{
    struct lag *lag = heap_alloc_table(sizeof *lag);

    if (!lag) {
        exception_set_no_memory();
        return NULL;
    }
    memset(lag, 0, sizeof *lag);
    atomic_init(&lag->running, NULL);
    atomic_init(&lag->serial, 0);
    lag->first_ns = clock_ns();
    lag->first_ticks = lag_ticks();
    return lag;
}

void lag_free(struct lag *lag)
{
    assert(!lag->link && "it runs");
    heap_free_table(lag, sizeof *lag);
}

/* ---- the books ---- */

const char *lag_running(const struct lag *lag)
{
    return atomic_load_explicit(&lag->running, memory_order_relaxed);
}

void lag_note_slowest(struct lag *lag, uint32_t among)
{
    lag->slowest_ticks = lag->took_ticks;
    lag->figures.slowest_among = among;
    lag->figures.slowest = lag_running(lag);
}

/* From all the time since the loop was made, the better the longer that is. */
static double ns_per_tick(const struct lag *lag)
{
    uint64_t ns = clock_ns() - lag->first_ns, ticks = lag_ticks() - lag->first_ticks;

    return ticks ? (double)ns / (double)ticks : 1;
}

static uint64_t in_ns(uint64_t ticks, double rate)
{
    return (uint64_t)((double)ticks * rate);
}

uint64_t lag_took_ns(const struct lag *lag)
{
    return in_ns(lag->took_ticks, ns_per_tick(lag));
}

static void convert(const struct histogram *ticks, double rate, struct histogram *ns)
{
    *ns = (struct histogram){ .count = ticks->count, .max_ns = in_ns(ticks->max_ns, rate) };
    for (int i = 0; i < HISTOGRAM_BUCKETS; i++)
        if (ticks->bucket[i])
            ns->bucket[histogram_bucket(in_ns(histogram_middle(i), rate))] += ticks->bucket[i];
}

void lag_figures_of(const struct lag *lag, struct lag_figures *figures)
{
    double rate = ns_per_tick(lag);

    *figures = lag->figures;
    figures->callbacks = lag->figures.callback_ns.count;
    figures->slowest_ns = in_ns(lag->slowest_ticks, rate);
    convert(&lag->figures.callback_ns, rate, &figures->callback_ns);
}

/* ---- the watchdog ---- */

enum { LOOKS = 4 }; /* in the time after which it tells */

static struct {
    struct mutex lock;
    struct lag *first;    /* lock; of those that run */
    uint64_t patience_ns; /* set once, before it runs */
    lag_tell *tell;       /* set once, before it runs */
} lags = { .lock = MUTEX_INIT };

void lag_watch(struct lag *lag)
{
    mutex_lock(&lags.lock);
    lag->seen_serial = UINT64_MAX;
    lag->next = lags.first;
    lag->link = &lags.first;
    if (lag->next)
        lag->next->link = &lag->next;
    lags.first = lag;
    mutex_unlock(&lags.lock);
}

void lag_unwatch(struct lag *lag)
{
    mutex_lock(&lags.lock);
    *lag->link = lag->next;
    if (lag->next)
        lag->next->link = lag->link;
    lag->link = NULL;
    mutex_unlock(&lags.lock);
}

void lag_set_name(struct lag *lag, const char *name)
{
    mutex_lock(&lags.lock);
    lag->name = name;
    mutex_unlock(&lags.lock);
}

/* Relaxed: a name that is not of the same callback as the number belongs to the one before or
 * after, and then the next look sees another number. */
static void look_at(struct lag *lag, uint64_t now_ns, uint64_t patience_ns, lag_tell *tell)
{
    uint64_t serial = atomic_load_explicit(&lag->serial, memory_order_relaxed), since_ns;
    const char *name = lag_running(lag);

    if (!name || serial != lag->seen_serial) {
        lag->seen_serial = serial;
        lag->seen_ns = now_ns;
        lag->told_ns = 0;
        return;
    }
    since_ns = now_ns - lag->seen_ns;
    if (since_ns < patience_ns || since_ns < 2 * lag->told_ns)
        return;
    lag->told_ns = since_ns;
    tell(lag->name ? lag->name : "loop", name, since_ns);
}

void lag_watchdog_look(uint64_t now_ns, uint64_t patience_ns, lag_tell *tell)
{
    mutex_lock(&lags.lock);
    for (struct lag *lag = lags.first; lag; lag = lag->next)
        look_at(lag, now_ns, patience_ns, tell);
    mutex_unlock(&lags.lock);
}

static void look(void)
{
    lag_watchdog_look(clock_ns(), lags.patience_ns, lags.tell);
}

static struct lookout lookout = LOOKOUT_INIT(look);

int lag_watchdog_start(uint64_t patience_ns, lag_tell *tell)
{
    uint64_t step_ns = patience_ns / LOOKS;

    lags.patience_ns = patience_ns;
    lags.tell = tell;
    if (lookout_start(&lookout, step_ns < NS_PER_S ? step_ns : NS_PER_S) == 0)
        return 0;
    exception_set_errno("pthread_create");
    return -1;
}

void lag_watchdog_stop(void)
{
    lookout_stop(&lookout);
}
