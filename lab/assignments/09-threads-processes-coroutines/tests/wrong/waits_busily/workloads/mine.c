/* mine.c - WRONG: it looks at the clock until the time is over.
 *
 * With a safe point in the loop nobody is kept from the lock for long. But who waits so needs a
 * processor for it, and sixteen that wait need sixteen.
 *
 * Score: 0
 * Says: test_an_operation_that_waits_takes_no_processor
 * Caught by: tests/test_mine (debug)
 */
#include "benches/countdown.h"
#include "benches/hosted.h"
#include "benches/job_state.h"
#include "coroutines/async_io.h"
#include "coroutines/coroutine.h"
#include "gil/mutex.h"
#include "objects/exception.h"

enum { WAITS_PERCENT, OPERATION_US };

/* Of the operations of a job. */
struct state {
    int64_t loops, wait_ns; /* set once */
};

static int setup(struct job *job)
{
    struct state *s = job_state_new(job, sizeof *s);
    int64_t operation_ns = job->param[OPERATION_US] * NS_PER_US;

    if (!s)
        return -1;
    s->wait_ns = operation_ns * job->param[WAITS_PERCENT] / 100;
    return countdown_loops_in(operation_ns - s->wait_ns, &s->loops);
}

static int check_wait(uint64_t since_ns, int64_t wait_ns)
{
    if (clock_ns() - since_ns >= (uint64_t)wait_ns)
        return 0;
    exception_set(&runtime_error, "a wait of %lld ns ended early", (long long)wait_ns);
    return -1;
}

/* No wait at all, and so no release of the lock, where none is asked for. */
static int wait_its_share(int64_t wait_ns)
{
    uint64_t start_ns = clock_ns();

    while (clock_ns() - start_ns < (uint64_t)wait_ns)
        safepoint(thread_self);
    return check_wait(start_ns, wait_ns);
}

static int compute(struct worker *w)
{
    const struct state *s = w->job->state;

    return countdown_run(w->thread, w->state, s->loops);
}

static void count(struct worker *w, uint64_t start_ns)
{
    worker_latency(w, clock_ns() - start_ns);
    worker_count(w, 1);
}

static int step(struct worker *w)
{
    const struct state *s = w->job->state;
    uint64_t start_ns = clock_ns();

    if (compute(w) < 0 || wait_its_share(s->wait_ns) < 0)
        return -1;
    count(w, start_ns);
    return 0;
}

enum { BEGINS, COMPUTES, WAITS };

struct times {
    uint64_t start_ns, wait_start_ns;
};

static enum turn go_on(struct frame *f, struct worker *w, struct object **result)
{
    const struct state *s = w->job->state;
    struct times *t = frame_locals(f);

    switch (f->at++) {
    case BEGINS:
        t->start_ns = clock_ns();
        *result = unit_compute(w, compute);
        return *result ? TURN_FROM : TURN_ERROR;
    case COMPUTES:
        t->wait_start_ns = clock_ns();
        if (s->wait_ns) {
            *result = async_io_sleep(loop_running(), s->wait_ns);
            return *result ? TURN_FROM : TURN_ERROR;
        }
        break;
    default: /* WAITS */
        if (check_wait(t->wait_start_ns, s->wait_ns) < 0)
            return TURN_ERROR;
    }
    count(w, t->start_ns);
    return frame_return(result);
}

static enum turn await(struct frame *f, enum resume how, borrowed argument, struct object **result)
{
    return how == RESUME_THROW ? frame_raise(argument)
                               : go_on(f, worker_at(f->reference[0]), result);
}

static const struct body await_step = {
    .name = "mine_step",
    .kind = COROUTINE,
    .resume = await,
    .references = 1,
    .locals_bytes = sizeof(struct times),
};

const struct workload workload_mine = {
    .about = "operations that wait for a share of their time and compute the rest",
    .unit = "operation",
    .kind = KIND_MIXED,
    .shares = SHARES_NOTHING,
    .least_threads = 1,
    .isolated = true,
    .param = { { "waits_percent", "share of each operation that waits", 50, 0, 100 },
               { "operation_us", "how long it takes one worker alone", 1000, 1, 1000000 } },
    .roles = { { .name = "worker",
                 .per_thread = 1,
                 .records_latency = true,
                 .begin = countdown_begin,
                 .step = step,
                 .end = countdown_end,
                 .await_step = &await_step } },
    .setup = setup,
    .teardown = job_state_free,
};
