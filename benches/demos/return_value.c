/* return_value.c - a value that a generator returns travels in StopIteration.
 *
 *     avg = averager()
 *     next(avg)
 *     for term in (10, 30, 6.5):
 *         avg.send(term)
 *     try:
 *         avg.send(None)
 *     except StopIteration as stop:
 *         print(stop.value)
 *
 * It prints what CPython 3.11 prints for that program.
 */
#include "benches/averager.h"

#include "benches/demo.h"
#include "objects/bool.h"
#include "objects/float.h"
#include "objects/int.h"
#include "objects/iterator.h"
#include "objects/tuple.h"

#include <inttypes.h>
#include <stdio.h>

static int send(struct object *g, struct object *term /* steals; NULL: an exception is pending */)
{
    struct object *result;
    enum step step = term ? generator_send(g, term, &result) : STEP_ERROR;

    xdecref(term);
    if (step != STEP_ERROR)
        decref(result);
    return step == STEP_NEXT ? 0 : -1;
}

static void print_result(borrowed result)
{
    char average[40];

    object_repr(tuple_get(result, 1), average, sizeof average);
    printf("Result(count=%" PRId64 ", average=%s)\n", int_value(tuple_get(result, 0)), average);
}

static int tell(struct object *avg)
{
    struct object *stop;

    if (send(avg, int_new(10)) < 0 || send(avg, int_new(30)) < 0 || send(avg, float_new(6.5)) < 0)
        return -1;
    if (iterator_next(avg) || !exception_matches(&stop_iteration))
        return -1;
    stop = exception_take();
    print_result(exception_value(stop));
    decref(stop);
    return 0;
}

static int run(const char *mode, struct gil *gil, const struct thread_hooks *hooks)
{
    struct object *avg = generator_primed(&averager, (borrowed[]){ truth(false) }, 1);
    int result = avg ? tell(avg) : -1;

    (void)mode, (void)gil, (void)hooks;
    xdecref(avg);
    return result;
}

const struct demo demo_return_value = {
    .about = "a value that a generator returns travels in StopIteration",
    .modes = "gil", .run = run,
};
