/* watchdog.c - asks, and looks who has answered. */
#include "gil/watchdog.h"

#include "gil/lookout.h"
#include "gil/thread.h"

enum { LOOKS = 4 }; /* in the time after which it tells */

static struct {
    uint64_t patience_ns; /* set once, before it runs */
    watchdog_tell *tell;  /* set once, before it runs */
} dog;

struct look {
    uint64_t now_ns, patience_ns;
    watchdog_tell *tell;
};

/* Relaxed: what it has done since it was asked is all that matters, and a look that comes
 * too early is made again. */
static bool owes_an_answer(const struct thread *t)
{
    return atomic_load_explicit(&t->state, memory_order_relaxed) == THREAD_ATTACHED &&
           (atomic_load_explicit(&t->breaker, memory_order_relaxed) & BREAKER_PULSE) &&
           !world_is_stopped_by(t);
}

static void look_at(struct thread *t, void *argument)
{
    const struct look *look = argument;
    uint64_t since_ns;

    if (!owes_an_answer(t)) {
        t->pulse.asked_ns = look->now_ns;
        t->pulse.told_ns = 0;
        thread_request(t, BREAKER_PULSE);
        return;
    }
    since_ns = look->now_ns - t->pulse.asked_ns;
    if (since_ns < look->patience_ns || since_ns < 2 * t->pulse.told_ns)
        return;
    t->pulse.told_ns = since_ns;
    look->tell(t, since_ns);
}

void watchdog_look(uint64_t now_ns, uint64_t patience_ns, watchdog_tell *tell)
{
    world_each(look_at, &(struct look){ now_ns, patience_ns, tell });
}

static void look(void)
{
    watchdog_look(clock_ns(), dog.patience_ns, dog.tell);
}

static struct lookout lookout = LOOKOUT_INIT(look);

int watchdog_start(uint64_t patience_ns, watchdog_tell *tell)
{
    uint64_t step_ns = patience_ns / LOOKS;

    dog.patience_ns = patience_ns;
    dog.tell = tell;
    return lookout_start(&lookout, step_ns < NS_PER_S ? step_ns : NS_PER_S);
}

void watchdog_stop(void)
{
    lookout_stop(&lookout);
}
