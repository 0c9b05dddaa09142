/* sleep.c - 1 ms of waiting, then a little work on objects.
 *
 * The most a lock can hope for: the waits overlap, and only the work does not. Sixteen
 * threads should wait sixteen times as often as one under every lock.
 */
#include "benches/countdown.h"
#include "benches/hosted.h"
#include "coroutines/async_io.h"
#include "coroutines/coroutine.h"
#include "coroutines/io.h"
#include "gil/mutex.h"
#include "objects/exception.h"

enum { WAIT_NS = NS_PER_MS, LOOPS = 100 };

static int check_wait(uint64_t waited_ns)
{
    if (waited_ns >= WAIT_NS)
        return 0;
    exception_set(&runtime_error, "waited %llu ns of %d", (unsigned long long)waited_ns, WAIT_NS);
    return -1;
}

static int work(struct worker *w)
{
    return countdown_run(w->thread, w->state, LOOPS);
}

static void count(struct worker *w, uint64_t waited_ns)
{
    worker_latency(w, waited_ns);
    worker_count(w, 1);
}

static int step(struct worker *w)
{
    uint64_t start_ns = clock_ns(), waited_ns;

    if (io_sleep_ns(WAIT_NS) < 0)
        return -1;
    waited_ns = clock_ns() - start_ns;
    if (check_wait(waited_ns) < 0 || work(w) < 0)
        return -1;
    count(w, waited_ns);
    return 0;
}

enum { BEGINS, SLEEPS, WORKS };

/* Local is when it began to wait, then for how long it has. */
static enum turn await(struct frame *f, enum resume how, borrowed argument, struct object **result)
{
    struct worker *w = worker_at(f->reference[0]);
    uint64_t *ns = frame_locals(f);

    if (how == RESUME_THROW)
        return frame_raise(argument);
    switch (f->at++) {
    case BEGINS:
        *ns = clock_ns();
        *result = async_io_sleep(loop_running(), WAIT_NS);
        return *result ? TURN_FROM : TURN_ERROR;
    case SLEEPS:
        *ns = clock_ns() - *ns;
        *result = check_wait(*ns) < 0 ? NULL : unit_compute(w, work);
        return *result ? TURN_FROM : TURN_ERROR;
    default: /* WORKS */
        count(w, *ns);
        return frame_return(result);
    }
}

static const struct body await_step = {
    .name = "sleep_step", .kind = COROUTINE, .resume = await, .references = 1,
    .locals_bytes = sizeof(uint64_t),
};

const struct workload workload_sleep = {
    .about = "1 ms of waiting, then a little work on objects; latency is of the wait",
    .unit = "wait", .kind = KIND_IO, .shares = SHARES_NOTHING, .least_threads = 1,
    .isolated = true,
    .roles = { { .name = "sleeper", .per_thread = 1, .records_latency = true,
                 .begin = countdown_begin, .step = step, .end = countdown_end,
                 .await_step = &await_step } },
};
