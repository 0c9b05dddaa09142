/* lot.c - queues of waiting threads, by address. */
#include "gil/lot.h"

#include "gil/attributes.h"
#include "gil/mutex.h"

/* A prime, so that addresses at regular distances spread; in test builds two, so that those
 * who wait for different things meet in a bucket. */
#ifdef NDEBUG
enum { BUCKETS = 257 };
#else
enum { BUCKETS = 2 };
#endif

struct bucket {
    _Alignas(64) struct mutex lock;
    struct lot_waiter *first; /* lock; in the order in which they came */
};

static struct bucket buckets[BUCKETS] = { [0 ... BUCKETS - 1] = { .lock = MUTEX_INIT } };

static struct bucket *bucket_of(const void *address)
{
    return &buckets[((uintptr_t)address >> 4) % BUCKETS];
}

static void append(struct bucket *bucket, struct lot_waiter *w) REQUIRES(bucket->lock)
{
    struct lot_waiter **link = &bucket->first;

    while (*link)
        link = &(*link)->next;
    *link = w;
}

/* The link to the first, from this one on, who waits at the address; to NULL: nobody. */
static struct lot_waiter **find(struct lot_waiter **link, const void *address)
{
    while (*link && (*link)->address != address)
        link = &(*link)->next;
    return link;
}

enum lot_end lot_wait(void *address, bool (*fit)(void *address), struct lot_waiter *w)
{
    struct bucket *bucket = bucket_of(address);

    w->address = address;
    w->end = LOT_WAITS;
    w->next = NULL;
    pthread_cond_init(&w->woken, NULL);
    mutex_lock(&bucket->lock);
    if (fit(address))
        append(bucket, w);
    else
        w->end = LOT_UNFIT;
    while (w->end == LOT_WAITS)
        cond_wait(&w->woken, &bucket->lock);
    mutex_unlock(&bucket->lock);
    pthread_cond_destroy(&w->woken);
    return w->end;
}

void lot_wake(void *address,
              enum lot_end (*decide)(void *address, const struct lot_waiter *first, bool more))
{
    struct bucket *bucket = bucket_of(address);
    struct lot_waiter **link, *w;
    enum lot_end end;

    mutex_lock(&bucket->lock);
    link = find(&bucket->first, address);
    w = *link;
    end = decide(address, w, w && *find(&w->next, address));
    if (w) {
        *link = w->next;
        w->end = end;
        /* Under the lock: after it, the waiter may have returned, and `w` with it. */
        pthread_cond_signal(&w->woken);
    }
    mutex_unlock(&bucket->lock);
}

static void *where_in(struct bucket *bucket, const struct thread *t)
{
    const struct lot_waiter *w;
    void *address;

    mutex_lock(&bucket->lock);
    w = bucket->first;
    while (w && w->thread != t)
        w = w->next;
    address = w ? w->address : NULL;
    mutex_unlock(&bucket->lock);
    return address;
}

void *lot_where(const struct thread *t)
{
    void *address = NULL;

    for (int i = 0; i < BUCKETS && !address; i++)
        address = where_in(&buckets[i], t);
    return address;
}

void lot_before_fork(void) NO_LOCK_ANALYSIS
{
    for (int i = 0; i < BUCKETS; i++)
        mutex_lock(&buckets[i].lock);
}

void lot_after_fork(bool in_child) NO_LOCK_ANALYSIS
{
    for (int i = BUCKETS - 1; i >= 0; i--) {
        if (in_child)
            buckets[i].first = NULL;
        mutex_unlock(&buckets[i].lock);
    }
}
