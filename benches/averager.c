/* averager.c - sums up what it is sent. */
#include "benches/averager.h"

#include "objects/bool.h"
#include "objects/float.h"
#include "objects/int.h"
#include "objects/tuple.h"

struct sum {
    double total;
    int64_t count;
};

/* total += term. -1: TypeError. */
static int add(struct sum *sum, borrowed term)
{
    if (type_of(term) == &int_type) {
        sum->total += (double)int_value(term);
    } else if (type_of(term) == &float_type) {
        sum->total += float_value(term);
    } else {
        exception_set(&type_error, "unsupported operand type(s) for +=: 'float' and '%s'",
                      type_of(term)->name);
        return -1;
    }
    sum->count++;
    return 0;
}

static struct object *average(const struct sum *sum)
{
    return float_new(sum->total / (double)sum->count);
}

static enum turn give_result(const struct sum *sum, struct object **result)
{
    struct object *pair[] = { int_new(sum->count), average(sum) };

    *result = pair[0] && pair[1] ? tuple_new(2, pair) : NULL;
    xdecref(pair[0]);
    xdecref(pair[1]);
    return *result ? TURN_RETURN : TURN_ERROR;
}

static enum turn take_terms(struct frame *f, enum resume how, borrowed argument,
                            struct object **result)
{
    struct sum *sum = frame_locals(f);
    bool first = f->at++ == 0;

    if (how == RESUME_THROW)
        return frame_raise(argument);
    if (!first && argument == none())
        return give_result(sum, result);
    if (!first && add(sum, argument) < 0)
        return TURN_ERROR;
    f->at = 1;
    *result = first || !is_true(f->reference[0]) ? none() : average(sum);
    return *result ? TURN_YIELD : TURN_ERROR;
}

const struct body averager = { .name = "averager", .resume = take_terms, .references = 1,
                               .locals_bytes = sizeof(struct sum) };

struct object *averager_new(bool tells)
{
    return generator_new(&averager, (borrowed[]){ truth(tells) }, 1);
}
