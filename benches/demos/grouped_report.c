/* grouped_report.c - a generator that delegates, between its caller and an averager.
 *
 *     def grouper(results, key):
 *         while True:
 *             results[key] = yield from averager()
 *
 * Each group is ended by None; then the same, and that is forgotten: no averager returns, and
 * there is no result. It prints what CPython 3.11 prints for that program.
 */
#include "benches/averager.h"

#include "benches/demo.h"
#include "objects/dict.h"
#include "objects/float.h"
#include "objects/int.h"
#include "objects/str.h"
#include "objects/tuple.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

enum { VALUES_MOST = 4 };

/* In the order in which they are reported. */
static const struct group {
    const char *key; /* name;unit */
    double value[VALUES_MOST]; /* 0 ends them */
} groups[] = {
    { "cats;cm", { 46.0, 44.5, 48.2, 45.1 } },
    { "cats;kg", { 4.1, 3.9, 5.2, 4.4 } },
    { "dogs;cm", { 58.0, 63.5, 35.2 } },
    { "dogs;kg", { 21.5, 30.2, 8.8 } },
};

enum { GROUPS = sizeof groups / sizeof *groups };

/* Frame: [0] results, [1] key. */
static enum turn group(struct frame *f, enum resume how, borrowed argument,
                       struct object **result)
{
    if (how == RESUME_THROW)
        return frame_raise(argument);
    if (f->at++ && dict_set(f->reference[0], f->reference[1], argument) < 0)
        return TURN_ERROR;
    *result = averager_new(false);
    return *result ? TURN_FROM : TURN_ERROR;
}

static const struct body grouper = { .name = "grouper", .resume = group, .references = 2 };

static int send(struct object *g, struct object *term /* steals; NULL: an exception is pending */)
{
    struct object *result;
    enum step step = term ? generator_send(g, term, &result) : STEP_ERROR;

    xdecref(term);
    if (step != STEP_ERROR)
        decref(result);
    return step == STEP_NEXT ? 0 : -1;
}

static int send_all(struct object *g, const struct group *data, bool sentinel)
{
    for (int i = 0; i < VALUES_MOST && data->value[i] != 0; i++)
        if (send(g, float_new(data->value[i])) < 0)
            return -1;
    return sentinel ? send(g, none()) : 0;
}

static int add_group(struct object *results, const struct group *data, bool sentinel)
{
    struct object *key = str_new(data->key), *g = NULL;
    int result = -1;

    if (key)
        g = generator_primed(&grouper, (borrowed[]){ results, key }, 2);
    if (g)
        result = send_all(g, data, sentinel);
    xdecref(g);
    xdecref(key);
    return result;
}

static void print_result(const char *key, borrowed result)
{
    int name = (int)strcspn(key, ";");

    printf("%2" PRId64 " %-5.*s averaging %.2f%s\n", int_value(tuple_get(result, 0)), name, key,
           float_value(tuple_get(result, 1)), key + name + 1);
}

/* Of one that is not there nothing is printed. */
static int print_group(struct object *results, const struct group *data)
{
    struct object *key = str_new(data->key), *result;
    int found = key ? dict_find(results, key, &result) : -1;

    if (found > 0) {
        print_result(data->key, result);
        decref(result);
    }
    xdecref(key);
    return found < 0 ? -1 : 0;
}

static int report(struct object *results, bool sentinel)
{
    for (int i = 0; i < GROUPS; i++)
        if (add_group(results, &groups[i], sentinel) < 0)
            return -1;
    for (int i = 0; i < GROUPS; i++)
        if (print_group(results, &groups[i]) < 0)
            return -1;
    printf("%zu groups\n", dict_length(results));
    return 0;
}

static int run_report(bool sentinel)
{
    struct object *results = dict_new();
    int result = results ? report(results, sentinel) : -1;

    xdecref(results);
    return result;
}

static int run(const char *mode, struct gil *gil, const struct thread_hooks *hooks)
{
    (void)mode, (void)gil, (void)hooks;
    return run_report(true) < 0 || run_report(false) < 0 ? -1 : 0;
}

const struct demo demo_grouped_report = {
    .about = "a generator that delegates to averagers; and what becomes of it without an end",
    .modes = "gil", .run = run,
};
