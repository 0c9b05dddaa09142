/* mutex.c - a bare pthread mutex: let go at blocking calls and every so many safe points.
 *
 * The simplest thing that could be called a GIL. A thread that lets go and takes
 * again at once usually wins, for the one it woke is still on its way: without a
 * hand-over there is no fairness. It counts safe points, so its breaker bit stays
 * set and every safe point takes the slow path.
 */
#include "gil/gil.h"
#include "gil/mutex.h"
#include "gil/thread.h"

struct gil_mutex {
    struct gil head;
    struct mutex lock;
};

enum { EVERY };
enum { LEFT }; /* of the thread's words: safe points until it lets go */

static int mutex_gil_init(struct gil *gil)
{
    mutex_init(&((struct gil_mutex *)gil)->lock);
    return 0;
}

static void mutex_gil_fini(struct gil *gil)
{
    mutex_fini(&((struct gil_mutex *)gil)->lock);
}

static void enter(struct gil *gil, struct thread *t)
{
    t->gil_words[LEFT] = gil->param[EVERY];
    thread_request(t, BREAKER_GIL);
}

static void acquire(struct gil *gil, struct thread *t) NO_LOCK_ANALYSIS
{
    (void)t;
    mutex_lock(&((struct gil_mutex *)gil)->lock);
}

static void release(struct gil *gil, struct thread *t) NO_LOCK_ANALYSIS
{
    (void)t;
    mutex_unlock(&((struct gil_mutex *)gil)->lock);
}

static bool due(struct gil *gil, struct thread *t)
{
    if (--t->gil_words[LEFT] > 0)
        return false;
    t->gil_words[LEFT] = gil->param[EVERY];
    return true;
}

static void yield(struct gil *gil, struct thread *t)
{
    release(gil, t);
    acquire(gil, t);
}

const struct gil_class gil_mutex = {
    .about = "a bare pthread mutex, let go at blocking calls and every so many safe points",
    .source = "the first idea of everyone", .size_bytes = sizeof(struct gil_mutex),
    .excludes = true,
    .param = { { "every_safepoints", "safe points between two releases", 1000, 1, 1000000000 } },
    .init = mutex_gil_init, .fini = mutex_gil_fini, .enter = enter,
    .acquire = acquire, .release = release, .due = due, .yield = yield,
};
