/* acting.h - threads that do one thing at a time, when the test says so.
 *
 * So that a test of a lock's order is a script: who attaches, who waits, who lets go. An actor
 * that has got what it was told to do is `done`; one that must wait for it is asleep in the
 * kernel, which is looked up there. While an actor waits for what to do it spins, so asleep is
 * one that waits for the lock.
 */
#ifndef GIL_TESTS_ACTING_H
#define GIL_TESTS_ACTING_H

#include "gil/tests/testing.h"

#include <fcntl.h>
#include <string.h>

enum act {
    START,
    ATTACH,
    DETACH,
    BLOCK, /* detach and attach, for a call that blocks for nothing */
    PASS,  /* a safe point */
    CALL,  /* whatever `call` says */
    LEAVE, /* from wherever it is */
};

struct actor {
    struct gil *gil; /* set once */
    struct thread self;
    pthread_t id;                      /* set once */
    _Atomic pid_t tid;                 /* itself */
    _Atomic int told;                  /* main: how many acts there have been */
    _Atomic int act;                   /* main, before `told`: the last, an enum act */
    void (*call)(struct thread *self); /* main, before it tells it CALL */
    _Atomic int done;                  /* itself: how many of them it has done */
};

static inline void block(struct thread *t)
{
    thread_detach(t);
    thread_attach(t);
}

static inline void leave(struct thread *t)
{
    if (!thread_self)
        return;
    if (atomic_load_explicit(&t->state, memory_order_relaxed) == THREAD_DETACHED)
        thread_attach(t);
    thread_stop(t);
}

static inline void do_act(struct actor *a, enum act act)
{
    switch (act) {
    case START:
        thread_start(&a->self, a->gil, NULL);
        break;
    case ATTACH:
        thread_attach(&a->self);
        break;
    case DETACH:
        thread_detach(&a->self);
        break;
    case BLOCK:
        block(&a->self);
        break;
    case PASS:
        safepoint(&a->self);
        break;
    case CALL:
        a->call(&a->self);
        break;
    case LEAVE:
        leave(&a->self);
        break;
    }
}

static inline void *acts(void *argument)
{
    struct actor *a = argument;
    int act;

    atomic_store_explicit(&a->tid, gettid(), memory_order_relaxed);
    do {
        wait_until(&a->told, seen(&a->done) + 1);
        act = atomic_load_explicit(&a->act, memory_order_relaxed);
        do_act(a, (enum act)act);
        announce(&a->done, seen(&a->done) + 1);
    } while (act != LEAVE);
    return NULL;
}

static inline bool is_done(struct actor *a)
{
    return seen(&a->done) == seen(&a->told);
}

/* The state letter of this process's thread. */
static inline char letter_of(pid_t tid)
{
    char path[64], text[512];
    const char *end;
    ssize_t size;
    int file;

    snprintf(path, sizeof path, "/proc/self/task/%d/stat", (int)tid);
    file = open(path, O_RDONLY);
    assert_true(file >= 0);
    size = read(file, text, sizeof text - 1);
    close(file);
    assert_true(size > 0);
    text[size] = 0;
    end = strrchr(text, ')');
    assert_non_null(end);
    return end[2];
}

static inline bool sleeps(struct actor *a)
{
    return letter_of(atomic_load_explicit(&a->tid, memory_order_relaxed)) == 'S';
}

/* Tells it, and returns at once. */
static inline void tell(struct actor *a, enum act act)
{
    atomic_store_explicit(&a->act, act, memory_order_relaxed);
    announce(&a->told, seen(&a->told) + 1);
}

static inline void wait_until_done(struct actor *a)
{
    wait_until(&a->done, seen(&a->told));
}

/* Tells it what it can do at once. */
static inline void make(struct actor *a, enum act act)
{
    tell(a, act);
    wait_until_done(a);
}

/* It must wait for what it was told. (What is done is looked at last: it may have been asleep on
 * its way there.) */
static inline void wait_until_asleep(struct actor *a)
{
    while (!sleeps(a) && !is_done(a))
        sched_yield();
    assert_false(is_done(a));
}

static inline void make_wait(struct actor *a, enum act act)
{
    tell(a, act);
    wait_until_asleep(a);
}

static inline void open_stage(struct actor *actors, int count, struct gil *gil)
{
    memset(actors, 0, (size_t)count * sizeof *actors);
    for (int i = 0; i < count; i++) {
        actors[i].gil = gil;
        launch(&actors[i].id, 1, acts, &actors[i]);
        while (!atomic_load_explicit(&actors[i].tid, memory_order_relaxed))
            sched_yield();
    }
}

/* Whatever they are at. Deletes the lock. */
static inline void close_stage(struct actor *actors, int count)
{
    for (int i = 0; i < count; i++)
        tell(&actors[i], LEAVE);
    for (int i = 0; i < count; i++)
        join(&actors[i].id, 1);
    gil_delete(actors[0].gil);
}

#endif
