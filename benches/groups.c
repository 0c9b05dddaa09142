/* groups.c - values in groups, which a generator that delegates to averagers reports on. */
#include "benches/groups.h"

#include "benches/averager.h"
#include "objects/dict.h"
#include "objects/float.h"
#include "objects/str.h"

const struct group groups[GROUPS] = {
    { "cats;cm", { 46.0, 44.5, 48.2, 45.1 } },
    { "cats;kg", { 4.1, 3.9, 5.2, 4.4 } },
    { "dogs;cm", { 58.0, 63.5, 35.2 } },
    { "dogs;kg", { 21.5, 30.2, 8.8 } },
};

int group_length(const struct group *group)
{
    int length = 0;

    while (length < GROUP_VALUES_MOST && group->value[length] != 0)
        length++;
    return length;
}

/* Frame: [0] results, [1] key. */
static enum turn collect_results(struct frame *f, enum resume how, borrowed argument,
                                 struct object **result)
{
    if (how == RESUME_THROW)
        return frame_raise(argument);
    if (f->at && dict_set(f->reference[0], f->reference[1], argument) < 0)
        return TURN_ERROR;
    f->at = 1;
    *result = averager_new(false);
    return *result ? TURN_FROM : TURN_ERROR;
}

static const struct body grouper = {
    .name = "grouper", .resume = collect_results, .references = 2,
};

static int send(struct object *g, struct object *term /* steals; NULL: an exception is pending */)
{
    struct object *result;
    enum step step = term ? generator_send(g, term, &result) : STEP_ERROR;

    xdecref(term);
    if (step != STEP_ERROR)
        decref(result);
    return step == STEP_NEXT ? 0 : -1;
}

static int send_all(struct object *g, const struct group *group, bool sentinel)
{
    int length = group_length(group);

    for (int i = 0; i < length; i++)
        if (send(g, float_new(group->value[i])) < 0)
            return -1;
    return sentinel ? send(g, none()) : 0;
}

static int add_group(borrowed results, const struct group *group, bool sentinel)
{
    struct object *key = str_new(group->key), *g = NULL;
    int result = -1;

    if (key)
        g = generator_primed(&grouper, (borrowed[]){ results, key }, 2);
    if (g)
        result = send_all(g, group, sentinel);
    xdecref(g);
    xdecref(key);
    return result;
}

int groups_add_all(borrowed results, bool sentinel)
{
    for (int i = 0; i < GROUPS; i++)
        if (add_group(results, &groups[i], sentinel) < 0)
            return -1;
    return 0;
}
