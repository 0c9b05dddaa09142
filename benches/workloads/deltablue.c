/* deltablue.c - each thread solves constraints, incrementally.
 *
 * Objects that refer to each other in cycles, lists, attributes and methods, all of the
 * thread's own; what threads share is the program. A round makes two problems, changes
 * variables, looks at what the solver makes of that, and drops the problems.
 */
#include "benches/deltablue.h"
#include "objects/tuple.h"

enum { SIZE = 1 }; /* a parameter */

static struct program program;

static int setup(struct job *job)
{
    if (deltablue_init(&program) < 0)
        return -1;
    program_share_all(job, &program);
    return 0;
}

static int step(struct worker *w)
{
    int size = (int)w->job->param[SIZE];

    if (deltablue_chain(&program, size) < 0 || deltablue_projection(&program, size) < 0)
        return -1;
    worker_count(w, 1);
    return 0;
}

/* All variables have gone, and with them all that counted their class and its attributes. */
static int check(struct job *job, uint64_t ops)
{
    (void)job;
    (void)ops;
    if (program_check(program.class[VARIABLE], 1) < 0)
        return -1;
    return program_check(tuple_get(program.names, 0), 1);
}

static void teardown(struct job *job)
{
    (void)job;
    program_fini(&program);
}

const struct workload workload_deltablue = {
    .about = "each thread solves constraints, incrementally (DeltaBlue)",
    .unit = "round", .kind = KIND_CPU, .shares = SHARES_READS, .least_threads = 1,
    .param = { PROGRAM_MARKED,
               { "size", "equalities in a row, and pairs of variables", 12, 2, 10000 } },
    .roles = { { .name = "worker", .per_thread = 1, .step = step } },
    .setup = setup, .check = check, .teardown = teardown,
};
