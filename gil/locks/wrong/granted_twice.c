/* granted_twice.c - a wrong lock: who wakes takes it without another look.
 *
 * Between the signal and the waking a third thread may have taken the lock: a waiter
 * asks `while`, and this one `if`.
 *
 * Caught by: gil/tests/test_locks (debug asan tsan).
 */
#include "gil/gil.h"
#include "gil/mutex.h"
#include "gil/thread.h"

extern const struct gil_class gil_granted_twice;

struct gil_granted_twice {
    struct gil head;
    struct mutex lock;
    pthread_cond_t free; /* held has become false */
    bool held;           /* lock */
};

static struct gil_granted_twice *self(struct gil *gil)
{
    return (struct gil_granted_twice *)gil;
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
    if (self(gil)->held)
        cond_wait(&self(gil)->free, &self(gil)->lock);
    self(gil)->held = true;
    mutex_unlock(&self(gil)->lock);
}

static void release(struct gil *gil, struct thread *t)
{
    (void)t;
    mutex_lock(&self(gil)->lock);
    self(gil)->held = false;
    pthread_cond_signal(&self(gil)->free);
    mutex_unlock(&self(gil)->lock);
}

static void yield(struct gil *gil, struct thread *t)
{
    release(gil, t);
    acquire(gil, t);
}

const struct gil_class gil_granted_twice = {
    .about = "wrong: who wakes takes it without another look", .source = "a planted fault",
    .size_bytes = sizeof(struct gil_granted_twice), .excludes = true,
    .init = init, .fini = fini, .enter = enter,
    .acquire = acquire, .release = release, .yield = yield,
};
