/* richards.c - each thread simulates the kernel of an operating system of its own.
 *
 * What it shares is the program: classes, functions, and the names of attributes, of which
 * nearly all that it does counts some; or, with shared=0, nothing.
 */
#include "benches/job_state.h"
#include "benches/richards.h"
#include "objects/exception.h"
#include "objects/tuple.h"

#include <stdlib.h>

enum { DISPATCHES = 256, SHARED = 1 }; /* of a step; a parameter */

struct state {
    struct program own; /* if it shares none */
    const struct program *program;
    struct object *scheduler; /* owned */
};

static int setup(struct job *job)
{
    struct program *shared;

    if (!job->param[SHARED])
        return 0;
    shared = job_state_new(job, sizeof *shared);
    if (!shared || richards_init(shared) < 0)
        return -1;
    program_share_all(job, shared);
    return 0;
}

static int begin(struct worker *w)
{
    struct state *state = calloc(1, sizeof *state);

    w->state = state;
    if (!state) {
        exception_set_no_memory();
        return -1;
    }
    state->program = w->job->param[SHARED] ? w->job->state : &state->own;
    if (!w->job->param[SHARED] && richards_init(&state->own) < 0)
        return -1;
    state->scheduler = richards_new(state->program);
    return state->scheduler ? 0 : -1;
}

static int start_anew(struct state *state)
{
    struct object *fresh;

    if (richards_check(state->program, state->scheduler) < 0)
        return -1;
    fresh = richards_new(state->program);
    if (!fresh)
        return -1;
    decref(state->scheduler);
    state->scheduler = fresh;
    return 0;
}

static int step(struct worker *w)
{
    struct state *state = w->state;

    for (int i = 0; i < DISPATCHES; i++) {
        int dispatched = richards_dispatch(state->program, state->scheduler);

        if (dispatched < 0 || (dispatched == 0 && start_anew(state) < 0))
            return -1;
        safepoint(w->thread);
    }
    worker_count(w, DISPATCHES);
    return 0;
}

static void end(struct worker *w)
{
    struct state *state = w->state;

    if (!state)
        return;
    xdecref(state->scheduler);
    program_fini(&state->own);
    free(state);
}

/* All packets have gone, and with them all that counted their class and its attributes. */
static int check(struct job *job, uint64_t ops)
{
    const struct program *shared = job->state;

    (void)ops;
    if (!shared)
        return 0;
    if (program_check(shared->class[PACKET], 1) < 0)
        return -1;
    return program_check(tuple_get(shared->names, 0), 1);
}

static void teardown(struct job *job)
{
    if (job->state)
        program_fini(job->state);
    job_state_free(job);
}

const struct workload workload_richards = {
    .about = "an operating system's kernel, simulated: attributes and methods (Richards)",
    .unit = "dispatched task", .kind = KIND_CPU, .shares = SHARES_READS, .least_threads = 1,
    .isolated = true,
    .param = { PROGRAM_MARKED,
               { "shared", "1: threads share the program, not its objects; 0: nothing", 1, 0, 1 } },
    .roles = { { .name = "worker", .per_thread = 1, .begin = begin, .step = step, .end = end } },
    .setup = setup, .check = check, .teardown = teardown,
};
