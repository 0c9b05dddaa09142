/* serve_crew.h - the threads that carry a server (serve.h): how they begin, and how they end.
 */
#ifndef BENCHES_SERVE_CREW_H
#define BENCHES_SERVE_CREW_H

#include "benches/serve.h"
#include "coroutines/recruit.h"
#include "gil/attributes.h"
#include "gil/mutex.h"
#include "objects/object.h"

struct crew {
    struct serve_order *order; /* set once */

    /* Set once. One of its threads, attached, until the crew stops; must call recruit_ready(r). -1:
     * it cannot go on, and an exception says why. */
    int (*carry)(struct crew *crew, struct recruit *r);
    /* Set once. By who leads it, detached, about every 100 ms; may be NULL. */
    void (*look)(struct crew *crew);
    /* Set once. By who leads it, detached, when it stops: wakes all that wait, and waits until all
     * carriers have ended. */
    void (*end)(struct crew *crew) REQUIRES(crew->lock);

    _Atomic bool stopping; /* release, acquire */
    struct mutex lock;
    pthread_cond_t changed;
    int carriers;       /* lock; that have not ended */
    struct object *why; /* lock; owned, published; of the first that could not go on; NULL: none */
};

/* The rest is zero. */
#define CREW_INIT .lock = MUTEX_INIT, .changed = PTHREAD_COND_INITIALIZER

static inline bool crew_is_stopping(const struct crew *crew)
{
    return atomic_load_explicit(&crew->stopping, memory_order_acquire);
}

/* By one of its threads that cannot go on: takes what is pending, and the crew stops. */
void crew_give_up(struct crew *crew);

/* Runs as many threads as are ordered until goes_on says no or one gives up; then all have ended,
 * and so has the lock. The caller, who leads it, is attached. 0, or -1: MemoryError, or an OSError
 * that begins with `what`: what cannot be done any more. */
int crew_run(struct crew *crew, const char *what);

#endif
