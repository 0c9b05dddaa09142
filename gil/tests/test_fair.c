/* test_fair.c - nobody starves under the locks that say so.
 *
 * 64 threads, far more than processors: most compute, and some let go for a call that does not
 * block. Each counts its turns at the lock: a turn begins when another had it before. Whoever
 * has far fewer than the others of its kind is starved. With $SOAK_SECONDS for a minute, with
 * turns as long as usual. With -DGIL_TWIN=gil_x that class is put to it.
 */
#include "gil/mutex.h"
#include "gil/tests/testing.h"

#include <stdlib.h>

#ifdef GIL_TWIN
extern const struct gil_class GIL_TWIN;
static const struct named_gil classes[] = { { "twin", &GIL_TWIN }, { NULL, NULL } };
#else
static const struct named_gil *const classes = gil_list;
#endif

enum { THREADS = 64, BLOCKING = 8 };

struct crowd {
    struct gil *gil;
    _Atomic int here;  /* threads that have started */
    _Atomic int over;
    int had;           /* gil; who had it last */
    int64_t least;     /* turns that each is to have before the end */
    _Atomic int served; /* threads that have had them */
    int64_t turns[THREADS]; /* gil; of each */
};

struct member {
    struct crowd *crowd;
    int number;
};

/* The lock is held. */
static void note(struct member *m)
{
    struct crowd *c = m->crowd;

    if (c->had == m->number)
        return;
    c->had = m->number;
    if (++c->turns[m->number] == c->least)
        atomic_fetch_add_explicit(&c->served, 1, memory_order_relaxed);
}

static void *takes_part(void *argument)
{
    struct member *m = argument;
    struct thread self = { 0 };

    thread_start(&self, m->crowd->gil, NULL);
    atomic_fetch_add_explicit(&m->crowd->here, 1, memory_order_release);
    wait_detached(&self, &m->crowd->here, THREADS);
    while (!seen(&m->crowd->over)) {
        note(m);
        if (m->number < BLOCKING) {
            thread_detach(&self);
            thread_attach(&self);
        } else {
            safepoint(&self);
        }
    }
    thread_stop(&self);
    return NULL;
}

static void rest(uint64_t ns)
{
    struct timespec time = { (time_t)(ns / NS_PER_S), (long)(ns % NS_PER_S) };

    nanosleep(&time, NULL);
}

/* All of them, until each has had so many turns, or waits in vain; and for `seconds`. */
static void run_crowd(struct crowd *c, int seconds)
{
    uint64_t begin_ns = clock_ns();
    struct member members[THREADS];
    pthread_t ids[THREADS];
    uint64_t passed_ns;

    for (int i = 0; i < THREADS; i++) {
        members[i] = (struct member){ c, i };
        launch(&ids[i], 1, takes_part, &members[i]);
    }
    do {
        rest(10 * NS_PER_MS);
        passed_ns = clock_ns() - begin_ns;
    } while (passed_ns < (uint64_t)seconds * NS_PER_S ||
             (seen(&c->served) < THREADS && passed_ns < (uint64_t)WATCHDOG_S * NS_PER_S / 2));
    announce(&c->over, 1);
    join(ids, THREADS);
    gil_delete(c->gil);
}

/* Of the members from `first` on that are before `end`: the fewest turns that one had, and the
 * turns of all. */
static int64_t fewest(const struct crowd *c, int first, int end, int64_t *sum)
{
    int64_t least = INT64_MAX;

    *sum = 0;
    for (int i = first; i < end; i++) {
        *sum += c->turns[i];
        least = c->turns[i] < least ? c->turns[i] : least;
    }
    return least;
}

static bool soaks(void)
{
    return getenv("SOAK_SECONDS") != NULL;
}

/* A tenth of what others of one's kind have on average is far below what chance does to a fair
 * lock. */
static void test_nobody_starves(void **state)
{
    enum { SOAK_S = 60 };
    const struct gil_class *class = *state;
    struct crowd c = { .had = -1, .least = soaks() ? 5 : 20 }; /* of some there is one in 6 s */
    int64_t sum, least;

    alarm(soaks() ? 2 * SOAK_S : WATCHDOG_S);
    c.gil = soaks() ? gil_new(class, NULL) : new_gil(class, SHORT_TURNS);
    assert_non_null(c.gil);
    run_crowd(&c, soaks() ? SOAK_S : 0);
    assert_int_equal(seen(&c.served), THREADS);
    least = fewest(&c, 0, BLOCKING, &sum);
    assert_true(least * BLOCKING * 10 >= sum);
    least = fewest(&c, BLOCKING, THREADS, &sum);
    assert_true(least * (THREADS - BLOCKING) * 10 >= sum);
}

static const struct promise promises[] = {
    { "nobody starves", test_nobody_starves },
    { NULL, NULL },
};

int main(void)
{
    return run_promises(promises, classes, LOCKS_THAT_ARE_FAIR);
}
