/* fib.c - recursive fib on boxed ints; each thread has its own constants.
 *
 * CPU-bound and sharing nothing: what a global lock costs, and nothing else. After
 * the Gilectomy's x.py (L. Hastings, 2016), which ran fib(30) in seven threads.
 */
#include "benches/fibonacci.h"

#include "objects/exception.h"

#include <stdlib.h>

static int begin(struct worker *w)
{
    w->state = calloc(1, sizeof(struct fibonacci));
    if (!w->state) {
        exception_set_no_memory();
        return -1;
    }
    return fibonacci_init(w->state);
}

static int step(struct worker *w)
{
    return fibonacci_step(w, w->state);
}

static void end(struct worker *w)
{
    if (w->state)
        fibonacci_fini(w->state);
    free(w->state);
}

const struct workload workload_fib = {
    .about = "recursive fib on boxed ints; each thread has its own constants",
    .unit = "call", .kind = KIND_CPU, .shares = SHARES_NOTHING, .least_threads = 1,
    .roles = { { .name = "worker", .per_thread = 1, .begin = begin, .step = step, .end = end } },
};
