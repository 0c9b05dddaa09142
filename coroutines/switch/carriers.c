/* carriers.c - a carrier in the memory of each thread that asks for one. */
#include "coroutines/switch/carriers.h"

#include <errno.h>
#include <pthread.h>

static struct {
    pthread_once_t once;
    pthread_key_t key; /* set once; its destructor is the end of a thread */
    int error;         /* set once; of making it */
} ends = { .once = PTHREAD_ONCE_INIT };

static _Thread_local struct carrier mine;

static void close_mine(void *carrier)
{
    carrier_close(carrier);
}

static void make_key(void)
{
    ends.error = pthread_key_create(&ends.key, close_mine);
}

static SLOW_PATH struct carrier *open_mine(void)
{
    pthread_once(&ends.once, make_key);
    errno = ends.error;
    if (!errno)
        errno = pthread_setspecific(ends.key, &mine);
    if (errno)
        return NULL;
    carrier_open(&mine);
    return &mine;
}

struct carrier *carrier_here(void)
{
    struct carrier *t = carrier_self();

    return likely(t) ? t : open_mine();
}
