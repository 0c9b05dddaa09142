/* unsignalled.c - a wrong lock: letting go wakes nobody.
 *
 * Who sleeps when the lock becomes free sleeps for ever. A waiter with a timeout, as
 * in `interval`, would hide the fault behind a long wait.
 *
 * Caught by: gil/tests/test_locks (debug asan tsan), whose watchdog ends the hang.
 */
#include "gil/gil.h"
#include "gil/mutex.h"
#include "gil/thread.h"

extern const struct gil_class gil_unsignalled;

struct gil_unsignalled {
    struct gil head;
    struct mutex lock;
    pthread_cond_t free; /* `held` has become false, and nobody says so */
    bool held;           /* lock */
};

static struct gil_unsignalled *self(struct gil *gil)
{
    return (struct gil_unsignalled *)gil;
}

static int init(struct gil *gil)
{
    mutex_init(&self(gil)->lock);
    pthread_cond_init(&self(gil)->free, NULL);
    return 0;
}

static void fini(struct gil *gil)
{
    pthread_cond_destroy(&self(gil)->free);
    mutex_fini(&self(gil)->lock);
}

static void enter(struct gil *gil, struct thread *t)
{
    (void)gil;
    thread_request(t, BREAKER_GIL);
}

static void acquire(struct gil *gil, struct thread *t)
{
    (void)t;
    mutex_lock(&self(gil)->lock);
    while (self(gil)->held)
        cond_wait(&self(gil)->free, &self(gil)->lock);
    self(gil)->held = true;
    mutex_unlock(&self(gil)->lock);
}

static void release(struct gil *gil, struct thread *t)
{
    (void)t;
    mutex_lock(&self(gil)->lock);
    self(gil)->held = false;
    mutex_unlock(&self(gil)->lock);
}

static void yield(struct gil *gil, struct thread *t)
{
    release(gil, t);
    acquire(gil, t);
}

const struct gil_class gil_unsignalled = {
    .about = "wrong: letting go wakes nobody", .source = "a planted fault",
    .size_bytes = sizeof(struct gil_unsignalled), .excludes = true,
    .init = init, .fini = fini, .enter = enter,
    .acquire = acquire, .release = release, .yield = yield,
};
