/* averager.c - a running average: primed by hand, primed by a helper, ended by a string.
 *
 *     def averager():
 *         total, count, average = 0.0, 0, None
 *         while True:
 *             total += yield average
 *             count += 1
 *             average = total / count
 *
 * It prints what CPython 3.11 prints for that program.
 */
#include "benches/averager.h"

#include "benches/demo.h"
#include "objects/bool.h"
#include "objects/int.h"
#include "objects/iterator.h"
#include "objects/str.h"

#include <stdio.h>

/* Sends it, and prints what came. */
static int send(struct object *g, struct object *term /* steals; NULL: an exception is pending */,
                char after)
{
    struct object *result;
    enum step step = term ? generator_send(g, term, &result) : STEP_ERROR;
    char text[40];

    xdecref(term);
    if (step == STEP_ERROR)
        return -1;
    if (step == STEP_NEXT) {
        object_repr(result, text, sizeof text);
        printf("%s%c", text, after);
    }
    decref(result);
    return step == STEP_NEXT ? 0 : 1;
}

static int send_two(struct object *g)
{
    if (send(g, int_new(40), ' ') < 0)
        return -1;
    return send(g, int_new(50), '\n');
}

/* The error that was expected is told. */
static int tell_error(const char *says)
{
    if (!exception_matches(&type_error))
        return -1;
    printf("%s %s\n", says, exception_message(exception_pending()));
    exception_restore(NULL);
    return 0;
}

static int prime_by_hand(struct object *g)
{
    struct object *first;

    if (send(g, int_new(40), '\n') >= 0 || tell_error("not primed:") < 0)
        return -1;
    first = iterator_next(g);
    if (!first)
        return -1;
    printf("primes to %s\n", first == none() ? "None" : "something");
    decref(first);
    return send_two(g);
}

static int end_by_a_string(struct object *g)
{
    if (send_two(g) < 0)
        return -1;
    if (send(g, str_new("spam"), '\n') >= 0 || tell_error("TypeError:") < 0)
        return -1;
    if (send(g, int_new(60), '\n') != 1)
        return -1;
    puts("StopIteration: an exception ended it");
    return 0;
}

static int tell(struct object *g /* steals; NULL: an exception is pending */,
                int (*story)(struct object *g))
{
    int result = g ? story(g) : -1;

    xdecref(g);
    return result;
}

static int run(const char *mode, struct gil *gil, const struct thread_hooks *hooks)
{
    (void)mode, (void)gil, (void)hooks;
    if (tell(averager_new(true), prime_by_hand) < 0)
        return -1;
    return tell(generator_primed(&averager, (borrowed[]){ truth(true) }, 1), end_by_a_string);
}

const struct demo demo_averager = {
    .about = "a running average: primed by hand, by a helper, and ended by a string",
    .modes = "gil", .run = run,
};
