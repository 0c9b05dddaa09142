/* race.c - two threads share a dict: what becomes of a count?
 *
 * Only one value is ever in the dict, so each line of the program does the same to
 * its count whatever the other thread does, and each thread can keep its own books:
 * what the count should be is known exactly. What it is, is read when both have ended.
 *
 * Rounds are played until enough have been seen. Where nothing protects the counts,
 * published objects are parked instead of freed, so that the accident can be told.
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
#include <sched.h>
#include <stdio.h>

enum { THREADS = 2, TURNS = 100000, ROUNDS = 20 };

/* A round: what both threads see. */
struct scene {
    struct object *dict, *key; /* set once; owned */
    borrowed value;            /* set once; the dict's */
};

/* One thread, and the books that it keeps of the value. */
struct actor {
    _Alignas(128) const struct scene *scene;
    int64_t taken, dropped;
};

struct outcome {
    struct actor actors[THREADS];
    int64_t right, count; /* what it should be, and what it is */
    bool was_zero;        /* the value was freed; or parked, which is why we can look */
};

struct story {
    int rounds, wrong, leaks, early;
    struct outcome shown; /* the first that went wrong; the last, while none has */
};

/* v = d["x"]; d["x"] = v; del v: the dict takes a reference to its new value, and drops
 * the one to its old value. */
static int turn(struct actor *actor)
{
    const struct scene *scene = actor->scene;
    struct object *v = dict_get(scene->dict, scene->key);
    int result;

    if (!v)
        return -1;
    actor->taken++;
    result = dict_set(scene->dict, scene->key, v);
    if (result == 0) {
        actor->taken++;
        actor->dropped++;
    }
    decref(v);
    actor->dropped++;
    return result;
}

static int act(int number, struct thread *self, void *argument)
{
    struct actor *actor = &((struct outcome *)argument)->actors[number];

    for (int i = 0; i < TURNS; i++) {
        if (turn(actor) < 0)
            return -1;
        safepoint(self);
    }
    return 0;
}

/* d = {"x": 42} */
static int scene_init(struct scene *scene)
{
    struct object *value = int_new(42);
    int result = -1;

    *scene = (struct scene){ .dict = dict_new(), .key = str_new("x") };
    if (scene->dict && scene->key && value) {
        publish(scene->dict);
        publish(scene->key);
        result = dict_set(scene->dict, scene->key, value);
    }
    scene->value = value;
    xdecref(value);
    return result;
}

static void scene_fini(struct scene *scene)
{
    xdecref(scene->dict);
    xdecref(scene->key);
}

static int play_round(struct outcome *outcome)
{
    struct scene scene;
    int result = scene_init(&scene);

    if (result == 0) {
        outcome->right = refcount(scene.value);
        for (int i = 0; i < THREADS; i++)
            outcome->actors[i] = (struct actor){ .scene = &scene };
        result = together(THREADS, act, outcome);
    }
    if (result == 0) {
        rc_quiesce();
        for (int i = 0; i < THREADS; i++)
            outcome->right += outcome->actors[i].taken - outcome->actors[i].dropped;
        outcome->count = refcount(scene.value);
        outcome->was_zero = parked(scene.value);
    }
    scene_fini(&scene);
    return result;
}

static bool is_wrong(const struct outcome *outcome)
{
    return outcome->count != outcome->right || outcome->was_zero;
}

/* At most a second. Without protection, and nothing wrong yet, all of it. */
static int play_rounds(struct story *story, bool parks)
{
    uint64_t deadline_ns = clock_ns() + NS_PER_S;
    struct outcome outcome;

    do {
        if (play_round(&outcome) < 0)
            return -1;
        if (!story->wrong)
            story->shown = outcome;
        story->rounds++;
        story->wrong += is_wrong(&outcome);
        story->leaks += outcome.count > outcome.right && !outcome.was_zero;
        story->early += outcome.was_zero;
    } while (clock_ns() < deadline_ns && !(parks && parking_full()) &&
             (story->rounds < ROUNDS || (parks && !story->wrong)));
    return 0;
}

static void tell_books(const struct outcome *outcome)
{
    for (int i = 0; i < THREADS; i++)
        printf("    thread %d took %" PRId64 " references to the value, and dropped %" PRId64 "\n",
               i + 1, outcome->actors[i].taken, outcome->actors[i].dropped);
    printf("    so its count should be %" PRId64 " (the dict's own), and it is %" PRId64 "%s\n",
           outcome->right, outcome->count, is_wrong(outcome) ? "" : ": right");
}

static void tell_wrong(const struct story *story)
{
    const struct outcome *shown = &story->shown;

    if (shown->was_zero)
        printf("    EARLY FREE: on its way it was 0, and the value was freed while still in use\n");
    else
        printf(
            "    LEAK: when the dict lets go it does not become 0, and nobody frees the value\n");
    printf("    %d of %d rounds went wrong: freed too early in %d, leaked in %d\n", story->wrong,
           story->rounds, story->early, story->leaks);
}

static void tell_right(const struct story *story, bool parks)
{
    cpu_set_t mask;

    printf("    all %d rounds were right\n", story->rounds);
    if (parks && !sched_getaffinity(0, sizeof mask, &mask) && CPU_COUNT(&mask) == 1)
        printf("    (by luck: on one core threads take turns, and seldom meet; try two)\n");
    else if (parks)
        printf("    (by luck: nothing protects this count; try again)\n");
}

static void tell_damage(const struct damage *damage)
{
    printf(
        "    audit: %" PRIu64 " objects were shared; the counts of %" PRIu64
        " are off, by +%" PRIu64 " -%" PRIu64 "; %" PRIu64 " leaked, %" PRIu64 " freed too early\n",
        damage->published, damage->off, damage->over, damage->under, damage->leaked, damage->early);
}

static int run(const char *mode, struct gil *gil, const struct thread_hooks *hooks)
{
    bool parks = RC_NEEDS_GIL && !gil->class->excludes;
    struct story story = { 0 };
    struct damage damage;
    int result;

    (void)hooks; /* the caller's, as its lock is */
    if (parks)
        parking_begin(PARKING_BOUND_BYTES);
    result = play_rounds(&story, parks);
    if (parks)
        parking_end(&damage);
    if (result < 0)
        return -1;
    printf("%s: %s\n    lock: %s\n", mode, rc_policy.about, gil->class->about);
    tell_books(&story.shown);
    if (story.wrong)
        tell_wrong(&story);
    else
        tell_right(&story, parks);
    if (parks && RC_AUDIT)
        tell_damage(&damage);
    return 0;
}

const struct demo demo_race = {
    .about = "two threads share a dict: what becomes of a count",
    .modes = "nolock,gil,atomic,biased",
    .head = "    d = {\"x\": 42}        # shared by two threads; each runs, 100000 times:\n"
            "    v = d[\"x\"]           # take a reference\n"
            "    d[\"x\"] = v           # the dict takes one, and drops the one it had\n"
            "    del v                # drop a reference\n",
    .tail = "A count is read, changed and written back. Two threads that do so at once both\n"
            "write back the same number: of two changes one is lost. A lost increment leads to\n"
            "an early free, a lost decrement to a leak. A global lock lets only one thread\n"
            "count at a time; an atomic count is changed in one step that nothing divides;\n"
            "a biased one gives the owner and the others a count each.",
    .run = run,
};
