/* deltablue.c - each thread solves constraints, incrementally.
 *
 * Objects that refer to each other in cycles, lists, attributes and methods, all of the
 * thread's own; what threads share is the program. A round makes two problems, changes
 * variables, looks at what the solver makes of that, and drops the problems.
 */
#include "benches/deltablue.h"
#include "benches/job_state.h"
#include "objects/tuple.h"

enum { SIZE = 1 }; /* a parameter */

static int setup(struct job *job)
{
    struct program *program = job_state_new(job, sizeof *program);

    if (!program || deltablue_init(program) < 0)
        return -1;
    program_share_all(job, program);
    return 0;
}

static int step(struct worker *w)
{
    const struct program *program = w->job->state;
    int size = (int)w->job->param[SIZE];

    if (deltablue_chain(program, size) < 0 || deltablue_projection(program, size) < 0)
        return -1;
    worker_count(w, 1);
    return 0;
}

/* All variables have gone, and with them all that counted their class and its attributes. */
static int check(struct job *job, uint64_t ops)
{
    const struct program *program = job->state;

    (void)ops;
    if (program_check(program->class[VARIABLE], 1) < 0)
        return -1;
    return program_check(tuple_get(program->names, 0), 1);
}

static void teardown(struct job *job)
{
    if (job->state)
        program_fini(job->state);
    job_state_free(job);
}

const struct workload workload_deltablue = {
    .about = "each thread solves constraints, incrementally (DeltaBlue)",
    .unit = "round", .kind = KIND_CPU, .shares = SHARES_READS, .least_threads = 1,
    .isolated = true,
    .param = { PROGRAM_MARKED,
               { "size", "equalities in a row, and pairs of variables", 12, 2, 10000 } },
    .roles = { { .name = "worker", .per_thread = 1, .step = step } },
    .setup = setup, .check = check, .teardown = teardown,
};
