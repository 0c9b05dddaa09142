/* crowd.h - threads of a test, and objects that tell when they are destroyed.
 *
 * A crowd runs one function on several threads of the runtime, under the lock that
 * the policy needs: `none`, or `interval` with a short interval, so that policies that
 * need a GIL keep the same promises. The test's own thread waits detached, as it must.
 *
 * A probe is an object with a number, and a place in a table that counts how often it
 * was destroyed. Members must not use cmocka's assertions, which jump on the test's own
 * thread only: they note a mishap with `expect`, and the test asks for `mishaps`.
 */
#ifndef OBJECTS_TESTS_CROWD_H
#define OBJECTS_TESTS_CROWD_H

#include "objects/tests/testing.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

extern const struct gil_class gil_interval;

enum { CROWD_MOST = 4, PROBES_MOST = 1 << 18, INTERVAL_IN_TESTS_US = 50 };

static struct gil *crowd_gil; /* set once, by run_in_crowd */
static _Atomic int mishaps;

static inline void expect(bool as_it_should)
{
    if (!as_it_should)
        atomic_fetch_add_explicit(&mishaps, 1, memory_order_relaxed);
}

/* Probes. */

struct probe {
    struct object head;
    int number;
    struct object *held;    /* owned; may be NULL */
    int words[CROWD_MOST];  /* plain, so that TSan sees who reads them too early */
    void (*last)(struct probe *p); /* called by the destructor; may be NULL */
};

static _Atomic int probes_made;
static _Atomic uint8_t probe_destroyed[PROBES_MOST]; /* how often; by number */

static inline void probe_destroy(struct object *o)
{
    struct probe *p = (struct probe *)o;

    atomic_fetch_add_explicit(&probe_destroyed[p->number], 1, memory_order_relaxed);
    if (p->last)
        p->last(p);
    xdecref(p->held);
}

static void probe_traverse(borrowed o, void (*visit)(borrowed held, void *argument), void *argument)
{
    const struct probe *p = (const struct probe *)o;

    if (p->held)
        visit(p->held, argument);
}

static const struct type probe_type = {
    .name = "probe", .size_bytes = sizeof(struct probe),
    .destroy = probe_destroy, .traverse = probe_traverse,
};

/* Ends the program when there are no more numbers or no more memory. */
static inline struct object *probe_new(struct object *held /* steals */)
{
    struct probe *p = (struct probe *)object_new(&probe_type, sizeof *p);

    if (!p)
        abort();
    p->number = atomic_fetch_add_explicit(&probes_made, 1, memory_order_relaxed);
    if (p->number >= PROBES_MOST)
        abort();
    p->held = held;
    memset(p->words, 0, sizeof p->words);
    p->last = NULL;
    return &p->head;
}

/* A new probe that other threads are about to see. */
static inline struct object *probe_shared(void)
{
    struct object *o = probe_new(NULL);

    publish(o);
    return o;
}

static inline int probe_number(borrowed o)
{
    return ((const struct probe *)o)->number;
}

static inline int destroyed(int number)
{
    return atomic_load_explicit(&probe_destroyed[number], memory_order_relaxed);
}

/* How many of the probes were not destroyed exactly once. */
static inline int probes_wrong(void)
{
    int wrong = 0;

    for (int i = 0; i < atomic_load_explicit(&probes_made, memory_order_relaxed); i++)
        wrong += destroyed(i) != 1;
    return wrong;
}

/* Forgets all probes; none may be alive. */
static inline int probes_reset(void **state)
{
    (void)state;
    for (int i = 0; i < atomic_load_explicit(&probes_made, memory_order_relaxed); i++)
        atomic_store_explicit(&probe_destroyed[i], 0, memory_order_relaxed);
    atomic_store_explicit(&probes_made, 0, memory_order_relaxed);
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

static inline void crowd_join(struct crowd *c)
{
    thread_detach(thread_self);
    for (int i = 0; i < c->count; i++)
        pthread_join(c->members[i].os, NULL);
    thread_attach(thread_self);
    pthread_barrier_destroy(&c->barrier);
}

static inline void crowd_run(int count, void (*body)(struct member *m), void *shared)
{
    static struct crowd c;

    crowd_start(&c, count, body, shared);
    crowd_join(&c);
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
    thread_stop(&self);
    gil_delete(crowd_gil);
    return failed;
}

#endif
