/* wake_up.c - a thread makes calls into the event loop of another, which sleeps between.
 *
 * The one safe way from a thread to a loop: loop_call_soon_threadsafe. A caller makes some calls,
 * as many as `ahead`, and waits until the loop has made the last of them; then the loop sleeps in
 * its poll again. One at a time it is what it takes to wake a loop and to be told so; many at a
 * time, what a call itself costs, for the first alone wakes. Latency is of a round. Each call
 * carries its number, and the loop sees that none is missing and none comes too early.
 */
#include "benches/workload.h"
#include "benches/waiting.h"
#include "coroutines/block.h"
#include "coroutines/loop.h"
#include "objects/exception.h"
#include "objects/function.h"
#include "objects/int.h"
#include "objects/none.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

enum { AHEAD, SPIN };
enum { ROUNDS_A_STEP = 4 };

/* A caller and its loop, in lines of their own. */
static struct pair {
    _Alignas(128) struct object *loop; /* set once; owned */
    struct object *note;               /* set once; owned; what is called */
    int64_t ahead;                     /* set once */
    int64_t number;                    /* caller; of its next call */
    _Atomic uint32_t answered;         /* block.h: the loop has made the last call of a round */
    _Alignas(128) int64_t called;      /* loop */
    bool disorder;                     /* loop */
} *pairs;
static int count; /* of them that are whole */

/* Its closure is the address of the pair. */
static struct object *note_call(borrowed closure, borrowed const *arguments, size_t argument_count)
{
    struct pair *p = (struct pair *)(uintptr_t)int_value(closure);

    (void)argument_count;
    p->disorder |= int_value(arguments[0]) != p->called;
    if (++p->called % p->ahead == 0)
        block_end(&p->answered);
    return none();
}

/* For a first call: a loop that has no memory for one keeps it until it has, and nobody is told. */
static int make_room(borrowed loop)
{
    if (loop_promise(loop) < 0)
        return -1;
    loop_unpromise(loop);
    return 0;
}

/* What was made stays in it also after a failure. */
static int init_pair(struct pair *p, int64_t ahead)
{
    struct object *address = int_new((int64_t)(uintptr_t)p);

    p->ahead = ahead;
    if (address)
        p->note = function_new("note_call", note_call, 1, address);
    xdecref(address);
    p->loop = p->note ? loop_new() : NULL;
    if (!p->loop || make_room(p->loop) < 0)
        return -1;
    publish(p->note);
    publish(p->loop);
    return 0;
}

static int setup(struct job *job)
{
    size_t size_bytes = (size_t)job->threads * sizeof *pairs;

    pairs = aligned_alloc(128, size_bytes);
    if (!pairs) {
        exception_set_no_memory();
        return -1;
    }
    memset(pairs, 0, size_bytes);
    for (count = 0; count < job->threads; count++)
        if (init_pair(&pairs[count], job->param[AHEAD]) < 0) {
            count++;
            return -1;
        }
    return 0;
}

static int call_once(struct pair *p)
{
    struct object *number = int_new(p->number++);
    int result = number ? loop_call_soon_threadsafe(p->loop, p->note, number) : -1;

    xdecref(number);
    return result;
}

/* 1: it was interrupted. In one step with the look at what has come before, so that either the
 * interrupt ends the wait, or it is seen here that the job stops. */
static int call_round(struct worker *w, struct pair *p)
{
    uint64_t start_ns = clock_ns();

    atomic_exchange_explicit(&p->answered, 0, memory_order_acq_rel);
    if (job_stopping(w->job))
        return 1;
    for (int64_t i = 0; i < p->ahead; i++)
        if (call_once(p) < 0)
            return -1;
    block_until(&p->answered, BLOCK_FOREVER, (uint32_t)w->job->param[SPIN]);
    if (job_stopping(w->job))
        return 1;
    worker_latency(w, clock_ns() - start_ns);
    worker_count(w, (uint64_t)p->ahead);
    return 0;
}

static int call_step(struct worker *w)
{
    int result = 0;

    for (int i = 0; i < ROUNDS_A_STEP && result == 0; i++) {
        result = call_round(w, &pairs[w->index]);
        safepoint(w->thread);
    }
    return result < 0 ? -1 : 0;
}

/* Until it is interrupted. */
static int loop_step(struct worker *w)
{
    if (loop_run_forever(pairs[w->index].loop) == 0)
        return 0;
    if (!job_stopping(w->job) ||
        !(exception_matches(&keyboard_interrupt) || exception_matches(&memory_error)))
        return -1;
    exception_restore(NULL);
    return 0;
}

static void interrupt(struct job *job)
{
    (void)job;
    for (int i = 0; i < count; i++) {
        block_end(&pairs[i].answered);
        loop_interrupt(pairs[i].loop);
    }
}

/* Calls of a round that was interrupted may have been made, or not. */
static int check(struct job *job, uint64_t ops)
{
    uint64_t made = 0, called = 0;
    bool disorder = false;

    (void)job;
    for (int i = 0; i < count; i++) {
        made += (uint64_t)pairs[i].number;
        called += (uint64_t)pairs[i].called;
        disorder |= pairs[i].disorder;
    }
    if (!disorder && ops <= called && called <= made)
        return 0;
    exception_set(&runtime_error, "of %" PRIu64 " calls the loops made %" PRIu64 ", %" PRIu64
                  " were answered%s", made, called, ops, disorder ? "; out of order" : "");
    return -1;
}

static void teardown(struct job *job)
{
    (void)job;
    for (int i = 0; i < count; i++) {
        if (pairs[i].loop)
            loop_close(pairs[i].loop);
        xdecref(pairs[i].loop);
        xdecref(pairs[i].note);
    }
    free(pairs);
    pairs = NULL;
    count = 0;
}

const struct workload workload_wake_up = {
    .about = "thread-safe calls from one thread into the event loop of another, which sleeps",
    .unit = "call", .kind = KIND_IO, .shares = SHARES_TABLES, .least_threads = 1,
    .alone = "run event loops of their own, or wait for them in the kernel",
    .param = { { "ahead", "calls that are made before the last is waited for", 1, 1, 100000 },
               { "spin", "how often the caller looks before it sleeps", BLOCK_SPIN, 0, 1000000 } },
    .roles = { { .name = "caller", .per_thread = 1, .records_latency = true, .step = call_step },
               { .name = "loop", .per_thread = 1, .step = loop_step } },
    .setup = setup, .interrupt = interrupt, .check = check, .teardown = teardown,
};
