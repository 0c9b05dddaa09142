/* schedule.c - what disturbs a schedule: the linker puts these in the place of pthread's
 * functions (ld --wrap) in programs that test a submission. */
#include "lab/grade/inside/schedule.h"

#include "lab/random.h"

#include <pthread.h>
#include <sched.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <time.h>

int __real_pthread_mutex_lock(pthread_mutex_t *m);
int __real_pthread_cond_wait(pthread_cond_t *c, pthread_mutex_t *m);
int __real_pthread_cond_clockwait(pthread_cond_t *c, pthread_mutex_t *m, clockid_t clock,
                                  const struct timespec *deadline);
int __wrap_pthread_mutex_lock(pthread_mutex_t *m);
int __wrap_pthread_cond_wait(pthread_cond_t *c, pthread_mutex_t *m);
int __wrap_pthread_cond_clockwait(pthread_cond_t *c, pthread_mutex_t *m, clockid_t clock,
                                  const struct timespec *deadline);

enum { WAIT_ENDS_ONCE_IN = 4, YIELDS_ONCE_IN = 32, SLEEPS_ONCE_IN = 512, SLEEP_NS = 20000 };

uint64_t schedule_seed;

static _Atomic uint64_t threads; /* that have drawn */
static _Thread_local uint64_t state;

static bool once_in(uint64_t n)
{
    if (!state)
        state =
            schedule_seed + 1000003 * atomic_fetch_add_explicit(&threads, 1, memory_order_relaxed);
    return random_below(&state, n) == 0;
}

static void disturb(void)
{
    if (!schedule_seed)
        return;
    if (once_in(YIELDS_ONCE_IN))
        sched_yield();
    if (once_in(SLEEPS_ONCE_IN))
        nanosleep(&(struct timespec){ .tv_nsec = SLEEP_NS }, NULL);
}

/* Whether the wait ended for no reason. */
static bool wait_ends(pthread_mutex_t *m)
{
    if (!schedule_seed || !once_in(WAIT_ENDS_ONCE_IN))
        return false;
    pthread_mutex_unlock(m);
    sched_yield();
    __real_pthread_mutex_lock(m);
    return true;
}

int __wrap_pthread_mutex_lock(pthread_mutex_t *m)
{
    disturb();
    return __real_pthread_mutex_lock(m);
}

int __wrap_pthread_cond_wait(pthread_cond_t *c, pthread_mutex_t *m)
{
    return wait_ends(m) ? 0 : __real_pthread_cond_wait(c, m);
}

int __wrap_pthread_cond_clockwait(pthread_cond_t *c, pthread_mutex_t *m, clockid_t clock,
                                  const struct timespec *deadline)
{
    return wait_ends(m) ? 0 : __real_pthread_cond_clockwait(c, m, clock, deadline);
}
