/* lookout.c - a thread of its own that looks at something now and then. */
#include "gil/lookout.h"

#include <assert.h>
#include <errno.h>

static void *watch(void *argument)
{
    struct lookout *l = argument;

    mutex_lock(&l->lock);
    while (!l->stop) {
        mutex_unlock(&l->lock);
        l->look();
        mutex_lock(&l->lock);
        if (!l->stop)
            cond_wait_until(&l->stopping, &l->lock, clock_ns() + l->step_ns);
    }
    mutex_unlock(&l->lock);
    return NULL;
}

int lookout_start(struct lookout *l, uint64_t step_ns)
{
    int error;

    assert(!l->running && "there is one already");
    l->stop = false;
    l->step_ns = step_ns;
    error = pthread_create(&l->id, NULL, watch, l);
    l->running = !error;
    errno = error ? error : errno;
    return error ? -1 : 0;
}

void lookout_stop(struct lookout *l)
{
    if (!l->running)
        return;
    mutex_lock(&l->lock);
    l->stop = true;
    pthread_cond_signal(&l->stopping);
    mutex_unlock(&l->lock);
    pthread_join(l->id, NULL);
    l->running = false;
}
