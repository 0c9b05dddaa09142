/* deadlock.c - two threads lock two lists in opposite order.
 *
 * The schedule is forced: each thread locks its own list, waits until the other has done
 * the same, and asks for the other's. No time is involved. The narrator does not guess from
 * a silence: it holds both threads where they wait (thread_hold), so that for this moment
 * nothing changes, and looks whether each waits in the parking lot for a lock that a section
 * of the other still holds. If so, only these two could change that, and neither will.
 *
 * It ends the deadlock as critical sections would have prevented it: it suspends one
 * thread's sections in its name.
 */
#include "benches/demo.h"
#include "gil/lot.h"
#include "objects/exception.h"
#include "objects/list.h"
#include "objects/none.h"
#include "objects/section.h"

#include <errno.h>
#include <pthread.h>
#include <sched.h>
#include <stdio.h>

enum { THREADS = 2 };

static const char *const thread_names[THREADS] = { "thread 1", "thread 2" };
static const char list_names[THREADS] = { 'a', 'b' };

struct actor {
    struct scene *scene;
    int number;
    pthread_t id;
    struct thread self;
    size_t before, after; /* of its own list, around the time in which it asked for the other */
    bool failed;
    char waits_for;      /* in the deadlock: which list, */
    const char *kept_by; /* and the name of who holds it; both are the narrator's */
};

struct scene {
    const struct thread *narrator;  /* set once; threads run as this one does */
    struct object *list[THREADS];   /* set once; owned */
    _Atomic int locked, done, over; /* how many have got so far; the narrator has seen it */
    struct actor actors[THREADS];
};

static bool reached(const _Atomic int *count, int least)
{
    return atomic_load_explicit(count, memory_order_acquire) >= least;
}

static void reach(_Atomic int *count)
{
    atomic_fetch_add_explicit(count, 1, memory_order_acq_rel);
}

/* Attached while it waits for the other, so that it keeps its list; the other asks for
 * nothing before. A section within a section, which clang's analysis does not allow. */
static void play(struct actor *actor) NO_LOCK_ANALYSIS
{
    struct scene *scene = actor->scene;
    borrowed mine = scene->list[actor->number], other = scene->list[1 - actor->number];
    struct section outer, inner;

    section_begin(&outer, mine);
    actor->before = list_length(mine);
    reach(&scene->locked);
    while (!reached(&scene->locked, THREADS) && !reached(&scene->over, 1))
        sched_yield();
    section_begin(&inner, other);
    actor->failed = list_append(other, none()) < 0;
    section_end(&inner);
    actor->after = list_length(mine);
    section_end(&outer);
}

static void *act(void *argument)
{
    struct actor *actor = argument;
    struct scene *scene = actor->scene;
    struct thread *self = &actor->self;

    self->locks_containers = scene->narrator->locks_containers;
    self->name = thread_names[actor->number];
    actor->failed = thread_start(self, scene->narrator->gil, scene->narrator->hooks) < 0;
    if (actor->failed) {
        reach(&scene->over);
        return NULL;
    }
    play(actor);
    reach(&scene->done);
    thread_detach(self);
    while (!reached(&scene->over, 1)) /* the narrator may be looking at this thread */
        sched_yield();
    thread_attach(self);
    thread_stop(self);
    return NULL;
}

/* Who has a section that holds the lock; NULL: neither. Both threads are held. */
static const struct actor *keeper_of(const struct scene *scene, const struct bytelock *lock)
{
    for (int i = 0; i < THREADS; i++)
        for (const struct section *s = scene->actors[i].self.sections; s; s = s->outer)
            if (s->state == SECTION_HELD && s->first == lock)
                return &scene->actors[i];
    return NULL;
}

/* Whom it waits for; NULL: it does not wait, or nobody holds what it waits for. */
static const struct actor *awaited_by(const struct scene *scene, const struct actor *actor)
{
    const struct bytelock *lock = lot_where(&actor->self);

    return lock ? keeper_of(scene, lock) : NULL;
}

static void note_wait(const struct scene *scene, struct actor *actor)
{
    actor->waits_for = list_names[lot_where(&actor->self) == &scene->list[1]->lock];
    actor->kept_by = awaited_by(scene, actor)->self.name;
}

static bool hold_both(struct actor *actors)
{
    if (!thread_hold(&actors[0].self))
        return false;
    if (thread_hold(&actors[1].self))
        return true;
    thread_let_go(&actors[0].self);
    return false;
}

/* Whether each of the two waits for the other now. If so, notes it, and ends it. */
static bool find_deadlock(struct scene *scene)
{
    struct actor *actors = scene->actors;
    bool found;

    if (!hold_both(actors))
        return false;
    found =
        awaited_by(scene, &actors[0]) == &actors[1] && awaited_by(scene, &actors[1]) == &actors[0];
    if (found) {
        note_wait(scene, &actors[0]);
        note_wait(scene, &actors[1]);
        section_suspend(&actors[0].self);
    }
    thread_let_go(&actors[1].self);
    thread_let_go(&actors[0].self);
    return found;
}

/* True: there was a deadlock. */
static bool watch(struct scene *scene)
{
    bool found = false;

    while (!reached(&scene->locked, THREADS) && !reached(&scene->over, 1))
        sched_yield();
    while (!reached(&scene->done, THREADS) && !reached(&scene->over, 1)) {
        found = found || find_deadlock(scene);
        sched_yield();
    }
    reach(&scene->over);
    return found;
}

static int join(struct scene *scene, int started)
{
    int failed = 0;

    thread_detach(thread_self);
    for (int i = 0; i < started; i++) {
        pthread_join(scene->actors[i].id, NULL);
        failed += scene->actors[i].failed;
    }
    thread_attach(thread_self);
    return failed;
}

/* 0, and whether there was a deadlock; or -1 with an exception pending. */
static int perform(struct scene *scene, bool *deadlock)
{
    int started, error = 0, failed;

    for (started = 0; started < THREADS && !error; started += !error) {
        struct actor *actor = &scene->actors[started];

        *actor = (struct actor){ .scene = scene, .number = started };
        error = pthread_create(&actor->id, NULL, act, actor);
    }
    if (error)
        reach(&scene->over);
    *deadlock = watch(scene);
    failed = join(scene, started);
    errno = error;
    if (error)
        exception_set_errno("pthread_create");
    else if (failed)
        exception_set(&runtime_error, "%d of %d threads failed", failed, THREADS);
    return error || failed ? -1 : 0;
}

static void tell_deadlock(const struct actor *actors)
{
    for (int i = 0; i < THREADS; i++)
        printf("    %s waits for %c, which %s has locked and keeps\n", actors[i].self.name,
               actors[i].waits_for, actors[i].kept_by);
    printf("    DEADLOCK: neither can go on, and nobody else can help; here the narrator\n"
           "    takes %c away from %s, so that both can end\n",
           list_names[0], thread_names[0]);
}

static void tell_changes(const struct actor *actors)
{
    for (int i = 0; i < THREADS; i++)
        if (actors[i].after != actors[i].before)
            printf("    %s gave up %c to wait for %c; when it had %c again it was longer by %zu\n",
                   thread_names[i], list_names[i], list_names[1 - i], list_names[i],
                   actors[i].after - actors[i].before);
    puts("    both have ended by themselves");
}

static int run(const char *mode, struct gil *gil, const struct thread_hooks *hooks)
{
    struct scene scene = { .narrator = thread_self, .list = { list_new(), list_new() } };
    bool deadlock;
    int result = -1;

    (void)gil, (void)hooks; /* the narrator's */
    if (!scene.list[0] || !scene.list[1])
        goto drop;
    publish(scene.list[0]);
    publish(scene.list[1]);
    printf("%s: %s\n", mode,
           thread_self->keeps_sections ? "one lock per object, nested" : "critical sections");
    puts("    thread 1 has locked a and asks for b; thread 2 has locked b and asks for a");
    result = perform(&scene, &deadlock);
    if (result == 0 && deadlock)
        tell_deadlock(scene.actors);
    else if (result == 0)
        tell_changes(scene.actors);
drop:
    xdecref(scene.list[0]);
    xdecref(scene.list[1]);
    return result;
}

const struct demo demo_deadlock = {
    .about = "two threads lock two lists in opposite order: who goes on",
    .modes = "atomic:naive_containers=1,atomic",
    .head = "    thread 1:                   thread 2:\n"
            "    with a:                     with b:      # each waits until both have begun\n"
            "        with b: b.append(None)      with a: a.append(None)\n",
    .tail =
        "Operations on objects nest: a list compares its items, a destructor runs in the midst\n"
        "of an assignment. So threads come to hold several objects' locks, in orders that no\n"
        "programmer has chosen, and programs that ran under the GIL would stop for ever. That\n"
        "is why one lock per object, held to the end, was rejected for CPython. PEP 703 takes\n"
        "critical sections: who must wait gives up all that it has locked, and takes it again\n"
        "before it goes on. The price: what it had read may have changed meanwhile.",
    .run = run,
};
