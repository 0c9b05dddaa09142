/* carriers.c - a carrier in the memory of each thread that asks for one. */
#include "coroutines/switch/carriers.h"

#include <pthread.h>

static struct {
    pthread_once_t once;
    pthread_key_t key; /* set once; its destructor is the end of a thread */
    bool made;         /* set once */
} ends = { .once = PTHREAD_ONCE_INIT };

static _Thread_local struct carrier mine;

static void close_mine(void *carrier)
{
    carrier_close(carrier);
}

static void make_key(void)
{
    ends.made = pthread_key_create(&ends.key, close_mine) == 0;
}

static SLOW_PATH struct carrier *open_mine(void)
{
    pthread_once(&ends.once, make_key);
    if (ends.made)
        pthread_setspecific(ends.key, &mine);
    carrier_open(&mine);
    return &mine;
}

struct carrier *carrier_here(void)
{
    struct carrier *t = carrier_self();

    return likely(t) ? t : open_mine();
}
