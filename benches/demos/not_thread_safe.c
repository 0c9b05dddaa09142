/* not_thread_safe.c - a global lock keeps the runtime safe, not the program.
 *
 * Two threads read a number, add one and store it. Between the reading and the storing there
 * is a safe point, as there is between any two instructions of an interpreter: there the lock
 * may go to the other thread, whose additions are overwritten when this one goes on. That
 * happens under every lock, however its rules are. What the lock does guard is the runtime's
 * own: every count comes out right.
 */
#include "benches/demo.h"
#include "benches/together.h"
#include "gil/gil.h"
#include "gil/mutex.h"
#include "objects/dict.h"
#include "objects/exception.h"
#include "objects/int.h"
#include "objects/str.h"

#include <inttypes.h>
#include <stdatomic.h>
#include <stdio.h>

/* A round is longer than two turns of any lock; some wait so long before they ask. And it lasts
 * until each has been let in, between two steps of the other. */
enum { THREADS = 2, ROUND_MS = 250, ROUNDS = 20 };

struct scene {
    struct object *dict, *key; /* set once; owned */
    uint64_t end_ns;           /* set before a round */
    _Atomic int64_t added[THREADS]; /* by each, and seen by the other */
};

/* n = d["n"]; d["n"] = n + 1 */
static int add_one(struct scene *scene, struct thread *self)
{
    struct object *n = dict_get(scene->dict, scene->key), *more;
    int result;

    if (!n)
        return -1;
    more = int_new(int_value(n) + 1);
    decref(n);
    safepoint(self);
    result = more ? dict_set(scene->dict, scene->key, more) : -1;
    xdecref(more);
    return result;
}

static int64_t added_by(const struct scene *scene, int number)
{
    return atomic_load_explicit(&scene->added[number], memory_order_relaxed);
}

static int act(int number, struct thread *self, void *argument)
{
    enum { TURNS = 64 }; /* from one look at the clock to the next */
    struct scene *scene = argument;

    do {
        for (int i = 0; i < TURNS; i++)
            if (add_one(scene, self) < 0)
                return -1;
        atomic_fetch_add_explicit(&scene->added[number], TURNS, memory_order_relaxed);
    } while (clock_ns() < scene->end_ns || !added_by(scene, 1 - number));
    return 0;
}

/* d = {"n": 0} */
static int scene_init(struct scene *scene)
{
    struct object *zero = int_new(0);
    int result = -1;

    *scene = (struct scene){ .dict = dict_new(), .key = str_new("n") };
    if (scene->dict && scene->key && zero) {
        publish(scene->dict);
        publish(scene->key);
        result = dict_set(scene->dict, scene->key, zero);
    }
    xdecref(zero);
    return result;
}

static void scene_fini(struct scene *scene)
{
    xdecref(scene->dict);
    xdecref(scene->key);
}

/* What the dict says, and how many references that number has: one, the dict's, if the runtime
 * is safe. 0, or -1 with an exception pending. */
static int look(const struct scene *scene, int64_t *number, int64_t *references)
{
    struct object *n = dict_get(scene->dict, scene->key);

    if (!n)
        return -1;
    rc_quiesce();
    *number = int_value(n);
    *references = refcount(n) - 1;
    decref(n);
    return 0;
}

static int64_t additions(const struct scene *scene)
{
    int64_t sum = 0;

    for (int i = 0; i < THREADS; i++)
        sum += added_by(scene, i);
    return sum;
}

/* Until something is lost. */
static int play_rounds(struct scene *scene, int64_t *number, int64_t *references)
{
    int result = scene_init(scene);

    for (int i = 0; i < ROUNDS && result == 0; i++) {
        scene->end_ns = clock_ns() + ROUND_MS * NS_PER_MS;
        result = together(THREADS, act, scene);
        if (result == 0)
            result = look(scene, number, references);
        if (result == 0 && *number < additions(scene))
            break;
    }
    return result;
}

static int run(const char *mode, struct gil *gil, const struct thread_hooks *hooks)
{
    struct scene scene;
    int64_t number = 0, references = 0;
    int result;

    (void)hooks; /* the caller's, as its lock is */
    if (RC_NEEDS_GIL && !gil->class->excludes) {
        printf("%-16s nothing is locked, and the runtime breaks first: lab demo race\n", mode);
        return 0;
    }
    result = play_rounds(&scene, &number, &references);
    if (result == 0)
        printf("%-16s %12" PRId64 " %12" PRId64 " %12" PRId64 "   %s\n", mode, additions(&scene),
               number, additions(&scene) - number, references == 1 ? "right" : "WRONG");
    scene_fini(&scene);
    return result;
}

const struct demo demo_not_thread_safe = {
    .about = "two threads add to a number: a lock keeps the runtime safe, not the program",
    .modes = "plain+all,atomic",
    .head = "    d = {\"n\": 0}         # shared by two threads; each runs, over and over:\n"
            "    n = d[\"n\"]           # read\n"
            "                         # a safe point: the lock may go to the other thread\n"
            "    d[\"n\"] = n + 1       # add and store\n"
            "\n"
            "mode                additions    d[\"n\"] says         lost   the number's count",
    .tail = "\n"
            "Who is interrupted between reading and storing writes back what it knew, and all that\n"
            "the other has added meanwhile is gone. No rule of who goes next helps: under every\n"
            "lock here, and under none, additions are lost. The lock does keep the runtime safe,\n"
            "every count is right. The program needs a lock of its own around the two lines.",
    .run = run,
};
