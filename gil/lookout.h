/* lookout.h - a thread of its own that looks at something now and then, until it is stopped.
 *
 * For watchdogs: of threads (watchdog.h), of event loops, of workers that wait for one another.
 * What they look at may be stuck, so they cannot be asked to look themselves.
 *
 * A lookout is started and stopped by one thread at a time.
 */
#ifndef GIL_LOOKOUT_H
#define GIL_LOOKOUT_H

#include "gil/mutex.h"

#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>

struct lookout {
    struct mutex lock;
    pthread_cond_t stopping;
    void (*look)(void); /* set once; called with no lock held */
    bool running, stop; /* lock; running: of who starts and stops it */
    pthread_t id;       /* of who starts and stops it */
    uint64_t step_ns;   /* set once, before it runs */
};

/* One that is not running. */
#define LOOKOUT_INIT(function) \
    { .lock = MUTEX_INIT, .stopping = PTHREAD_COND_INITIALIZER, .look = function }

/* Looks at once, and then each `step_ns`. It must not run. 0; or -1 and errno: there is no
 * thread. */
int lookout_start(struct lookout *l, uint64_t step_ns);

/* Returns when it has looked for the last time; nothing, if it does not run. */
void lookout_stop(struct lookout *l);

#endif
