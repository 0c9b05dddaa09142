/* stepping.c - generators that only yield, alone and in chains. */
#include "benches/stepping.h"

#include "objects/iterator.h"

enum turn stepping_yields(struct frame *f, enum resume how, borrowed argument,
                          struct object **result)
{
    if (how == RESUME_THROW && exception_is(argument, &generator_exit))
        return frame_raise(argument);
    f->at = 1;
    *result = incref(f->reference[0]);
    return TURN_YIELD;
}

static enum turn delegates(struct frame *f, enum resume how, borrowed argument,
                           struct object **result)
{
    if (how == RESUME_THROW)
        return frame_raise(argument);
    if (f->at++)
        return frame_return(result);
    *result = iterate(f->reference[0]);
    return *result ? TURN_FROM : TURN_ERROR;
}

static const struct body yields = { .name = "yields", .resume = stepping_yields, .references = 1 };
static const struct body around = { .name = "around", .resume = delegates, .references = 1 };

struct object *stepping_around(struct object *g, int depth)
{
    struct object *outer;

    for (int i = 0; g && i < depth; i++) {
        outer = generator_new(&around, (borrowed[]){ g }, 1);
        decref(g);
        g = outer;
    }
    return g;
}

struct object *stepping_new(borrowed item, int depth)
{
    return stepping_around(generator_new(&yields, &item, 1), depth);
}
