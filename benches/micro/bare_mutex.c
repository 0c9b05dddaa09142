/* bare_mutex.c - the same, each inside a pthread mutex: what `locked` cannot beat.
 *
 * glibc leaves out the lock prefixes while a process has one thread: this is the
 * figure that is a third of the true one if no second thread lives.
 */
#include "benches/micro.h"

#include "benches/workload.h"

#include <pthread.h>

static struct {
    pthread_mutex_t lock;
    int64_t count; /* lock */
} counter = { PTHREAD_MUTEX_INITIALIZER, 1 };

static SLOW_PATH void reached_zero(void)
{
    counter.count = 1;
}

MEASURED static void run(uint64_t iterations)
{
    __typeof__(counter) *c = &counter;

    for (uint64_t i = 0; i < iterations; i++) {
        int64_t left;

        pthread_mutex_lock(&c->lock);
        c->count++;
        pthread_mutex_unlock(&c->lock);
        barrier(c);
        pthread_mutex_lock(&c->lock);
        left = --c->count;
        pthread_mutex_unlock(&c->lock);
        if (left == 0)
            reached_zero();
    }
}

const struct micro micro_bare_mutex = {
    .about = "lock, add, unlock; lock, subtract, unlock: what locked cannot beat",
    .once = true, .run = run,
};
