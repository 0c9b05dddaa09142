/* fib.c - recursive fib on boxed ints; each thread has its own constants.
 *
 * CPU-bound and sharing nothing: what a global lock costs, and nothing else. After
 * the Gilectomy's x.py (L. Hastings, 2016), which ran fib(30) in seven threads.
 */
#include "benches/fibonacci.h"

#include "objects/exception.h"

#include <stdlib.h>

enum { UNCOUNTED_PERCENT };

struct fib {
    struct fibonacci numbers;
    int64_t owed_percent; /* of a computation that is not to be counted */
};

static int begin(struct worker *w)
{
    w->state = calloc(1, sizeof(struct fib));
    if (!w->state) {
        exception_set_no_memory();
        return -1;
    }
    return fibonacci_init(&((struct fib *)w->state)->numbers);
}

static int step(struct worker *w)
{
    struct fib *fib = w->state;

    fib->owed_percent += w->job->param[UNCOUNTED_PERCENT];
    if (fib->owed_percent >= 100) {
        fib->owed_percent -= 100;
        if (fibonacci_compute(w, &fib->numbers) < 0)
            return -1;
    }
    return fibonacci_step(w, &fib->numbers);
}

static void end(struct worker *w)
{
    struct fib *fib = w->state;

    if (fib)
        fibonacci_fini(&fib->numbers);
    free(fib);
}

const struct workload workload_fib = {
    .about = "recursive fib on boxed ints; each thread has its own constants",
    .unit = "call", .kind = KIND_CPU, .shares = SHARES_NOTHING, .least_threads = 1,
    .isolated = true,
    .param = { { "uncounted_percent", "a slowdown by so much, to see whether it is found", 0, 0, 100 } },
    .roles = { { .name = "worker", .per_thread = 1, .begin = begin, .step = step, .end = end } },
};
