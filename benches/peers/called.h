/* called.h - a list of functions that any thread may add to, and one calls.
 *
 * What users of loops that coalesce their wake-ups write. Two arrays that change places, so that
 * the lock is not held while the functions run.
 */
#ifndef BENCHES_PEERS_CALLED_H
#define BENCHES_PEERS_CALLED_H

#include <pthread.h>
#include <stddef.h>

enum { CALLED_AT_MOST = 1000 };

struct called_function {
    void (*act)(void *argument);
    void *argument;
};

struct called {
    pthread_mutex_t lock;
    struct called_function *added; /* lock */
    size_t count;                  /* lock */
    struct called_function array[2][CALLED_AT_MOST];
};

static inline void called_init(struct called *list)
{
    pthread_mutex_init(&list->lock, NULL);
    list->added = list->array[0];
    list->count = 0;
}

static inline void called_fini(struct called *list)
{
    pthread_mutex_destroy(&list->lock);
}

/* There is room. */
static inline void called_add(struct called *list, void (*act)(void *argument), void *argument)
{
    pthread_mutex_lock(&list->lock);
    list->added[list->count++] = (struct called_function){ act, argument };
    pthread_mutex_unlock(&list->lock);
}

static inline void called_call_all(struct called *list)
{
    struct called_function *all;
    size_t count;

    pthread_mutex_lock(&list->lock);
    all = list->added;
    count = list->count;
    list->added = all == list->array[0] ? list->array[1] : list->array[0];
    list->count = 0;
    pthread_mutex_unlock(&list->lock);
    for (size_t i = 0; i < count; i++)
        all[i].act(all[i].argument);
}

#endif
