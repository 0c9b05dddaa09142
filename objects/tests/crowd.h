/* crowd.h - threads of a test, and objects that tell when they are destroyed.
 *
 * A crowd runs one function on several threads of the runtime, under the lock that
 * the policy needs: `none`, or `interval` with a short interval, so that policies that
 * need a GIL keep the same promises. The test's own thread waits detached, as it must.
 *
 * A witness is an object with a number, and a place in a table that counts how often it
 * was destroyed. Members must not use cmocka's assertions, which jump on the test's own
 * thread only: they note a mishap with `expect`, and the test asks for `mishaps`.
 */
#ifndef OBJECTS_TESTS_CROWD_H
#define OBJECTS_TESTS_CROWD_H

#include "objects/tests/testing.h"

#include <pthread.h>
#include <sched.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

extern const struct gil_class gil_interval;

enum { CROWD_MOST = 4, WITNESSES_MOST = 1 << 18, INTERVAL_IN_TESTS_US = 50 };

static struct gil *crowd_gil; /* set once, by run_in_crowd */
static _Atomic int mishaps;

static inline void expect(bool as_it_should)
{
    if (!as_it_should)
        atomic_fetch_add_explicit(&mishaps, 1, memory_order_relaxed);
}

/* Witnesses. */

struct witness {
    struct object head;
    int number;
    struct object *held;    /* owned; may be NULL */
    int words[CROWD_MOST];  /* plain, so that TSan sees who reads them too early */
    void (*last)(struct witness *p); /* called by the destructor; may be NULL */
};

static _Atomic int witnesses_made;
static _Atomic uint8_t witness_destroyed[WITNESSES_MOST]; /* how often; by number */

static inline void witness_destroy(struct object *o)
{
    struct witness *p = (struct witness *)o;

    atomic_fetch_add_explicit(&witness_destroyed[p->number], 1, memory_order_relaxed);
    if (p->last)
        p->last(p);
    xdecref(p->held);
}

static void witness_traverse(borrowed o, void (*visit)(borrowed held, void *argument),
                             void *argument)
{
    const struct witness *p = (const struct witness *)o;

    if (p->held)
        visit(p->held, argument);
}

static const struct type witness_type = {
    .name = "witness", .size_bytes = sizeof(struct witness),
    .destroy = witness_destroy, .traverse = witness_traverse,
};

/* Ends the program when there are no more numbers or no more memory. */
static inline struct object *witness_new(struct object *held /* steals */)
{
    struct witness *p = (struct witness *)object_new(&witness_type, sizeof *p);

    if (!p)
        abort();
    p->number = atomic_fetch_add_explicit(&witnesses_made, 1, memory_order_relaxed);
    if (p->number >= WITNESSES_MOST)
        abort();
    p->held = held;
    memset(p->words, 0, sizeof p->words);
    p->last = NULL;
    return &p->head;
}

/* A new witness that other threads are about to see. */
static inline struct object *witness_shared(void)
{
    struct object *o = witness_new(NULL);

    publish(o);
    return o;
}

static inline int witness_number(borrowed o)
{
    return ((const struct witness *)o)->number;
}

static inline int destroyed(int number)
{
    return atomic_load_explicit(&witness_destroyed[number], memory_order_relaxed);
}

/* Passes as many safe points as the policy may wait for before it destroys. */
static inline void settle(void)
{
    for (int i = 0; i < RC_LATE_SAFEPOINTS; i++)
        safepoint(thread_self);
}

/* How many of the witnesses were not destroyed exactly once by now. */
static inline int witnesses_wrong_now(void)
{
    int wrong = 0;

    for (int i = 0; i < atomic_load_explicit(&witnesses_made, memory_order_relaxed); i++)
        wrong += destroyed(i) != 1;
    return wrong;
}

/* The same once the policy has had its safe points, if it destroys even what one thread
 * alone has seen late. No other thread runs. */
static inline int witnesses_wrong(void)
{
    if (RC_LATE_HERE)
        settle();
    return witnesses_wrong_now();
}

/* A test that hangs dies of SIGALRM: under a wrong policy it may, for nothing that follows
 * a miscount is certain. */
enum { WATCHDOG_S = 120 };

/* Forgets all witnesses; none may be alive. Before each test. */
static inline int witnesses_reset(void **state)
{
    (void)state;
    alarm(WATCHDOG_S);
    for (int i = 0; i < atomic_load_explicit(&witnesses_made, memory_order_relaxed); i++)
        atomic_store_explicit(&witness_destroyed[i], 0, memory_order_relaxed);
    atomic_store_explicit(&witnesses_made, 0, memory_order_relaxed);
    atomic_store_explicit(&mishaps, 0, memory_order_relaxed);
    return 0;
}

/* Crowds. */

struct member {
    struct thread self;
    pthread_t os;
    int index;
    struct crowd *crowd;
};

struct crowd {
    int count;
    void (*body)(struct member *m); /* runs attached */
    void *shared;                   /* the test's own */
    pthread_barrier_t barrier;      /* of the members */
    struct member members[CROWD_MOST];
};

static inline void *member_main(void *argument)
{
    struct member *m = argument;

    if (thread_start(&m->self, crowd_gil, &object_hooks) < 0)
        abort();
    m->crowd->body(m);
    thread_stop(&m->self);
    return NULL;
}

/* Waits for the other members, so many times, detached all the while. */
static inline void meet_times(struct member *m, int times)
{
    thread_detach(&m->self);
    while (times--)
        pthread_barrier_wait(&m->crowd->barrier);
    thread_attach(&m->self);
}

static inline void meet(struct member *m)
{
    meet_times(m, 1);
}

/* Binds the thread to one of the process's cores, so that two members do not sit on the
 * same one, as a busy kernel may leave them for as long as they run. */
static inline void spread_out(const struct member *m)
{
    cpu_set_t all, one;
    int rank;

    if (sched_getaffinity(0, sizeof all, &all) < 0)
        return;
    rank = m->index % CPU_COUNT(&all);
    CPU_ZERO(&one);
    for (int cpu = 0; cpu < CPU_SETSIZE; cpu++)
        if (CPU_ISSET(cpu, &all) && rank-- == 0)
            CPU_SET(cpu, &one);
    sched_setaffinity(0, sizeof one, &one);
}

/* Starts the members beside the caller. */
static inline void crowd_start(struct crowd *c, int count, void (*body)(struct member *m),
                               void *shared)
{
    c->count = count;
    c->body = body;
    c->shared = shared;
    pthread_barrier_init(&c->barrier, NULL, (unsigned)count);
    for (int i = 0; i < count; i++) {
        c->members[i].index = i;
        c->members[i].crowd = c;
        if (pthread_create(&c->members[i].os, NULL, member_main, &c->members[i]))
            abort();
    }
}

/* The caller is detached. */
static inline void crowd_end(struct crowd *c)
{
    for (int i = 0; i < c->count; i++)
        pthread_join(c->members[i].os, NULL);
    pthread_barrier_destroy(&c->barrier);
}

static inline void crowd_join(struct crowd *c)
{
    thread_detach(thread_self);
    crowd_end(c);
    thread_attach(thread_self);
}

/* From start to end the caller is detached: all that the members do is done without it. */
static inline void crowd_run(int count, void (*body)(struct member *m), void *shared)
{
    static struct crowd c;

    thread_detach(thread_self);
    crowd_start(&c, count, body, shared);
    crowd_end(&c);
    thread_attach(thread_self);
}

#define run_in_crowd(tests) run_in_crowd_count(tests, sizeof(tests) / sizeof *(tests))

/* Runs a table of tests on a thread that is attached under the lock of the crowds. */
static inline int run_in_crowd_count(const struct CMUnitTest *tests, size_t count)
{
    const int64_t param[PARAM_MAX] = { INTERVAL_IN_TESTS_US, 1 };
    struct thread self = { 0 };
    int failed;

    crowd_gil = RC_NEEDS_GIL ? gil_new(&gil_interval, param) : gil_new(&gil_none, NULL);
    if (!crowd_gil || thread_start(&self, crowd_gil, &object_hooks) < 0)
        return 1;
    failed = _cmocka_run_group_tests("counting", tests, count, NULL, NULL);
    rc_quiesce();
    rc_finish();
    thread_stop(&self);
    gil_delete(crowd_gil);
    return failed;
}

#endif
