/* countdown.c - a loop that counts down on boxed ints, in each thread.
 *
 * What the articles on Python's GIL run in one, two, four and eight threads, since D. Beazley's
 * count(100000000) (Inside the Python GIL, 2009). It shares nothing and never waits: all
 * that more threads can cost is the lock.
 */
#include "benches/countdown.h"

#include "benches/workload.h"

const struct workload workload_countdown = {
    .about = "a loop that counts down on boxed ints; each thread has its own",
    .unit = "step", .kind = KIND_CPU, .shares = SHARES_NOTHING, .least_threads = 1,
    .isolated = true,
    .roles = { { .name = "worker", .per_thread = 1, .begin = countdown_begin,
                 .step = countdown_step, .end = countdown_end } },
};
