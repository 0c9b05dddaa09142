/* watchdog.c - asks, and looks who has answered. */
#include "gil/watchdog.h"

#include "gil/mutex.h"
#include "gil/thread.h"

#include <assert.h>

enum { LOOKS = 4 }; /* in the time after which it tells */

static struct {
    struct mutex lock;
    pthread_cond_t stopping;
    bool running, stop;   /* lock; running: of who starts and stops it */
    pthread_t id;         /* of who starts and stops it */
    uint64_t patience_ns; /* set once, before it runs */
    watchdog_tell *tell;  /* set once, before it runs */
} dog = { .lock = MUTEX_INIT, .stopping = PTHREAD_COND_INITIALIZER };

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

static void *watch(void *argument)
{
    uint64_t step_ns = dog.patience_ns / LOOKS < NS_PER_S ? dog.patience_ns / LOOKS : NS_PER_S;

    (void)argument;
    mutex_lock(&dog.lock);
    while (!dog.stop) {
        mutex_unlock(&dog.lock);
        watchdog_look(clock_ns(), dog.patience_ns, dog.tell);
        mutex_lock(&dog.lock);
        if (!dog.stop)
            cond_wait_until(&dog.stopping, &dog.lock, clock_ns() + step_ns);
    }
    mutex_unlock(&dog.lock);
    return NULL;
}

int watchdog_start(uint64_t patience_ns, watchdog_tell *tell)
{
    int error;

    assert(!dog.running && "there is one already");
    dog.stop = false;
    dog.patience_ns = patience_ns;
    dog.tell = tell;
    error = pthread_create(&dog.id, NULL, watch, NULL);
    dog.running = !error;
    errno = error ? error : errno;
    return error ? -1 : 0;
}

void watchdog_stop(void)
{
    if (!dog.running)
        return;
    mutex_lock(&dog.lock);
    dog.stop = true;
    pthread_cond_signal(&dog.stopping);
    mutex_unlock(&dog.lock);
    pthread_join(dog.id, NULL);
    dog.running = false;
}
