/* gil_contended.c - the same by two threads at once.
 *
 * The pairs of both are counted until there are enough of them, so neither thread is
 * ever alone: were each given half of the work, the one that finished early would
 * flatter the other. What is measured is the time between two pairs of anybody.
 */
#include "benches/micro.h"

#include "gil/thread.h"
#include "objects/exception.h"

#include <errno.h>
#include <pthread.h>

enum { BATCH = 16 }; /* pairs between two looks at the other's counter */

static struct {
    pthread_t id;
    pthread_barrier_t ready;
    struct gil *gil;                      /* set once */
    const struct thread_hooks *hooks;     /* set once */
    int error;                            /* set before `ready`; of thread_start */
    _Alignas(128) _Atomic bool stopping;  /* a line that is only read while it runs */
    _Alignas(128) _Atomic uint64_t pairs; /* written by the peer */
} peer;

static void detach_and_attach(struct thread *t, uint64_t times)
{
    for (uint64_t i = 0; i < times; i++) {
        thread_detach(t);
        thread_attach(t);
    }
}

static void *peer_main(void *unused)
{
    struct thread self = { 0 };

    peer.error = thread_start(&self, peer.gil, peer.hooks) < 0 ? errno : 0;
    if (peer.error) {
        pthread_barrier_wait(&peer.ready);
        return unused;
    }
    thread_detach(&self);
    pthread_barrier_wait(&peer.ready);
    thread_attach(&self);
    while (!atomic_load_explicit(&peer.stopping, memory_order_relaxed)) {
        detach_and_attach(&self, BATCH);
        atomic_fetch_add_explicit(&peer.pairs, BATCH, memory_order_relaxed);
    }
    thread_stop(&self);
    return unused;
}

static int failed(const char *call, int error)
{
    pthread_barrier_destroy(&peer.ready);
    errno = error;
    exception_set_errno(call);
    return -1;
}

/* The caller is attached, so its peer cannot be ready before it detaches. */
static int setup(void)
{
    struct thread *t = thread_self;
    int error;

    peer.gil = t->gil;
    peer.hooks = t->hooks;
    atomic_store_explicit(&peer.stopping, false, memory_order_relaxed);
    pthread_barrier_init(&peer.ready, NULL, 2);
    error = pthread_create(&peer.id, NULL, peer_main, NULL);
    if (error)
        return failed("pthread_create", error);
    thread_detach(t);
    pthread_barrier_wait(&peer.ready);
    thread_attach(t);
    if (!peer.error)
        return 0;
    pthread_join(peer.id, NULL);
    return failed("thread_start", peer.error);
}

static uint64_t peer_pairs(void)
{
    return atomic_load_explicit(&peer.pairs, memory_order_relaxed);
}

MEASURED static void run(uint64_t iterations)
{
    uint64_t before = peer_pairs();

    for (uint64_t own = 0; own + (peer_pairs() - before) < iterations; own += BATCH)
        detach_and_attach(thread_self, BATCH);
}

static void teardown(void)
{
    atomic_store_explicit(&peer.stopping, true, memory_order_relaxed);
    thread_detach(thread_self);
    pthread_join(peer.id, NULL);
    thread_attach(thread_self);
    pthread_barrier_destroy(&peer.ready);
}

const struct micro micro_gil_contended = {
    .about = "the same by two threads at once: the time between two pairs of anybody",
    .once = true, .per_lock = true, .setup = setup, .run = run, .teardown = teardown,
};
