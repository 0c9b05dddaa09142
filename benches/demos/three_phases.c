/* three_phases.c - a coroutine of three phases, its states, and its end.
 *
 *     def phases(a):
 *         b = yield a
 *         c = yield a + b
 *
 * It prints what CPython 3.11 prints for that program.
 */
#include "benches/demo.h"

#include "coroutines/generator.h"
#include "objects/int.h"
#include "objects/iterator.h"

#include <inttypes.h>
#include <stdio.h>

static enum turn go_through(struct frame *f, enum resume how, borrowed argument,
                            struct object **result)
{
    borrowed a = f->reference[0];

    if (how == RESUME_THROW)
        return frame_raise(argument);
    switch (f->at++) {
    case 0:
        printf("started with %" PRId64 "\n", int_value(a));
        *result = incref(a);
        return TURN_YIELD;
    case 1:
        printf("received %" PRId64 "\n", int_value(argument));
        *result = int_add(a, argument);
        return *result ? TURN_YIELD : TURN_ERROR;
    default:
        printf("received %" PRId64 "\n", int_value(argument));
        return frame_return(result);
    }
}

static const struct body phases = { .name = "phases", .resume = go_through, .references = 1 };

static struct object *coro; /* owned, while it runs */

static enum step send(int64_t value)
{
    struct object *sent = int_new(value), *result;
    enum step step = sent ? generator_send(coro, sent, &result) : STEP_ERROR;

    xdecref(sent);
    if (step == STEP_NEXT)
        printf("yielded %" PRId64 "\n", int_value(result));
    else if (step == STEP_RETURN)
        printf("StopIteration, value %s\n", result == none() ? "None" : "another");
    if (step != STEP_ERROR)
        decref(result);
    return step;
}

static int tell(void)
{
    struct object *first;

    puts(generator_state_name(coro));
    first = iterator_next(coro);
    if (!first)
        return -1;
    printf("yielded %" PRId64 "\n", int_value(first));
    decref(first);
    puts(generator_state_name(coro));
    if (send(28) != STEP_NEXT || send(99) != STEP_RETURN)
        return -1;
    puts(generator_state_name(coro));
    return 0;
}

static int run(const char *mode, struct gil *gil, const struct thread_hooks *hooks)
{
    struct object *a = int_new(14);
    int result;

    (void)mode, (void)gil, (void)hooks;
    coro = a ? generator_new(&phases, (borrowed[]){ a }, 1) : NULL;
    result = coro ? tell() : -1;
    xdecref(coro);
    xdecref(a);
    return result;
}

const struct demo demo_three_phases = {
    .about = "a coroutine of three phases, its states, and its end", .modes = "gil", .run = run,
};
